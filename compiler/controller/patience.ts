import type { Condition } from '../../api/meta.ts'
import { ENDPOINTS_READY } from '../status.ts'
import type { ObjectStatus } from '../tables.ts'
import { reportedAs } from './plan.ts'

export interface Patient {
  readonly statuses: readonly ObjectStatus[]
  /** Exports whose lack of ready pods is not told yet, and when it was first seen; milliseconds since 1970. */
  readonly since: ReadonlyMap<string, number>
}

/**
 * Statuses as they may be told now: that an export has no ready pods only after it has been so for a while, for a pod
 * that is replaced is no news. Until then stands what was said before, or nothing. That pods are ready is told at once.
 *
 * @param observed what the API server has
 * @param since what is not told yet, as of the last time
 * @param now milliseconds since 1970
 */
export function withPatience(
  statuses: readonly ObjectStatus[],
  observed: Parameters<typeof reportedAs>[0],
  since: Patient['since'],
  now: number,
  seconds: number,
): Patient {
  const untold = new Map<string, number>()
  const told = statuses.map((status) => {
    const wanted = status.conditions.find(isSilent)
    if (wanted === undefined) return status
    const { namespace, name, group = '' } = status.object
    const [, objects] = reportedAs(observed, status.object)
    const said = objects.get(`${namespace}/${name}`)?.status?.conditions?.find(({ type }) => type === ENDPOINTS_READY)
    const key = `${namespace}/${name} ${group}`
    const first = since.get(key) ?? now
    if (said?.status === 'False' || now - first >= seconds * 1_000) return status
    untold.set(key, first)
    const others = status.conditions.filter((condition) => condition !== wanted)
    return { ...status, conditions: said === undefined ? others : [...others, unstamped(said)] }
  })
  return { statuses: told, since: untold }
}

const isSilent = ({ type, status }: Pick<Condition, 'type' | 'status'>): boolean =>
  type === ENDPOINTS_READY && status === 'False'

const unstamped = ({ lastTransitionTime: _, ...condition }: Condition): Omit<Condition, 'lastTransitionTime'> =>
  condition

/** When the first of what is not told yet will be, in milliseconds since 1970; Infinity when there is nothing. */
export const nextWord = (since: Patient['since'], seconds: number): number =>
  Math.min(Number.POSITIVE_INFINITY, ...[...since.values()].map((first) => first + seconds * 1_000))
