/** What is worked out bit by bit, as things change, is byte for byte what is worked out from nothing. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Service } from '../../api/core.ts'
import type { KubeObject } from '../../api/meta.ts'
import { FIELD_MANAGER } from '../../api/names.ts'
import { keyOf } from '../../compiler/keys.ts'
import { perObject } from '../../compiler/memo.ts'
import { createCarrying } from '../../federation/carrying.ts'
import type { Member } from '../../federation/constituent.ts'
import { type Declared, declaredOf } from '../../federation/controller/declared.ts'
import { createHolders } from '../../federation/controller/holders.ts'
import { observeImport, observeNamespace } from '../../federation/controller/observed.ts'
import { createStatuses, type Peer } from '../../federation/controller/statuses.ts'
import { changedKeys, listDifference } from '../../federation/differences.ts'
import { merge } from '../../federation/merge.ts'
import { createMerging, type Merged } from '../../federation/merging.ts'
import { sitesOf } from '../../federation/site.ts'
import { type SourceSlice, wantedSlices } from '../../federation/slices.ts'
import { withChanges } from '../../federation/sorted-list.ts'
import * as build from '../compiler/build.ts'
import { mixed } from './mixed.ts'
import { cluster, type World } from './worlds.ts'

const law = <T>(name: string, arbitrary: fc.Arbitrary<T>, holds: (value: T) => void): void =>
  test(name, () => fc.assert(fc.property(arbitrary, holds), { numRuns: 300 }))

const NAMES = ['north', 'east', 'south', 'west']
const step = fc.record({
  world: mixed,
  changed: fc.oneof(fc.constant<readonly string[]>([]), fc.subarray(NAMES)),
  moves: fc.constantFrom(false, false, false, true),
})

/** Worlds each of which is the one before but for some members, or for its clusters; all else is the very same. */
const histories: fc.Arbitrary<readonly World[]> = fc.array(step, { minLength: 2, maxLength: 5 }).map((steps) => {
  const worlds: World[] = []
  for (const { world, changed, moves } of steps) {
    const before = worlds.at(-1)
    if (before === undefined) worlds.push(world)
    else {
      const isChanged = ({ cluster }: World['members'][number]) => changed.includes(cluster)
      worlds.push({
        members: [...before.members.filter((member) => !isChanged(member)), ...world.members.filter(isChanged)],
        clusters: moves ? world.clusters : before.clusters,
      })
    }
  }
  return worlds
})

describe('merging', () => {
  law('comes to the same whatever was merged before', histories, (worlds) => {
    const merging = createMerging()
    for (const { members, clusters } of worlds) {
      const merged = merging(members, clusters)
      const whole = merge(structuredClone(members), clusters)
      const exports = merged.services.flatMap((service) => service.exports)
      expect(JSON.stringify({ members: merged.members, exports })).toBe(JSON.stringify(whole))
      expect(merged.services.map(({ service }) => service)).toEqual(
        [...new Set(merged.services.map(({ service }) => service))].sort(),
      )
    }
  })

  law('leaves what has not changed the very same value', histories, ([world]) => {
    const { members = [], clusters = [] } = world ?? {}
    const merging = createMerging()
    const before = merging(members, clusters)
    const after = merging(
      members.map((member) => ({ ...member })),
      structuredClone(clusters),
    )
    expect(after.services).toBe(before.services)
    for (const [index, { imports }] of after.members.entries()) expect(imports).toBe(before.members[index]?.imports)
  })
})

test('who shares a Service of its own from now on imports what others share, be it none of its own', () => {
  const annotated = (annotations: Readonly<Record<string, string>>): Service => {
    const service = build.service('shop/web', { ports: [{ name: 'http', port: 80 }] })
    return { ...service, metadata: { ...service.metadata, annotations } }
  }
  const member = (cluster: string, annotations: Readonly<Record<string, string>>): Member => ({
    cluster,
    exports: [],
    services: [annotated(annotations)],
    globalServices: true,
  })
  const clusters = [cluster('east'), cluster('west')]
  const east = member('east', { 'service.cilium.io/global': 'true' })
  const merging = createMerging()
  const importsOfWest = (annotations: Readonly<Record<string, string>>) =>
    merging([east, member('west', annotations)], clusters).members.map(({ imports }) => imports.map(keyOf))[1]

  expect(importsOfWest({})).toEqual([])
  expect(importsOfWest({ 'service.cilium.io/global': 'true', 'service.cilium.io/shared': 'false' })).toEqual([
    'shop/web',
  ])
  expect(importsOfWest({})).toEqual([])
})

