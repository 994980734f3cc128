import { isDeepStrictEqual } from 'node:util'
import { FIELD_MANAGER, MANAGED_BY, ROUTES_CONFIGMAP } from '../../api/names.ts'
import { changedStatus } from '../../kube/status.ts'
import type { ObjectStatus, VipAssignment } from '../tables.ts'
import type { Observed, ObservedTable, Reported } from './observed.ts'

/** What the compiler wants the cluster to hold. */
export interface Desired {
  readonly tables: readonly DesiredTable[]
  /** `ns/name` of ConfigMaps that stay as they are, whatever they hold. */
  readonly kept: ReadonlySet<string>
  readonly addresses: readonly VipAssignment[]
  readonly statuses: readonly ObjectStatus[]
}

export interface DesiredTable {
  readonly namespace: string
  readonly name: string
  readonly data: Readonly<Record<string, string>>
  /** Content hash by key. */
  readonly hashes: Readonly<Record<string, string>>
}

export type Action =
  | {
      readonly do: 'applyAddresses'
      readonly namespace: string
      readonly name: string
      readonly uid: string
      readonly ips: readonly string[]
    }
  | { readonly do: 'applyTable'; readonly table: DesiredTable }
  | { readonly do: 'removeTable'; readonly namespace: string; readonly name: string; readonly uid: string }
  | {
      readonly do: 'applyStatus'
      readonly kind: Reported['kind']
      readonly namespace: string
      readonly name: string
      readonly uid: string
      readonly status: Readonly<Record<string, unknown>>
      /** The status that it takes the place of. */
      readonly before: unknown
    }

/**
 * The writes that take the cluster from `observed` to `desired`, and no others. In the order in which they are safe:
 * addresses and the tables that route them, then names that lead there, then what is left over, then statuses.
 * @param now for lastTransitionTime, RFC 3339
 */
export function plan(desired: Desired, observed: Observed, now: string): readonly Action[] {
  const addresses = desired.addresses.flatMap((assignment) => planAddresses(assignment, observed))
  // A new address makes a new generation: its status follows when that is known.
  const moving = new Set(addresses.map(({ namespace, name }) => `${namespace}/${name}`))
  const settled = desired.statuses.filter(
    ({ object }) => object.kind !== 'ServiceImport' || !moving.has(`${object.namespace}/${object.name}`),
  )
  return [
    ...addresses,
    ...desired.tables.flatMap((table) => planTable(table, observed)),
    ...planRemovals(desired, observed),
    ...settled.flatMap((status) => planStatus(status, observed, now)),
  ]
}

function planAddresses(
  { namespace, name, ips }: VipAssignment,
  { imports }: Observed,
): readonly Extract<Action, { do: 'applyAddresses' }>[] {
  const object = imports.get(`${namespace}/${name}`)
  if (object === undefined || isDeepStrictEqual(object.spec.ips ?? [], ips)) return []
  return [{ do: 'applyAddresses', namespace, name, uid: object.metadata.uid ?? '', ips }]
}

function planTable(table: DesiredTable, { tables, terminating }: Observed): readonly Action[] {
  if (terminating.has(table.namespace)) return []
  const there = tables.get(`${table.namespace}/${table.name}`)
  return there !== undefined && holds(there, table) ? [] : [{ do: 'applyTable', table }]
}

/** True when applying `table` would change nothing. Keys that somebody else added are theirs. */
function holds(there: ObservedTable, table: DesiredTable): boolean {
  const wanted = Object.entries(table.hashes)
  const labelled = Object.entries(MANAGED_BY).every(([key, value]) => there.metadata.labels?.[key] === value)
  return (
    labelled &&
    wanted.every(([key, hash]) => there.hashes[key] === hash) &&
    there.owned.every((key) => table.hashes[key] !== undefined)
  )
}

/** Namespaces that have a routing table of ours, whether they are of the mesh or not. */
export const tableHolders = ({ tables }: Pick<Observed, 'tables'>): readonly string[] =>
  [...tables.values()].filter(isRoutes).map(({ metadata }) => metadata.namespace ?? '')

const isRoutes = ({ metadata: { name, labels } }: ObservedTable): boolean =>
  name === ROUTES_CONFIGMAP && Object.entries(MANAGED_BY).every(([label, value]) => labels?.[label] === value)

/** Routing tables of namespaces that have left the mesh. */
function planRemovals(desired: Desired, { tables, terminating }: Observed): readonly Action[] {
  const wanted = new Set(desired.tables.map(({ namespace, name }) => `${namespace}/${name}`))
  return [...tables].toSorted().flatMap(([key, table]): readonly Action[] => {
    const { name, namespace = '', uid = '' } = table.metadata
    if (!isRoutes(table) || wanted.has(key) || desired.kept.has(key) || terminating.has(namespace)) return []
    return [{ do: 'removeTable', namespace, name, uid }]
  })
}

function planStatus(wanted: ObjectStatus, observed: Observed, now: string): readonly Action[] {
  const { namespace = '', name } = wanted.object
  const there = find(observed, wanted.object.kind, `${namespace}/${name}`)
  if (there === undefined) return []
  const status = changedStatus(wanted, there, FIELD_MANAGER.compiler, now)
  if (status === undefined) return []
  const uid = there.metadata.uid ?? ''
  return [{ do: 'applyStatus', kind: there.kind, namespace, name, uid, status, before: there.status }]
}

function find(observed: Observed, kind: string, key: string): Reported | undefined {
  if (kind === 'ServiceImport') return observed.imports.get(key)
  if (kind === 'ServiceExport') return observed.exports.get(key)
  if (kind === 'GlobalTrafficPolicy') return observed.policies.get(key)
  return undefined
}
