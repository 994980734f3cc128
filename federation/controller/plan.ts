import { CLUSTER_IDENTITY_KEY, GLOBAL_SERVICES_KEY, IDENTITY_HUB_KEY } from '../../api/cluster-identity.ts'
import type { Code } from '../../api/diagnostics.ts'
import { TRUST_DOMAIN_KEY } from '../../api/identity.ts'
import type { Issue } from '../../api/issue.ts'
import type { McsExport } from '../../api/mcs.ts'
import { FIELD_MANAGER, MCS_GROUP } from '../../api/names.ts'
import type { ConfigMap } from '../../api/resources.ts'
import type { ServiceExport } from '../../api/service-export.ts'
import type { ServiceImport } from '../../api/service-import.ts'
import { keyOf } from '../../compiler/keys.ts'
import { by } from '../../compiler/order.ts'
import type { ObjectStatus } from '../../compiler/tables.ts'
import { changedStatus } from '../../kube/status.ts'
import type { WantedSlice } from '../slices.ts'
import { type Trust, trustData } from '../trust.ts'
import { giversOf, isOurs, type Observed, type ObservedImport, wantedHash } from './observed.ts'
import { withUnheardTrust } from './observed-trust.ts'

/** What the hub wants a member to hold. */
export interface Desired {
  /** Portolan's namespace there. */
  readonly namespace: string
  /** Which hub wants it: uid of namespace kube-system there. */
  readonly hub: string
  /** Who the member is; absent when it has left. */
  readonly clusterKey?: string
  readonly trustDomain?: string
  /** Whether its Services are shared by annotation. */
  readonly globalServices: boolean
  /** Absent when it has left. */
  readonly trust?: Trust
  readonly imports: readonly ServiceImport[]
  /** Endpoints of what it imports by the standard. */
  readonly slices: readonly WantedSlice[]
  readonly statuses: readonly ObjectStatus[]
  readonly createNamespaces: boolean
  /** Keys of clusters of which nothing is known yet: endpoints that lead to them stay. */
  readonly unheard: ReadonlySet<string>
}

export type Action =
  | {
      readonly do: 'applyIdentity'
      readonly namespace: string
      /** Of the ConfigMap. */
      readonly data: Readonly<Record<string, string>>
    }
  | { readonly do: 'removeIdentity'; readonly namespace: string; readonly uid: string }
  | { readonly do: 'applyTrust'; readonly namespace: string; readonly data: Readonly<Record<string, string>> }
  | { readonly do: 'removeTrust'; readonly namespace: string; readonly uid: string }
  | { readonly do: 'createNamespace'; readonly name: string }
  | { readonly do: 'applyImport'; readonly import: WantedImport }
  | { readonly do: 'removeImport'; readonly namespace: string; readonly name: string; readonly uid: string }
  | { readonly do: 'applySlice'; readonly slice: WantedSlice }
  | { readonly do: 'removeSlice'; readonly namespace: string; readonly name: string; readonly uid: string }
  | {
      readonly do: 'applyStatus'
      /** Of the export; apiVersion as the member serves it. */
      readonly apiVersion: string
      readonly namespace: string
      readonly name: string
      readonly uid: string
      readonly status: Readonly<Record<string, unknown>>
      /** The status as it was. */
      readonly before: unknown
    }

/** Whether nothing but what is said of exports is wanted otherwise. What has not changed is the very same value. */
export const differInStatusesAlone = (one: Desired, other: Desired): boolean =>
  one.namespace === other.namespace &&
  one.hub === other.hub &&
  one.clusterKey === other.clusterKey &&
  one.trustDomain === other.trustDomain &&
  one.trust === other.trust &&
  one.globalServices === other.globalServices &&
  one.createNamespaces === other.createNamespaces &&
  sameItems(one.imports, other.imports) &&
  sameItems(one.slices, other.slices) &&
  one.unheard.size === other.unheard.size &&
  [...one.unheard].every((key) => other.unheard.has(key))

const sameItems = (one: readonly unknown[], other: readonly unknown[]): boolean =>
  one.length === other.length && one.every((item, index) => item === other[index])

export interface WantedImport {
  readonly namespace: string
  readonly name: string
  /** Absent when there is none yet. */
  readonly uid?: string
  /** Absent when nothing is wanted but what is kept. */
  readonly wanted?: ServiceImport
  /** Keys of clusters whose endpoints stay although they are not wanted; sorted. */
  readonly keep: readonly string[]
  /** Stands for `wanted` and `keep`. */
  readonly content: string
}

export interface Plan {
  /** In the order in which they are safe: who the member is, whom it may trust, what is new, what goes, what is said of it. */
  readonly actions: readonly Action[]
  readonly issues: readonly Issue<Code>[]
}

