import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { applyDefaults } from '../../api/defaults.ts'
import type { ServiceImport } from '../../api/service-import.ts'
import { compile } from '../../compiler/compile.ts'
import { isStream } from '../../compiler/protocol.ts'
import type { GatewayRoute } from '../../compiler/tables.ts'
import { type Federation, merge } from '../../federation/merge.ts'
import { validateObject } from '../../webhook/validate.ts'
import * as build from '../compiler/build.ts'
import { OBSERVER, permuted, type World, worlds } from './worlds.ts'

const law = <T>(name: string, arbitrary: fc.Arbitrary<T>, holds: (value: T) => void): void =>
  test(name, () => fc.assert(fc.property(arbitrary, holds), { numRuns: 400 }))

const merged = ({ members, clusters }: World): Federation => merge(members, clusters)

const keyOf = ({ metadata }: ServiceImport): string => `${metadata.namespace}/${metadata.name}`
const importsOf = (federation: Federation, cluster: string): readonly ServiceImport[] =>
  federation.members.find((member) => member.cluster === cluster)?.imports ?? []
const conditionOf = ({ status }: Federation['exports'][number], type: string) =>
  status.conditions.find((condition) => condition.type === type)
const inConflict = (federation: Federation): readonly string[] =>
  federation.exports
    .filter((each) => conditionOf(each, 'Conflict')?.status === 'True')
    .map(({ clusterKey, status }) => `${clusterKey} ${status.object.namespace}/${status.object.name}`)

/** What the gateways of the set serve to importers, as each cluster's own compiler sees it. */
/** Where a gateway serves a port: at a path, or without one when it is not HTTP. */
type Place = Pick<GatewayRoute, 'service' | 'port'> & { readonly path: string | undefined }

const served = ({ members, clusters }: World): ReadonlyMap<string, readonly Place[]> =>
  new Map(
    members
      .filter(({ cluster }) => clusters.some(({ metadata }) => metadata.name === cluster))
      .map(({ cluster, exports, services }) => {
        const { routes, tcp } = compile(build.snapshot({ exports, services, trust: build.trustIn('west') })).gateway
        const paths = routes.filter(({ pathType }) => pathType === 'Prefix')
        return [
          cluster,
          [...paths, ...tcp.map((each) => ({ ...each, path: undefined }))].map(({ service, port, path }) => ({
            service,
            port,
            path,
          })),
        ]
      }),
  )

describe('merge', () => {
  law('the order of anything changes no byte', permuted, ([one, other]) => {
    expect(JSON.stringify(merged(structuredClone(other)))).toBe(JSON.stringify(merged(one)))
  })

  law('what it has written, and what the API server fills in, changes no byte', worlds, (world) => {
    const before = merged(world)
    const written = world.members.map((member) => ({
      ...member,
      exports: member.exports.map((object) => {
        const verdict = before.exports.find(
          ({ cluster, status }) =>
            cluster === member.cluster &&
            status.object.namespace === object.metadata.namespace &&
            status.object.name === object.metadata.name,
        )
        const lastTransitionTime = '2026-03-01T00:00:00Z'
        const conditions = (verdict?.status.conditions ?? []).map((each) => ({ ...each, lastTransitionTime }))
        return { ...applyDefaults(object), status: { conditions } }
      }),
    }))
    const after = merge(written, world.clusters.map(applyDefaults))
    expect(JSON.stringify(after)).toBe(JSON.stringify(before))
  })

  law('what is known from before changes no byte', fc.tuple(worlds, worlds), ([one, other]) => {
    // Two worlds made of the same exports and members, so that answers for one are at hand when the other is merged.
    const mixed: World = {
      clusters: other.clusters,
      members: one.members.map((member) => {
        const services = other.members.find(({ cluster }) => cluster === member.cluster)?.services
        return services ? { ...member, services } : member
      }),
    }
    merged(one)
    expect(JSON.stringify(merged(mixed))).toBe(JSON.stringify(merged(structuredClone(mixed))))
  })

  law('it leaves its input as it was', worlds, (world) => {
    const before = structuredClone(world)
    merged(world)
    expect(world).toEqual(before)
  })

  law('admission takes every import as it is', worlds, (world) => {
    for (const each of merged(world).members.flatMap(({ imports }) => imports)) {
      expect(validateObject(each)).toEqual([])
      expect(applyDefaults(each)).toEqual(each)
    }
  })
})

