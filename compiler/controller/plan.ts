import { isDeepStrictEqual } from 'node:util'
import type { ObjectRef } from '../../api/issue.ts'
import type { KubeObject } from '../../api/meta.ts'
import { DNS_CONFIGMAP, FIELD_MANAGER, MANAGED_BY, MCS_GROUP, ROUTES_CONFIGMAP } from '../../api/names.ts'
import { GLOBAL_TRAFFIC_POLICIES, MCS_EXPORTS, SERVICE_EXPORTS, SERVICE_IMPORTS } from '../../api/resources.ts'
import type { Resource } from '../../kube/object.ts'
import { changedStatus } from '../../kube/status.ts'
import type { ObjectKind, WantedObject } from '../objects.ts'
import { by } from '../order.ts'
import type { ObjectStatus, VipAssignment } from '../tables.ts'
import { planObjects } from './objects.ts'
import type { Observed, ObservedTable, Reported } from './observed.ts'

/** What the compiler wants the cluster to hold. */
export interface Desired {
  readonly tables: readonly DesiredTable[]
  /** `ns/name` of ConfigMaps that stay as they are, whatever they hold. */
  readonly kept: ReadonlySet<string>
  readonly addresses: readonly VipAssignment[]
  readonly objects: readonly WantedObject[]
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
  /** @see WantedObject; without a uid it is to be made, and not to be taken from anybody. */
  | { readonly do: 'applyObject'; readonly object: WantedObject; readonly uid?: string }
  | {
      readonly do: 'removeObject'
      readonly kind: ObjectKind
      readonly namespace: string | undefined
      readonly name: string
      readonly uid: string
    }
  | {
      readonly do: 'applyStatus'
      readonly resource: Resource<KubeObject>
      readonly namespace: string | undefined
      readonly name: string
      readonly uid: string
      readonly status: Readonly<Record<string, unknown>>
      /** The status that it takes the place of. */
      readonly before: unknown
    }

/** What may be written at once. Each step waits for the one before it. */
const STEPS = [
  'addresses',
  'objects',
  'names',
  'tablesLeftOver',
  'namesLeftOver',
  'objectsLeftOver',
  'statuses',
] as const
type Step = (typeof STEPS)[number]

/**
 * Names are the last to be written, and the first to go: they must not lead where nothing listens. Tables need not wait
 * for addresses, which nobody calls before they have names.
 */
export function stepOf(action: Action): Step {
  switch (action.do) {
    case 'applyAddresses':
      return 'addresses'
    case 'applyTable':
      return action.table.name === DNS_CONFIGMAP ? 'names' : 'addresses'
    case 'applyObject':
      return isName(action.object.kind) ? 'names' : 'objects'
    case 'removeTable':
      return 'tablesLeftOver'
    case 'removeObject':
      return isName(action.kind) ? 'namesLeftOver' : 'objectsLeftOver'
    case 'applyStatus':
      return 'statuses'
  }
}

/** The others are where names lead. */
const isName = (kind: ObjectKind): boolean => kind === 'ServiceImport' || kind === 'ClusterProperty'

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
  const actions = [
    ...addresses,
    ...desired.tables.flatMap((table) => planTable(table, observed)),
    ...planRemovals(desired, observed),
    ...planObjects(desired.objects, observed, now),
    ...settled.flatMap((status) => planStatus(status, observed, now)),
  ]
  return actions.sort(by((action) => STEPS.indexOf(stepOf(action))))
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
  const [resource, objects] = reportedAs(observed, wanted.object)
  const there = objects.get(`${namespace}/${name}`)
  if (there === undefined) return []
  const status = changedStatus(wanted, there, FIELD_MANAGER.compiler, now)
  if (status === undefined) return []
  return [{ do: 'applyStatus', resource, namespace, name, uid: there.metadata.uid ?? '', status, before: there.status }]
}

/** The objects among which one is, by `ns/name`, and what they are. */
export function reportedAs(
  { imports, exports, mcsExports, policies }: Pick<Observed, 'imports' | 'exports' | 'mcsExports' | 'policies'>,
  { kind, group }: ObjectRef,
): readonly [Resource<KubeObject>, ReadonlyMap<string, Reported>] {
  switch (kind) {
    case 'ServiceImport':
      return [SERVICE_IMPORTS, imports]
    case 'ServiceExport':
      return group === MCS_GROUP ? [MCS_EXPORTS, mcsExports] : [SERVICE_EXPORTS, exports]
    case 'GlobalTrafficPolicy':
      return [GLOBAL_TRAFFIC_POLICIES, policies]
    default:
      throw new Error(`the compiler has nothing to say of a ${kind}`)
  }
}