/** What the API server made of a content that was written into the import `ns/name`, or slice, by its key: its hash. */
export type Accepted = (key: string, content: string) => string | undefined

/**
 * The writes that take a member from `observed` to `desired`, and no others.
 * @param now for lastTransitionTime, RFC 3339
 */
export function plan(desired: Desired, observed: Observed, accepted: Accepted, now: string): Plan {
  const { imports, namespaces } = observed
  const wanted = new Map(desired.imports.map((object) => [keyOf(object), object]))
  const foreign = [...wanted.keys()].filter((key) => imports.get(key)?.ours === false)
  const homeless = new Set(
    [...wanted.values()]
      .filter(bringsItsNamespace)
      .map(({ metadata }) => metadata.namespace ?? 'default')
      .filter((name) => !namespaces.has(name)),
  )
  const made = desired.createNamespaces ? homeless : NOWHERE
  const isOpen = (namespace: string): boolean => {
    const there = namespaces.get(namespace)
    return there === undefined ? made.has(namespace) : there.metadata.deletionTimestamp === undefined
  }
  const writes = [...new Set([...wanted.keys(), ...imports.keys()])]
    .toSorted()
    .flatMap((key) => planImport(key, wanted.get(key), imports.get(key), desired.unheard, accepted))
  const trust = planTrust(desired, observed)
  const isWrite = (action: Action): action is Extract<Action, { do: 'applyImport' }> => action.do === 'applyImport'
  const removals = writes.filter((action) => !isWrite(action))
  return {
    actions: [
      ...planIdentity(desired, observed),
      ...(desired.trust === undefined ? [] : trust),
      ...[...made].toSorted().map((name): Action => ({ do: 'createNamespace', name })),
      ...writes.filter(isWrite).filter((action) => isOpen(action.import.namespace)),
      ...planSlices(desired, observed, isOpen, accepted),
      ...removals,
      ...(desired.trust === undefined ? trust : []),
      ...planStatuses(desired, observed, now),
    ],
    issues: [
      ...foreign.toSorted().map((key) => issueOf('ImportNotOurs', 'ServiceImport', key)),
      ...(desired.createNamespaces ? [] : [...homeless].toSorted()).map((namespace) => ({
        ...issueOf('NamespaceMissing', 'Namespace', namespace),
        params: { namespace, services: [...wanted.keys()].filter((key) => key.startsWith(`${namespace}/`)).join(', ') },
      })),
    ],
  }
}

const NOWHERE: ReadonlySet<string> = new Set()

/** The standard has a service in the namespaces of its name, and makes none; only our own exports do. */
const bringsItsNamespace = ({ spec: { doors } }: ServiceImport): boolean =>
  doors === undefined || doors.includes('ServiceExport')

/** Whether another hub has said who the member is: two that write into one member undo each other's work for ever. */
export function isElsewhere({ identity }: Pick<Observed, 'identity'>, hub: string): boolean {
  const by = identity?.data?.[IDENTITY_HUB_KEY]
  return by !== undefined && by !== hub
}

function planIdentity(
  { namespace, clusterKey, trustDomain, globalServices, hub }: Desired,
  { identity }: Observed,
): readonly Action[] {
  if (clusterKey === undefined) {
    if (identity === undefined || !isOurs(identity)) return []
    return [{ do: 'removeIdentity', namespace, uid: identity.metadata.uid ?? '' }]
  }
  const data = {
    [CLUSTER_IDENTITY_KEY]: clusterKey,
    [IDENTITY_HUB_KEY]: hub,
    [GLOBAL_SERVICES_KEY]: String(globalServices),
    ...(trustDomain === undefined ? {} : { [TRUST_DOMAIN_KEY]: trustDomain }),
  }
  // A namespace that is missing makes it fail, which tells what is wrong with the member.
  return says(identity, data, IDENTITY_KEYS) ? [] : [{ do: 'applyIdentity', namespace, data }]
}

const IDENTITY_KEYS = [CLUSTER_IDENTITY_KEY, IDENTITY_HUB_KEY, GLOBAL_SERVICES_KEY, TRUST_DOMAIN_KEY]

function planTrust({ namespace, trust, unheard }: Desired, { trust: there }: Observed): readonly Action[] {
  if (!there.readable) return []
  const { object } = there
  if (trust === undefined) {
    if (object === undefined || !isOurs(object)) return []
    return [{ do: 'removeTrust', namespace, uid: object.metadata.uid ?? '' }]
  }
  const data = trustData(withUnheardTrust(trust, object, unheard))
  return says(object, data, Object.keys(data)) ? [] : [{ do: 'applyTrust', namespace, data }]
}

/** Whether a ConfigMap is the hub's and says just this under the keys. */
const says = (
  object: ConfigMap | undefined,
  data: Readonly<Record<string, string>>,
  keys: readonly string[],
): boolean => object !== undefined && isOurs(object) && keys.every((key) => object.data?.[key] === data[key])