const held = perObject((object: Parameters<typeof observeImport>[0]) =>
  observeImport({
    ...object,
    metadata: {
      ...object.metadata,
      managedFields: [{ manager: FIELD_MANAGER.federation, operation: 'Apply', time: '2026-01-01T00:00:00Z' }],
    },
  } as typeof object),
)

const mapOf = <T extends KubeObject>(objects: readonly T[]): ReadonlyMap<string, T> =>
  new Map(objects.map((object) => [keyOf(object), object]))

/** What a member holds of what it should, as far as a number tells. */
const importsHeld = ({ members }: Merged, cluster: string, chance: number) =>
  new Map(
    (members.find((member) => member.cluster === cluster)?.imports ?? [])
      .filter((_, index) => (chance >> index) & 1)
      .map((each) => [keyOf(each), held(each)]),
  )

const ALL = [...NAMES, 'observer']
const state = fc.record({
  known: fc.constantFrom(true, true, true, false),
  chance: fc.constantFrom(15, 15, 15, 0, 5, 10),
  shop: fc.boolean(),
  said: fc.constantFrom(ALL, [], ['east', 'observer']),
})
type State = typeof state extends fc.Arbitrary<infer T> ? T : never

/** How each member is, step by step: most are as they were. */
const states: fc.Arbitrary<readonly (readonly State[])[]> = fc
  .tuple(
    fc.array(state, { minLength: 5, maxLength: 5 }),
    fc.array(
      fc.array(fc.oneof({ weight: 4, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: state }), {
        minLength: 5,
        maxLength: 5,
      }),
      {
        minLength: 4,
        maxLength: 4,
      },
    ),
  )
  .map(([first, changes]) => {
    const all: (readonly State[])[] = [first]
    for (const change of changes) all.push((all.at(-1) ?? []).map((before, index) => change[index] ?? before))
    return all
  })
/** What an export's status said before: by whom it is imported. */
const statusOf = (names: readonly string[]) => ({
  clusters: names.map((name) => ({ cluster: build.clusterKey(name) })),
})
const SHOP = new Map([['shop', observeNamespace(build.namespace('shop'))]])
const NOWHERE = new Map<string, never>()

describe('statuses', () => {
  law('come to the same whatever was said before', fc.tuple(histories, states), ([worlds, all]) => {
    const holders = createHolders()
    const statuses = createStatuses(holders, () => undefined, 0)
    const merging = createMerging()
    for (const [step, { members, clusters }] of worlds.entries()) {
      const merged = merging(members, clusters)
      const sites = sitesOf(clusters)
      const stateOf = (index: number) => all[step]?.[index] as State
      const peers = sites.map(
        ({ name, clusterKey }, index): Peer => ({ name, clusterKey, known: stateOf(index).known }),
      )
      const imports = new Map(
        sites.map(({ name }, index) => [
          name,
          stateOf(index).known ? importsHeld(merged, name, stateOf(index).chance) : undefined,
        ]),
      )
      const there = new Map(
        sites.flatMap(({ name }, index) => {
          const { exports = [], mcsExports = [] } = members.find(({ cluster }) => cluster === name) ?? {}
          const seen = {
            exports: mapOf(exports.map((object) => ({ ...object, status: statusOf(stateOf(index).said) }))),
            mcsExports: mapOf(mcsExports),
            namespaces: stateOf(index).shop ? SHOP : NOWHERE,
          }
          return stateOf(index).known ? [[name, seen] as const] : []
        }),
      )
      const fresh = createHolders()
      for (const name of new Set([...imports.keys(), ...NAMES])) {
        holders.update(name, imports.get(name))
        fresh.update(name, imports.get(name))
      }
      const whole = createStatuses(fresh, () => undefined, 0)(merged.services, peers, there)
      expect(JSON.stringify([...statuses(merged.services, peers, there)])).toBe(JSON.stringify([...whole]))
    }
  })
})

