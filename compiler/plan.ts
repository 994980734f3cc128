import type { Affinity, GlobalService } from '../api/global-service.ts'
import { type GlobalTrafficPolicy, steeringOf } from '../api/global-traffic-policy.ts'
import type { ServiceImport } from '../api/service-import.ts'
import { isHeadless } from './dns-names.ts'
import { unique } from './order.ts'
import type { ServiceRoute } from './tables.ts'

/** Of a target that names none. */
export const DEFAULT_WEIGHT = 100

/** What a policy asks for, or by what clusters offer the service in its absence, with all that is left out filled in. */
export interface Plan {
  readonly type: ServiceRoute['policy']
  readonly localWeight: number
  /** Clusters other than this one; undefined = every cluster that exports. */
  readonly remotes: ReadonlyMap<string, { readonly weight: number; readonly priority: number }> | undefined
  /** Present when no policy decides: every ready endpoint counts the same, wherever it is. */
  readonly spread?: Spread
  /** Whether the plain name keeps its meaning, whatever becomes of the clusterset's. */
  readonly keepsPlain: boolean
}

export interface Spread {
  readonly decided: 'GlobalService' | 'ClusterSet'
  readonly affinity: Affinity
  /** Whether this cluster's own pods are among those that are called. */
  readonly own: boolean
}

/** What is known here of the service besides its policy. */
interface Offered {
  /** Absent where nothing is imported. */
  readonly imported?: ServiceImport | undefined
  /** What the annotations of the own Service say, where Services are shared by them. */
  readonly own?: GlobalService | undefined
  /** Whether this cluster exports it, too. */
  readonly exported?: boolean
}

/**
 * Who decides, and what: a policy that steers; without one the own Service, when it is global and another cluster's is; without that
 * the standard, for names of the clusterset alone. A policy that cannot work is as good as one of Locality: the webhook has
 * refused it, and compilation is total.
 */
export const planOf = (
  policy: GlobalTrafficPolicy | undefined,
  ownKey: string,
  { imported, own, exported = false }: Offered = {},
): Plan => {
  const doors = imported?.spec.doors ?? ['ServiceExport']
  const isGlobal = own?.global === true && doors.includes('GlobalService')
  // Without an address nothing can lead anywhere.
  if (imported && isHeadless(imported)) return { ...LOCALITY, keepsPlain: true }
  // The standard gives a service a name of its own and no other.
  const keepsPlain = !isGlobal && !doors.includes('ServiceExport')
  if (policy && steeringOf(policy.spec) !== undefined) return { ...planOfPolicy(policy, ownKey), keepsPlain }
  const everyone = { localWeight: DEFAULT_WEIGHT, remotes: undefined }
  if (isGlobal) {
    const { affinity } = own
    const spread: Spread = { decided: 'GlobalService', affinity, own: true }
    return { type: affinity === 'none' ? 'ActiveActive' : 'FailOver', ...everyone, spread, keepsPlain }
  }
  if (doors.includes('MCS')) {
    const spread: Spread = { decided: 'ClusterSet', affinity: 'none', own: exported }
    return { type: 'ActiveActive', ...everyone, spread, keepsPlain }
  }
  return { ...LOCALITY, keepsPlain }
}

const LOCALITY = { type: 'Locality', localWeight: DEFAULT_WEIGHT, remotes: new Map() } as const

const planOfPolicy = ({ spec }: GlobalTrafficPolicy, ownKey: string): Omit<Plan, 'keepsPlain'> => {
  const { lbType, targets = [] } = spec
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
  return LOCALITY
}