function planImport(
  key: string,
  wanted: ServiceImport | undefined,
  there: ObservedImport | undefined,
  unheard: ReadonlySet<string>,
  accepted: Accepted,
): readonly Action[] {
  if (there?.ours === false) return []
  const [namespace = '', name = ''] = key.split('/')
  const uid = there?.metadata.uid ?? ''
  const given = wanted === undefined ? [] : giversOf(wanted)
  const keep = (there?.givers ?? []).filter((giver) => unheard.has(giver) && !given.includes(giver))
  if (wanted === undefined && keep.length === 0) {
    const silent = namesOf(unheard)
    return there?.exporters?.some((exporter) => silent.has(exporter))
      ? []
      : [{ do: 'removeImport', namespace, name, uid }]
  }
  const content = [wanted === undefined ? '' : wantedHash(wanted), ...keep].join(' ')
  if (there !== undefined && (there.hash === content || there.hash === accepted(key, content))) return []
  // Nothing but what is kept is there already.
  if (wanted === undefined && keep.length === there?.givers.length) return []
  const which = { namespace, name, keep, content }
  return [
    { do: 'applyImport', import: { ...which, ...(there ? { uid } : {}), ...(wanted === undefined ? {} : { wanted }) } },
  ]
}

/** Slices stay while nothing is known of the cluster that they come from. A slice of that name that is another's stays, too. */
function planSlices(
  { slices, unheard }: Desired,
  { copies }: Observed,
  isOpen: (namespace: string) => boolean,
  accepted: Accepted,
): readonly Action[] {
  if (copies === undefined) return []
  const wanted = new Map(slices.map((slice) => [`${slice.namespace}/${slice.name}`, slice]))
  const silent = namesOf(unheard)
  const writes = [...wanted].flatMap(([key, slice]): readonly Action[] => {
    const there = copies.get(key)
    const isThere =
      there?.hash === slice.hash || (there !== undefined && there.hash === accepted(sliceKey(slice), slice.hash))
    if (isThere || there?.ours === false || !isOpen(slice.namespace)) return []
    return [{ do: 'applySlice', slice }]
  })
  const removals = [...copies]
    .filter(([key, { ours, source }]) => ours && !wanted.has(key) && !silent.has(source))
    .toSorted(by(([key]) => key))
    .map(
      ([
        ,
        {
          metadata: { namespace = '', name, uid = '' },
        },
      ]): Action => ({ do: 'removeSlice', namespace, name, uid }),
    )
  return [...writes, ...removals]
}

/** Names of clusters, of their keys. */
const namesOf = (keys: ReadonlySet<string>): ReadonlySet<string> =>
  new Set([...keys].map((key) => key.slice(key.lastIndexOf('/') + 1)))

/** Among what is accepted. */
export const sliceKey = ({ namespace, name }: { readonly namespace: string; readonly name: string }): string =>
  `slice ${namespace}/${name}`

/** An export of which nothing is wanted loses what the hub once said of it. */
function planStatuses(desired: Desired, { exports, mcsExports }: Observed, now: string): readonly Action[] {
  const { statuses } = desired
  const standard = statuses.filter(({ object }) => object.group === MCS_GROUP)
  const ours = statuses.filter(({ object }) => object.group === undefined)
  return [
    ...statusesOf(ours, exports, desired, now),
    ...(mcsExports === undefined ? [] : statusesOf(standard, mcsExports, desired, now)),
  ]
}

function statusesOf(
  statuses: readonly ObjectStatus[],
  exports: ReadonlyMap<string, ServiceExport | McsExport>,
  { clusterKey }: Desired,
  now: string,
): readonly Action[] {
  const wanted = new Map(statuses.map((status) => [`${status.object.namespace}/${status.object.name}`, status]))
  return [...exports]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([key, there]): readonly Action[] => {
      const { namespace = '', name, uid = '', generation = 0, deletionTimestamp } = there.metadata
      const said = wanted.get(key)
      // Of a member that has not left something will be said as soon as it is known to the merge as it is now.
      if (
        deletionTimestamp !== undefined ||
        (said === undefined ? clusterKey !== undefined : said.generation !== generation)
      )
        return []
      const status = changedStatus(said ?? { conditions: [] }, there, FIELD_MANAGER.federation, now)
      const { apiVersion, status: before } = there
      return status === undefined ? [] : [{ do: 'applyStatus', apiVersion, namespace, name, uid, status, before }]
    })
}

function issueOf(code: Code, kind: string, key: string): Issue<Code> {
  const [first = '', name] = key.split('/')
  return { code, object: name === undefined ? { kind, name: first } : { kind, namespace: first, name }, path: '' }
}
