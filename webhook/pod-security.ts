/** What Pod Security levels make of the init container's capability. */
import type { Namespace } from '../api/core.ts'
import type { Issue } from '../api/issue.ts'
import type { Interception } from '../api/names.ts'

/** Levels that do not allow NET_ADMIN. */
const TIGHT: readonly string[] = ['baseline', 'restricted']
const label = (mode: string) => `pod-security.kubernetes.io/${mode}`

/**
 * What the namespace's labels say about pods with a sidecar. Kubernetes checks after us, and may be told to make
 * exceptions: so a warning, which comes with its refusal.
 */
export const podSecurity = ({ metadata }: Namespace, interception: Interception): readonly Issue[] => {
  if (interception !== 'iptables') return []
  const object = { kind: 'Namespace', name: metadata.name }
  const tell = (mode: string, code: string): readonly Issue[] => {
    const value = metadata.labels?.[label(mode)]
    if (value === undefined || !TIGHT.includes(value)) return []
    const params = { namespace: metadata.name, mode }
    return [{ code, object, path: `metadata.labels[${label(mode)}]`, value, params }]
  }
  const refused = tell('enforce', 'PodSecurityRefuses')
  return refused.length > 0 ? refused : ['warn', 'audit'].flatMap((mode) => tell(mode, 'PodSecurityComplains'))
}
