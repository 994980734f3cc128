import type { GlobalTrafficPolicy } from '../api/global-traffic-policy.ts'
import { keyNow } from './key-now.ts'
import { compare } from './order.ts'
import { DEFAULT_WEIGHT, type Plan } from './plan.ts'
import type { ServiceRoute } from './tables.ts'

/** How one target of a policy fares; the policy's status, row by row. */
export interface TargetState {
  readonly clusterKey: string
  /** The weight that proxies apply; 0 = gets nothing. */
  readonly weight: number
  readonly readyEndpoints: number
  readonly reason: TargetReason
  /** What the cluster goes by now, when its key has changed. */
  readonly keyNow?: string
}

export type TargetReason =
  | 'Active'
  /** FailOver: takes over when those before it have gone. */
  | 'Standby'
  | 'Drained'
  | 'ExportsNothing'
  /** No cluster goes by this key any more. */
  | 'KeyChanged'
  /** The mesh calls nobody without one. */
  | 'WithoutIdentity'
  | 'NoReadyEndpoint'
  /** Locality: targets have no effect. */
  | 'NotUsed'

/**
 * @param exporting endpoints by clusterKey, of other clusters that export the service
 * @param nameless those of them that some port does not call, as they have no identity
 * @param others keys of more clusters that are there
 * @param localReady ready pods of this cluster's Service; undefined when it has none
 */
export const targetStates = (
  plan: Plan,
  policy: GlobalTrafficPolicy,
  ownKey: string,
  routes: readonly ServiceRoute[],
  exporting: ReadonlyMap<string, number>,
  nameless: ReadonlySet<string>,
  others: readonly string[],
  localReady: number | undefined,
): readonly TargetState[] => {
  const rows = plan.remotes && plan.type !== 'Locality' ? plan.remotes : undefined
  const keys = new Set(
    plan.type === 'Locality'
      ? (policy.spec.targets ?? []).map((target) => target.clusterKey)
      : (rows?.keys() ?? exporting.keys()),
  )
  if (localReady !== undefined) keys.add(ownKey)
  const active = new Set(
    routes.flatMap((route) =>
      route.backends.filter((backend) => backend.priority === 0).map((backend) => backend.clusterKey),
    ),
  )
  const used = new Map(routes.flatMap((route) => route.backends.map((backend) => [backend.clusterKey, backend.weight])))

  const known = [ownKey, ...exporting.keys(), ...others]

  const rowOf = (clusterKey: string): TargetState => {
    const own = clusterKey === ownKey
    const ready = own ? (localReady ?? 0) : (exporting.get(clusterKey) ?? 0)
    const row = (reason: TargetReason): TargetState => ({
      clusterKey,
      weight: reason === 'Active' || reason === 'Standby' ? (used.get(clusterKey) ?? 0) : 0,
      readyEndpoints: ready,
      reason,
    })
    if (plan.type === 'Locality' && !own) return row('NotUsed')
    const now = keyNow(clusterKey, known)
    if (now !== undefined) return { ...row('KeyChanged'), keyNow: now }
    if ((own ? plan.localWeight : (rows?.get(clusterKey)?.weight ?? DEFAULT_WEIGHT)) === 0) return row('Drained')
    if (ready === 0) return row(own ? 'NoReadyEndpoint' : 'ExportsNothing')
    if (nameless.has(clusterKey) && !used.has(clusterKey)) return row('WithoutIdentity')
    return row(active.has(clusterKey) ? 'Active' : 'Standby')
  }
  return [...keys].sort(compare).map(rowOf)
}
