import { perObject } from '../../compiler/memo.ts'
import type { Backends, Member } from '../constituent.ts'
import { readyByPort, type SourceSlice, type SourceSlices } from '../slices.ts'
import { type Declared, servicesIn } from './declared.ts'
import type { ObservedSlice } from './observed-slices.ts'
import { asBefore, sameFields } from './same.ts'

/** What a member exports, bare of all that merging does not look at. What is empty is left out, but for the first two. */
export interface View extends Pick<Member, 'exports' | 'services' | 'mcsExports' | 'backends'> {
  /** Whether Cilium's own cluster mesh is there. */
  readonly clusterMesh?: true
  readonly slices?: SourceSlices
}

/** Services, as ns/name, whose endpoints somebody has to know. */
export interface Asked {
  /** How many are ready. */
  readonly backends: ReadonlySet<string>
  /** All that is known of them. */
  readonly slices: ReadonlySet<string>
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
