import { formatProblem, levelOf } from '../../api/diagnostics.ts'
import type { ObjectRef } from '../../api/issue.ts'
import type { Condition } from '../../api/meta.ts'
import { GROUP } from '../../api/names.ts'
import type { Action } from './plan.ts'

type Change = Pick<Extract<Action, { do: 'applyStatus' }>, 'resource' | 'namespace' | 'name' | 'status' | 'before'>

interface Status {
  readonly conditions?: readonly Condition[]
  readonly clusters?: readonly { readonly cluster: string }[]
}

export interface News {
  readonly type: 'Normal' | 'Warning'
  /** A code of the catalogue. */
  readonly reason: string
  readonly note: string
}

/** What a person would want to hear of a change of an object's status. That a new object is well is no news. */
export function newsOf({ resource, namespace, name, status, before }: Change): readonly News[] {
  const was = before as Status | undefined
  const is = status as Status
  const { kind, group } = resource
  const object = { kind, name, ...(namespace === undefined ? {} : { namespace }) }
  const ofConditions = (is.conditions ?? []).flatMap((condition): readonly News[] => {
    const { type, reason, message } = condition
    const last = was?.conditions?.find((each) => each.type === type)
    const isWell = levelOf({ code: reason, object, path: '' }) === 'info'
    return isNews(condition, last, isWell) ? [{ type: isWell ? 'Normal' : 'Warning', reason, note: message }] : []
  })
  return [
    ...ofConditions,
    ...(kind === 'ServiceImport' && group === GROUP ? ofExporters(object, was?.clusters, is.clusters ?? []) : []),
  ]
}

const isNews = (condition: Condition, last: Condition | undefined, isWell: boolean): boolean => {
  const said = ({ status, reason, message }: Condition) => JSON.stringify([status, reason, message])
  if (last === undefined) return !isWell
  if (said(condition) === said(last)) return false
  // Every change of a table goes through the proxies: that it does is no news, only that it did not and now does.
  return condition.type !== 'Programmed' || !isWell || (condition.status === 'True' && last.status === 'False')
}

function ofExporters(
  object: ObjectRef,
  before: Status['clusters'],
  after: NonNullable<Status['clusters']>,
): readonly News[] {
  if (before === undefined) return []
  const missingIn = (others: typeof after, cluster: string) => others.every((other) => other.cluster !== cluster)
  const tell = (reason: 'ExporterJoined' | 'ExporterLeft', value: string): News => ({
    type: 'Normal',
    reason,
    note: formatProblem({ code: reason, object, path: '', value }),
  })
  return [
    ...after.flatMap(({ cluster }) => (missingIn(before, cluster) ? [tell('ExporterJoined', cluster)] : [])),
    ...before.flatMap(({ cluster }) => (missingIn(after, cluster) ? [tell('ExporterLeft', cluster)] : [])),
  ]
}
