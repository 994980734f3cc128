import type { GlobalTrafficPolicy } from '../api/global-traffic-policy.ts'
import { unique } from './order.ts'
import type { ServiceRoute } from './tables.ts'

/** Of a target that names none. */
export const DEFAULT_WEIGHT = 100

/** What a policy asks for, with all that it leaves out filled in. */
export interface Plan {
  readonly type: ServiceRoute['policy']
  readonly localWeight: number
  /** Clusters other than this one; undefined = every cluster that exports. */
  readonly remotes: ReadonlyMap<string, { readonly weight: number; readonly priority: number }> | undefined
}

/** A policy that cannot work is as good as none: the webhook has refused it, and compilation is total. */
export const planOf = (policy: GlobalTrafficPolicy | undefined, ownKey: string): Plan => {
  const { lbType = 'Locality', targets = [] } = policy?.spec ?? {}
  const named = new Map(
    unique(targets, (target) => target.clusterKey).map(({ clusterKey, weight = DEFAULT_WEIGHT, priority = 0 }) => [
      clusterKey,
      { weight: Math.max(0, weight), priority },
    ]),
  )
  const localWeight = named.get(ownKey)?.weight ?? DEFAULT_WEIGHT
  named.delete(ownKey)
  if (lbType === 'ActiveActive') return { type: lbType, localWeight, remotes: named.size > 0 ? named : undefined }
  if (lbType === 'FailOver' && named.size > 0) return { type: lbType, localWeight, remotes: named }
  return { type: 'Locality', localWeight: DEFAULT_WEIGHT, remotes: new Map() }
}
