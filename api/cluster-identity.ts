import { CLUSTER_KEY, CLUSTER_KEY_MAX } from './fields.ts'
import { isTrustDomain, TRUST_DOMAIN_KEY } from './identity.ts'
import type { Issue } from './issue.ts'
import type { ConfigMap } from './resources.ts'

/** Who a cluster is. */
export interface ClusterIdentity {
  /** region/zone/group/name */
  readonly clusterKey: string
  /** The hub's word for its trust domain. Absent when it has not joined, or the hub has none for it. */
  readonly trustDomain?: string
  /** Which hub says so, as the uid of namespace kube-system there. Absent when the cluster has joined none that tells. */
  readonly hub?: string
  /** Whether the cluster has joined a hub. */
  readonly joined: boolean
  /** Whether Services are shared by annotation. */
  readonly globalServices: boolean
  /** What is wrong with the hub's word for it. */
  readonly issue?: Issue<'ClusterIdentityMalformed'>
}

/** Key of the ConfigMap {@link CLUSTER_CONFIGMAP}. */
export const CLUSTER_IDENTITY_KEY = 'clusterKey'
/** Key of the same: which hub says so, as the uid of namespace kube-system there. */
export const IDENTITY_HUB_KEY = 'hub'

/** Key of the same, `true` or `false`: whether Services with annotation service.cilium.io/global are shared. */
export const GLOBAL_SERVICES_KEY = 'globalServices'

const WELL_FORMED = new RegExp(CLUSTER_KEY)

/**
 * The hub's word for who this cluster is, else the cluster's own: targets and imports are written with the hub's.
 * @param told the ConfigMap that the hub keeps in Portolan's namespace, when there is one
 * @param own the key that the cluster was installed with
 */
export function clusterIdentity(told: ConfigMap | undefined, own: string): ClusterIdentity {
  if (told === undefined) return { clusterKey: own, joined: false, globalServices: false }
  const globalServices = told.data?.[GLOBAL_SERVICES_KEY] === 'true'
  const key = told.data?.[CLUSTER_IDENTITY_KEY] ?? ''
  const hub = told.data?.[IDENTITY_HUB_KEY]
  const trustDomain = told.data?.[TRUST_DOMAIN_KEY]
  if (key.length <= CLUSTER_KEY_MAX && WELL_FORMED.test(key))
    return {
      clusterKey: key,
      joined: true,
      globalServices,
      ...(hub === undefined || hub === '' ? {} : { hub }),
      ...(trustDomain !== undefined && isTrustDomain(trustDomain) ? { trustDomain } : {}),
    }
  const { namespace, name } = told.metadata
  const object = { kind: 'ConfigMap', name, ...(namespace === undefined ? {} : { namespace }) }
  const path = `data.${CLUSTER_IDENTITY_KEY}`
  return {
    clusterKey: own,
    joined: false,
    globalServices,
    issue: { code: 'ClusterIdentityMalformed', object, path, value: key, params: { own } },
  }
}