describe('endpoints for others', () => {
  const sliceOf = (address: number): SourceSlice => ({
    name: 'pods',
    content: { addressType: 'IPv4', endpoints: [{ addresses: [`10.0.0.${address}`] }], ports: [] },
  })
  const slices = [1, 2].map(sliceOf)
  const found = fc.dictionary(
    fc.constantFrom('shop/web', 'shop/api'),
    fc.subarray(slices, { maxLength: 1 }).map((some): readonly SourceSlice[] => some),
  )
  const sources = fc.tuple(found, found).map(
    ([north, east]) =>
      new Map([
        ['north', north],
        ['east', east],
      ]),
  )

  law(
    'come to the same whatever was carried before',
    fc.tuple(histories, fc.array(sources, { minLength: 5, maxLength: 5 })),
    ([worlds, all]) => {
      const [merging, carrying] = [createMerging(), createCarrying()]
      for (const [step, world] of worlds.entries()) {
        const { members } = merging(world.members, world.clusters)
        const slicesIn = all[step] ?? new Map()
        const whole = members.map(({ cluster, imports }) => [
          cluster,
          wantedSlices(imports, (name) => slicesIn.get(name)),
        ])
        const carried = carrying(members, slicesIn)
        expect(JSON.stringify(members.map(({ cluster }) => [cluster, carried.get(cluster)]))).toBe(
          JSON.stringify(whole),
        )
      }
    },
  )
})

describe('what a member declares', () => {
  const shown = mixed.map(({ members: [member] }) => ({
    exports: mapOf(member?.exports ?? []),
    services: mapOf(member?.services ?? []),
    mcsExports: mapOf(member?.mcsExports ?? []),
  }))

  law('comes to the same whatever it was made of before', fc.array(shown, { minLength: 2, maxLength: 5 }), (all) => {
    let before: Declared | undefined
    let made: (typeof all)[number] | undefined
    for (const now of all) {
      const declared = declaredOf(now, before, made)
      expect(JSON.stringify(declared)).toBe(JSON.stringify(declaredOf(now, undefined)))
      expect(declaredOf({ ...now, exports: new Map(now.exports) }, declared, now)).toBe(declared)
      before = declared
      made = now
    }
  })
})

describe('differences', () => {
  const lists = fc.uniqueArray(fc.nat({ max: 12 }))

  law('of lists are what is in one of them only', fc.tuple(lists, lists), ([before, now]) => {
    const { gone, come } = listDifference(before, now)
    expect(gone).toEqual(before.filter((item) => !now.includes(item)))
    expect(come).toEqual(now.filter((item) => !before.includes(item)))
  })

  const maps = fc
    .dictionary(fc.constantFrom('a', 'b', 'c', 'd'), fc.nat({ max: 2 }))
    .map((all) => new Map(Object.entries(all)))

  law('of maps are the keys under which they differ', fc.tuple(maps, maps), ([before, now]) => {
    const keys = new Set([...before.keys(), ...now.keys()])
    expect([...changedKeys(before, now)].sort()).toEqual(
      [...keys].filter((key) => before.get(key) !== now.get(key)).sort(),
    )
  })

  const changes = fc.dictionary(
    fc.constantFrom('a', 'b', 'c', 'd', 'e'),
    fc.option(fc.nat({ max: 2 }), { nil: undefined }),
  )

  law('put into a sorted list leave it sorted', fc.tuple(maps, changes), ([all, change]) => {
    const list = [...all].sort()
    const entries = Object.entries(change)
    const after = withChanges(
      list,
      new Map(
        entries.map(([key, value]) => [key, value === undefined ? undefined : ([key, value] as [string, number])]),
      ),
      ([key]) => key,
    )
    const expected = new Map<string, number | undefined>([...all, ...entries])
    expect(after).toEqual([...expected].filter(([, value]) => value !== undefined).sort())
    expect(list).toEqual([...all].sort())
  })
})
