import type { Cluster } from '../../api/cluster.ts'
import type { Code } from '../../api/diagnostics.ts'
import type { Issue } from '../../api/issue.ts'
import type { Secret } from '../../api/resources.ts'
import type { Failure } from '../../kube/failure.ts'
import { type Kubeconfig, parseKubeconfig } from '../../kube/kubeconfig.ts'
import type { Access } from './member.ts'

/** Where a Cluster's kubeconfig is, when it is not in the Cluster itself. */
export interface SecretKey {
  readonly namespace: string
  readonly name: string
  readonly key: string
}

export type Found =
  | { readonly ok: true; readonly access: Access; readonly credentialsExpire?: string }
  | { readonly ok: false; readonly problem: Pick<Issue<Code>, 'code' | 'params'> }

/** What reading a Secret came to; nothing while it is under way. */
export type SecretLook = { readonly secret: Secret | undefined } | { readonly failure: Failure } | undefined

/** @param namespace the hub's own */
export function secretKeyOf({ spec }: Cluster, namespace: string): SecretKey | undefined {
  const { kubeconfigSecretRef: ref } = spec
  return ref && { namespace: ref.namespace ?? namespace, name: ref.name, key: ref.key ?? 'kubeconfig' }
}

/**
 * How to reach a cluster, or why that cannot be known. Nothing while its Secret is being read.
 * @param namespace the hub's own: Portolan's there, too, where the kubeconfig names none
 */
export function accessOf(
  cluster: Cluster,
  namespace: string,
  look: (at: SecretKey) => SecretLook,
  parse: (text: string) => Kubeconfig = parseKubeconfig,
): Found | undefined {
  const { kubeconfig } = cluster.spec
  if (kubeconfig !== undefined) return accessBy(kubeconfig, namespace, parse)
  const at = secretKeyOf(cluster, namespace)
  if (at === undefined) return problem('KubeconfigInvalid', { problems: 'there is none' })
  const looked = look(at)
  if (looked === undefined) return undefined
  if ('failure' in looked) return problem('Forbidden', { why: looked.failure.message })
  const encoded = looked.secret?.data?.[at.key]
  if (encoded === undefined)
    return problem('KubeconfigSecretMissing', { secret: `${at.namespace}/${at.name}`, key: at.key })
  return accessBy(Buffer.from(encoded, 'base64').toString('utf8'), namespace, parse)
}

export function accessBy(
  text: string,
  namespace: string,
  parse: (text: string) => Kubeconfig = parseKubeconfig,
): Found {
  const parsed = parse(text)
  if (!parsed.ok) return problem('KubeconfigInvalid', { problems: parsed.problems.join('; ') })
  const { connection, credentialsExpire } = parsed
  return {
    ok: true,
    access: { text, connection, namespace: connection.namespace ?? namespace },
    ...(credentialsExpire === undefined ? {} : { credentialsExpire }),
  }
}

const problem = (code: Code, params: NonNullable<Issue['params']>): Found => ({ ok: false, problem: { code, params } })