describe('imports', () => {
  law('lead where a gateway of another cluster serves them', worlds, (world) => {
    const gateways = served(world)
    for (const { clusterKey: own, imports } of merged(world).members) {
      for (const each of imports) {
        for (const { port, endpoints = [] } of each.spec.ports) {
          for (const { clusterKey, target } of endpoints) {
            expect(clusterKey).not.toBe(own)
            const name = clusterKey.split('/')[3] ?? ''
            expect(target).toMatchObject({ host: `${name}.example`, port: 80 })
            const match = { service: keyOf(each), port, path: target.path }
            expect(gateways.get(name)).toContainEqual(match)
          }
        }
      }
    }
  })

  law('hold every port that is served for all, unless its name means an older one', worlds, (world) => {
    const open = world.members.map((member) => ({
      ...member,
      exports: member.exports.map(({ spec: { targetClusters: _, ...spec }, ...each }) => ({ ...each, spec })),
    }))
    const federation = merge(open, world.clusters)
    const imports = importsOf(federation, OBSERVER.metadata.name)
    for (const [cluster, routes] of served(world)) {
      for (const { service, port, path } of routes) {
        const ports = imports.find((each) => keyOf(each) === service)?.spec.ports ?? []
        const found = ports.find((each) => each.port === port)
        const there = found?.endpoints?.filter(({ clusterKey }) => clusterKey.endsWith(`/${cluster}`)) ?? []
        if (found && isStream(found) === (path === undefined)) expect(there).toHaveLength(1)
        else if (found) expect(there).toEqual([])
        else {
          const object = world.members
            .find((member) => member.cluster === cluster)
            ?.services.find(({ metadata }) => `${metadata.namespace}/${metadata.name}` === service)
          const name = object?.spec.ports?.find((each) => each.port === port)?.name
          expect(ports.map((each) => each.name)).toContain(name)
        }
      }
    }
  })

  law('have each port number and name once, and endpoints by clusterKey', worlds, (world) => {
    for (const { spec } of merged(world).members.flatMap(({ imports }) => imports)) {
      const numbers = spec.ports.map(({ port }) => port)
      expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b))
      expect(new Set(spec.ports.map(({ name }) => name)).size).toBe(numbers.length)
      for (const { endpoints = [] } of spec.ports) {
        const keys = endpoints.map(({ clusterKey }) => clusterKey)
        expect(keys).toEqual([...new Set(keys)].sort())
        expect(keys.length).toBeGreaterThan(0)
      }
    }
  })

  law('are the same answer for every member', worlds, (world) => {
    const { members } = merged(world)
    for (const one of members) {
      for (const other of members) {
        for (const mine of one.imports) {
          const theirs = other.imports.find((each) => keyOf(each) === keyOf(mine))
          if (theirs === undefined) continue
          expect(theirs.spec.serviceAccountName).toBe(mine.spec.serviceAccountName)
          expect(theirs.spec.sessionSticky).toBe(mine.spec.sessionSticky)
          for (const port of mine.spec.ports) {
            const same = theirs.spec.ports.find((each) => each.port === port.port)
            if (same) expect({ ...same, endpoints: [] }).toEqual({ ...port, endpoints: [] })
            const twin = theirs.spec.ports.find((each) => each.name === port.name)
            if (twin) expect(twin.port).toBe(port.port)
            for (const endpoint of port.endpoints ?? []) {
              const known = same?.endpoints?.find(({ clusterKey }) => clusterKey === endpoint.clusterKey)
              if (known) expect(known).toEqual(endpoint)
            }
          }
        }
      }
    }
  })

  law('reach exactly those that the verdict names', worlds, (world) => {
    const { members, exports } = merged(world)
    for (const { clusterKey, status, importers } of exports) {
      const leadsThere = members.filter(({ imports }) =>
        imports.some(
          (each) =>
            keyOf(each) === `${status.object.namespace}/${status.object.name}` &&
            each.spec.ports.some((port) => port.endpoints?.some((endpoint) => endpoint.clusterKey === clusterKey)),
        ),
      )
      expect(leadsThere.map((member) => member.clusterKey)).toEqual(importers)
    }
  })
})

