import type { Service } from '../../api/core.ts'
import type { McsExport } from '../../api/mcs.ts'
import type { KubeObject, ObjectMeta } from '../../api/meta.ts'
import type { ServiceExport } from '../../api/service-export.ts'
import { perObject } from '../../compiler/memo.ts'
import type { Backends, Member } from '../constituent.ts'
import { CLUSTER_MESH } from '../global-services.ts'
import { readyByPort, type SourceSlice, type SourceSlices } from '../slices.ts'
import type { Observed } from './observed.ts'
import type { ObservedSlice } from './observed-slices.ts'

/** What a member exports, bare of all that merging does not look at. What is empty is left out, but for the first two. */
export interface View extends Pick<Member, 'exports' | 'services' | 'mcsExports' | 'backends'> {
  /** Whether Cilium's own cluster mesh is there. */
  readonly clusterMesh?: true
  readonly slices?: SourceSlices
}

/** A view without endpoints. */
export type Declared = Pick<View, 'exports' | 'services' | 'mcsExports' | 'clusterMesh'>

/** Services, as ns/name, whose endpoints somebody has to know. */
export interface Asked {
  /** How many are ready. */
  readonly backends: ReadonlySet<string>
  /** All that is known of them. */
  readonly slices: ReadonlySet<string>
}

/**
 * What a member declares. What has not changed since `before` is the very same value again, all of it when nothing has:
 * merging tells by identity what it has to do with. Sorted by namespace and name. Of exports that cannot be seen, those
 * before stand.
 */
export function declaredOf(
  { exports, services, mcsExports }: Pick<Observed, 'exports' | 'services' | 'mcsExports'>,
  before: Declared | undefined,
): Declared {
  const standard = mcsExports ?? new Map(before?.mcsExports?.map((object) => [keyOf(object), object]))
  const keys = sorted([...exports.keys(), ...standard.keys(), ...annotatedIn(services)])
  const pick = <T extends Bare>(from: ReadonlyMap<string, T>, old: readonly T[] | undefined) =>
    keep(keys.flatMap((key) => from.get(key) ?? []).map(bareOf) as readonly T[], old)
  const offered = pick(standard, before?.mcsExports)
  const declared: Declared = {
    exports: pick(exports, before?.exports),
    services: pick(services, before?.services),
    ...(offered.length === 0 ? {} : { mcsExports: offered }),
    ...(services.has(CLUSTER_MESH) ? { clusterMesh: true } : {}),
  }
  return before !== undefined && sameFields(declared, before) ? before : declared
}

/** The view of what a member declares, with the endpoints that are asked for; of those that cannot be seen, those before stand. */
export function viewOf(
  declared: Declared,
  slices: ReadonlyMap<string, ObservedSlice> | undefined,
  asked: Asked,
  before: View | undefined,
): View {
  const own = servicesIn(declared)
  const found = slices && byService(slices)
  function gather<T extends object>(
    keys: ReadonlySet<string>,
    old: Readonly<Record<string, T>> | undefined,
    look: (slices: readonly SourceSlice[], before: T | undefined) => T,
  ): Readonly<Record<string, T>> | undefined {
    const entries = [...keys]
      .filter((key) => own.has(key))
      .toSorted()
      .flatMap((key): readonly (readonly [string, T])[] => {
        const known = old?.[key]
        if (found !== undefined) return [[key, look(found.get(key) ?? [], known)]]
        return known === undefined ? [] : [[key, known]]
      })
    if (entries.length === 0) return undefined
    const now = Object.fromEntries(entries)
    return old !== undefined && sameFields(now, old) ? old : now
  }
  const backends: Backends | undefined = gather(asked.backends, before?.backends, (all, known) =>
    asBefore(readyByPort(all), known),
  )
  const content = gather<readonly SourceSlice[]>(asked.slices, before?.slices, (all, known = []) => {
    const old = new Map(known.map((slice) => [slice.name, slice]))
    const now = all.map((slice) => asBefore(slice, old.get(slice.name)))
    return now.length === known.length && now.every((slice, index) => slice === known[index]) ? known : now
  })
  const view: View = {
    ...declared,
    ...(backends === undefined ? {} : { backends }),
    ...(content === undefined ? {} : { slices: content }),
  }
  return before !== undefined && sameFields(view, before) ? before : view
}

/** What is remembered may have endpoints. */
export const withoutEndpoints = ({ backends: _, slices: __, ...declared }: View): Declared => declared

/** Services that a member exports by the standard. */
export const standardIn = perObject(
  ({ mcsExports = [] }: Pick<View, 'mcsExports'>): ReadonlySet<string> => new Set(mcsExports.map(keyOf)),
)

/** Services that a member declares anything about. */
export const servicesIn = perObject(
  ({ exports, services, mcsExports = [] }: Declared): ReadonlySet<string> =>
    new Set([...exports, ...mcsExports, ...services].map(keyOf)),
)

const annotatedIn = perObject((services: ReadonlyMap<string, Service>): readonly string[] =>
  [...services].flatMap(([key, { metadata }]) => (metadata.annotations === undefined ? [] : [key])),
)

/** Sorted by name. */
const byService = perObject(
  (slices: ReadonlyMap<string, ObservedSlice>): ReadonlyMap<string, readonly SourceSlice[]> => {
    const found = new Map<string, SourceSlice[]>()
    for (const [, slice] of [...slices].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
      const known = found.get(slice.service)
      if (known) known.push(sourceOf(slice))
      else found.set(slice.service, [sourceOf(slice)])
    }
    return found
  },
)

const sourceOf = perObject(({ metadata, content }: ObservedSlice): SourceSlice => ({ name: metadata.name, content }))

const sorted = (keys: readonly string[]): readonly string[] => [...new Set(keys)].toSorted()

function sameFields(a: object, b: object): boolean {
  const [these, those] = [Object.entries(a), new Map(Object.entries(b))]
  return these.length === those.size && these.every(([name, value]) => those.get(name) === value)
}

const asBefore = <T extends object>(now: T, before: T | undefined): T =>
  before !== undefined && (before === now || JSON.stringify(before) === JSON.stringify(now)) ? before : now

function keep<T extends KubeObject>(now: readonly T[], before: readonly T[] = []): readonly T[] {
  const known = new Map(before.map((object) => [keyOf(object), object]))
  const kept = now.map((object) => asBefore(object, known.get(keyOf(object))))
  return kept.length === before.length && kept.every((object, index) => object === before[index]) ? before : kept
}

const keyOf = ({ metadata }: KubeObject): string => `${metadata.namespace}/${metadata.name}`

type Bare = ServiceExport | McsExport | Service

const bareOf = perObject(<T extends Bare>({ apiVersion, kind, metadata, spec }: T) => ({
  apiVersion,
  kind,
  metadata: bareMeta(metadata),
  ...(spec === undefined ? {} : { spec }),
})) as <T extends Bare>(object: T) => T

/** Versions change with every status: they are left out. */
function bareMeta({
  name,
  namespace,
  uid,
  generation,
  creationTimestamp,
  deletionTimestamp,
  annotations,
}: ObjectMeta): ObjectMeta {
  return {
    name,
    ...(namespace === undefined ? {} : { namespace }),
    ...(uid === undefined ? {} : { uid }),
    ...(generation === undefined ? {} : { generation }),
    ...(creationTimestamp === undefined ? {} : { creationTimestamp }),
    ...(deletionTimestamp === undefined ? {} : { deletionTimestamp }),
    ...(annotations === undefined ? {} : { annotations }),
  }
}
