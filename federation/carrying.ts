import type { ServiceImport } from '../api/service-import.ts'
import { keyOf } from '../compiler/keys.ts'
import { listDifference } from './differences.ts'
import type { MemberImports } from './merge-service.ts'
import { type SourceSlices, type WantedSlice, wantedSlices } from './slices.ts'
import { withChanges } from './sorted-list.ts'

/** Slices of each cluster's Services, by its name. */
export type SlicesIn = ReadonlyMap<string, SourceSlices>

/** What a member holds of the others' endpoints. */
interface Held {
  imports: readonly ServiceImport[]
  /** Those of the standard, by service. */
  readonly byService: Map<string, ServiceImport>
  readonly made: Map<string, readonly WantedSlice[]>
  slices: readonly WantedSlice[]
}

/**
 * {@link wantedSlices} of all members, by name of Cluster, again and again: only services are looked at of which an import
 * or an endpoint has changed.
 */
export function createCarrying(): (
  members: readonly MemberImports[],
  slicesIn: SlicesIn,
) => ReadonlyMap<string, readonly WantedSlice[]> {
  const members = new Map<string, Held>()
  let last: SlicesIn = new Map()

  return (all, slicesIn) => {
    const moved = servicesMoved(last, slicesIn)
    last = slicesIn
    const names = new Set(all.map(({ cluster }) => cluster))
    for (const name of members.keys()) if (!names.has(name)) members.delete(name)
    for (const { cluster, imports } of all) {
      const held = members.get(cluster) ?? { imports: [], byService: new Map(), made: new Map(), slices: [] }
      members.set(cluster, held)
      carry(held, imports, moved, (name) => slicesIn.get(name))
    }
    return new Map([...members].map(([name, { slices }]) => [name, slices]))
  }
}

function carry(
  held: Held,
  imports: readonly ServiceImport[],
  moved: readonly string[],
  slicesIn: (cluster: string) => SourceSlices | undefined,
): void {
  const { byService, made } = held
  const { gone, come } = listDifference(held.imports, imports)
  held.imports = imports
  for (const each of gone) byService.delete(keyOf(each))
  for (const each of come) if (each.spec.standard !== undefined) byService.set(keyOf(each), each)
  const changes = new Map<string, WantedSlice | undefined>()
  const stirred = new Set([...gone, ...come].map(keyOf).concat(moved.filter((service) => byService.has(service))))
  for (const service of stirred) {
    const imported = byService.get(service)
    const now = imported === undefined ? [] : wantedSlices([imported], slicesIn)
    for (const slice of made.get(service) ?? []) changes.set(placeOf(slice), undefined)
    for (const slice of now) changes.set(placeOf(slice), slice)
    if (now.length === 0) made.delete(service)
    else made.set(service, now)
  }
  held.slices = withChanges(held.slices, changes, placeOf)
}

/** Sorts by namespace and name: a blank comes before all that either may have. */
const placeOf = ({ namespace, name }: WantedSlice): string => `${namespace} ${name}`

/** Services of which any cluster has other slices than before. */
const servicesMoved = (before: SlicesIn, now: SlicesIn): readonly string[] =>
  [...new Set([...before.keys(), ...now.keys()])].flatMap((cluster) => {
    const [was = {}, is = {}] = [before.get(cluster), now.get(cluster)]
    if (was === is) return []
    return [...new Set([...Object.keys(was), ...Object.keys(is)])].filter((service) => was[service] !== is[service])
  })
