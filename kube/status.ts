import { isDeepStrictEqual } from 'node:util'
import type { KubeObject } from './object.ts'
import { ownedUnder } from './owned.ts'

/** A condition as it is decided: without the moment at which it came about. */
interface Verdict {
  readonly type: string
  readonly status: string
}

interface Stamped extends Verdict {
  readonly lastTransitionTime: string
}

/** The part of an object's status that one manager answers for. */
export interface WantedStatus {
  readonly conditions: readonly Verdict[]
  /** The rest of it, by field. */
  readonly extra?: Readonly<Record<string, unknown>>
}

/**
 * What `manager` must apply to the status of `there` so that it says `wanted`; nothing when it does already. A condition
 * keeps its lastTransitionTime for as long as its status stays.
 * @param there with the manager's own managedFields
 * @param now RFC 3339
 */
export function changedStatus(
  { conditions, extra = {} }: WantedStatus,
  there: KubeObject & { readonly status?: unknown },
  manager: string,
  now: string,
): Readonly<Record<string, unknown>> | undefined {
  const before = (there.status ?? {}) as Readonly<Record<string, unknown>> & {
    readonly conditions?: readonly Stamped[]
  }
  const stamped = conditions.map((condition) => stamp(condition, before.conditions ?? [], now))
  const same =
    stamped.every((condition) =>
      isDeepStrictEqual(
        condition,
        before.conditions?.find(({ type }) => type === condition.type),
      ),
    ) && Object.entries(extra).every(([key, value]) => isDeepStrictEqual(value, before[key]))
  if (same && !givesUp(there, manager, conditions, extra)) return undefined
  return { ...extra, ...(stamped.length === 0 ? {} : { conditions: stamped }) }
}

/** Says nothing new = keeps the time at which it became so. */
function stamp(condition: Verdict, before: readonly Stamped[], now: string): Stamped {
  const was = before.find(({ type }) => type === condition.type)
  return { ...condition, lastTransitionTime: was?.status === condition.status ? was.lastTransitionTime : now }
}

/** True when the manager once wrote a field or condition that is no longer wanted. */
function givesUp(
  there: KubeObject,
  manager: string,
  conditions: readonly Verdict[],
  extra: Readonly<Record<string, unknown>>,
): boolean {
  const types = new Set(conditions.map(({ type }) => type))
  return (
    ownedUnder(there, manager, ['status', 'conditions']).some((type) => !types.has(type)) ||
    ownedUnder(there, manager, ['status']).some((key) => key !== 'conditions' && extra[key] === undefined)
  )
}
