import type { Namespace } from '../api/core.ts'
import type { MeshConfigSpec } from '../api/mesh-config.ts'
import type { DeepReadonly } from '../api/meta.ts'
import type { Interception } from '../api/names.ts'
import { annotation, SETTINGS, settingKeys } from './inject-settings.ts'

type Annotated = { readonly metadata: { readonly annotations?: Readonly<Record<string, string>> } }

/** How calls of a pod reach its sidecar, as the pod says, else its namespace, else the mesh. What none of them can mean counts as unsaid. */
export const interceptionOf = (
  pod: Annotated | undefined,
  namespace: Pick<Namespace, 'metadata'> | undefined,
  config: DeepReadonly<MeshConfigSpec> | undefined,
): Interception => {
  const { name, type, mesh, default: unsaid } = SETTINGS.interception
  const said = [pod, namespace].map((each) => annotation(each?.metadata.annotations, settingKeys(name))?.value)
  for (const text of [...said, config && mesh(config)]) {
    if (text === undefined) continue
    const { value, bad } = type.parse(String(text))
    if (bad.length === 0) return value
  }
  return unsaid
}