describe('conflicts', () => {
  law('are told to every constituent in the same words', worlds, (world) => {
    const told = new Map<string, string | undefined>()
    for (const each of merged(world).exports) {
      const { namespace, name } = each.status.object
      const conflict = conditionOf(each, 'Conflict')
      if (conflict === undefined) continue
      const key = `${namespace}/${name}`
      expect(conflict.message).toBe(told.get(key) ?? conflict.message)
      told.set(key, conflict.message)
    }
  })

  law('are gone when only one exporter is left', worlds, (world) => {
    for (const { metadata } of world.clusters) {
      const alone = merge(
        world.members.filter(({ cluster }) => cluster === metadata.name),
        world.clusters,
      )
      expect(inConflict(alone)).toEqual([])
    }
  })

  law('are gone when the others come to export what one of them does', worlds, (world) => {
    for (const { exports, services } of world.members) {
      const members = world.members.map(({ cluster }) => ({ cluster, exports, services }))
      expect(inConflict(merge(members, world.clusters))).toEqual([])
    }
  })

  law(
    'do not come from taking exports back, and are the same again with these',
    fc.tuple(worlds, fc.nat()),
    ([world, pick]) => {
      const before = merged(world)
      const { cluster } = world.members[pick % world.members.length] ?? {}
      const without = world.members.map((each) => (each.cluster === cluster ? { ...each, exports: [] } : each))
      const after = merge(without, world.clusters)
      for (const each of inConflict(after)) expect(inConflict(before)).toContain(each)
      expect(JSON.stringify(merge(structuredClone(world.members), world.clusters))).toBe(JSON.stringify(before))
    },
  )

  law('do not come from a cluster that leaves, nor does a service with it', worlds, (world) => {
    const before = merged(world)
    for (const left of world.clusters) {
      const clusters = world.clusters.filter((each) => each !== left)
      const after = merge(world.members, clusters)
      for (const each of inConflict(after)) expect(inConflict(before)).toContain(each)
      expect(JSON.stringify(after.members)).not.toContain(`/${left.metadata.name}"`)
      // Whatever others export to the observer is still there.
      if (left === OBSERVER) continue
      for (const imported of importsOf(before, OBSERVER.metadata.name)) {
        const others = imported.spec.ports.flatMap(({ endpoints = [] }) =>
          endpoints.filter(({ clusterKey }) => !clusterKey.endsWith(`/${left.metadata.name}`)),
        )
        const still = importsOf(after, OBSERVER.metadata.name).some((each) => keyOf(each) === keyOf(imported))
        if (others.length > 0) expect(still).toBe(true)
      }
    }
  })

  law('never touch the traffic of the oldest', worlds, (world) => {
    const { members, exports } = merged(world)
    const gateways = served(world)
    const age = new Map(
      world.members.flatMap(({ cluster, exports }) =>
        exports.map(({ metadata }) => [
          `${cluster} ${metadata.namespace}/${metadata.name}`,
          `${metadata.creationTimestamp ?? '~'} ${cluster}`,
        ]),
      ),
    )
    for (const { cluster, clusterKey, importers, status } of exports) {
      const service = `${status.object.namespace}/${status.object.name}`
      const rivals = exports
        .filter((each) => each.status.object.name === status.object.name && conditionOf(each, 'Conflict'))
        .map((each) => age.get(`${each.cluster} ${service}`) ?? '')
      if (age.get(`${cluster} ${service}`) !== rivals.sort()[0]) continue
      const ports = [
        ...new Set(
          gateways
            .get(cluster)
            ?.filter((each) => each.service === service)
            .map((r) => r.port),
        ),
      ]
      for (const importer of importers) {
        const imported = members.find((each) => each.clusterKey === importer)?.imports.find((i) => keyOf(i) === service)
        const reached = imported?.spec.ports.filter(({ endpoints }) =>
          endpoints?.some((each) => each.clusterKey === clusterKey),
        )
        expect(reached?.map(({ port }) => port)).toEqual(ports.sort((a, b) => a - b))
      }
    }
  })
})
