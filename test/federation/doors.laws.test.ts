/** What holds for services that are offered in whatever ways, several at once among them. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { applyDefaults } from '../../api/defaults.ts'
import { globalService } from '../../api/global-service.ts'
import { MCS_GROUP } from '../../api/names.ts'
import type { ServiceExport } from '../../api/service-export.ts'
import { DOORS, type ServiceImport } from '../../api/service-import.ts'
import type { ObjectStatus } from '../../compiler/tables.ts'
import { type Federation, merge } from '../../federation/merge.ts'
import type { ExportVerdict } from '../../federation/merge-service.ts'
import { validateObject } from '../../webhook/validate.ts'
import { mixed, permutedMixed } from './mixed.ts'
import { OBSERVER, type World } from './worlds.ts'

const law = <T>(name: string, arbitrary: fc.Arbitrary<T>, holds: (value: T) => void): void =>
  test(name, () => fc.assert(fc.property(arbitrary, holds), { numRuns: 300 }))

const merged = ({ members, clusters }: World): Federation => merge(members, clusters)
const text = (federation: Federation): string => JSON.stringify(federation)
const keyOf = ({ metadata }: { readonly metadata: ServiceImport['metadata'] }) =>
  `${metadata.namespace}/${metadata.name}`
const serviceOf = ({ status: { object } }: ExportVerdict) => `${object.namespace}/${object.name}`
const find = (status: ObjectStatus | undefined, type: string) => status?.conditions.find((each) => each.type === type)
const inConflict = (federation: Federation): readonly string[] =>
  federation.exports
    .filter(({ status }) => find(status, 'Conflict')?.status === 'True')
    .map((each) => `${each.clusterKey} ${serviceOf(each)}`)
const OURS = ['ServiceExport'] as const
const lastTransitionTime = '2026-03-01T00:00:00Z'

describe('merging services of any door', () => {
  law('the order of anything changes no byte', permutedMixed, ([one, other]) => {
    expect(text(merged(structuredClone(other)))).toBe(text(merged(one)))
  })

  law('what it has written, and what the API server fills in, changes no byte', mixed, (world) => {
    const before = merged(world)
    const conditionsIn = (cluster: string, service: string, of: 'status' | 'standard') =>
      (
        before.exports.find((each) => each.cluster === cluster && serviceOf(each) === service)?.[of]?.conditions ?? []
      ).map((each) => ({ ...each, lastTransitionTime }))
    const members = world.members.map((member) => ({
      ...member,
      exports: member.exports.map(
        (object): ServiceExport => ({
          ...applyDefaults(object),
          status: { conditions: conditionsIn(member.cluster, keyOf(object), 'status') },
        }),
      ),
      mcsExports: (member.mcsExports ?? []).map((object) => ({
        ...object,
        status: { conditions: conditionsIn(member.cluster, keyOf(object), 'standard') },
      })),
      services: member.services.map((object) => ({
        ...object,
        spec: {
          ...object.spec,
          sessionAffinity: object.spec.sessionAffinity ?? ('None' as const),
          internalTrafficPolicy: object.spec.internalTrafficPolicy ?? ('Cluster' as const),
        },
      })),
    }))
    expect(text(merge(members, world.clusters.map(applyDefaults)))).toBe(text(before))
  })

  law('what is known from before changes no byte', fc.tuple(mixed, mixed), ([one, other]) => {
    const members = one.members.map((member) => {
      const instead = other.members.find(({ cluster }) => cluster === member.cluster)
      const { backends, services = member.services, globalServices } = instead ?? {}
      return { ...member, services, ...(backends ? { backends } : {}), ...(globalServices ? { globalServices } : {}) }
    })
    merged(one)
    expect(text(merge(members, other.clusters))).toBe(text(merge(structuredClone(members), other.clusters)))
  })

  law('admission takes every import as it is', mixed, (world) => {
    for (const each of merged(world).members.flatMap(({ imports }) => imports)) {
      expect(validateObject(each)).toEqual([])
      expect(applyDefaults(each)).toEqual(each)
    }
  })
})

describe('an import', () => {
  law('is the same answer for every member', mixed, (world) => {
    const answers = new Map<string, unknown>()
    for (const each of merged(world).members.flatMap(({ imports }) => imports)) {
      const { ports, standard, ...spec } = each.spec
      const { clusters: _, ...properties } = standard ?? {}
      const answer = { ...spec, isStandard: standard !== undefined, properties }
      expect(answer).toEqual(answers.get(keyOf(each)) ?? answer)
      answers.set(keyOf(each), answer)
      for (const { endpoints: _, ...port } of ports) {
        const key = `${keyOf(each)} ${port.port}/${port.protocol}`
        expect(port).toEqual(answers.get(key) ?? port)
        answers.set(key, port)
      }
    }
  })

  law('says through which doors, and is the standard’s when one is', mixed, (world) => {
    const { exports, members } = merged(world)
    for (const { imports } of members)
      for (const each of imports) {
        const { doors = OURS, standard, type } = each.spec
        const offered = exports.filter(
          (said) => serviceOf(said) === keyOf(each) && find(said.status, 'Conflict') !== undefined,
        )
        const union = new Set(offered.flatMap((said) => said.doors ?? OURS))
        expect(doors).toEqual(DOORS.filter((door) => union.has(door)))
        expect(standard !== undefined).toBe(doors.includes('MCS'))
        if (type === 'Headless') expect(doors).toContain('MCS')
      }
  })

  law('of the standard is in every cluster that exports it, and names all that do', mixed, (world) => {
    const { exports, members } = merged(world)
    for (const said of exports.filter(({ standard }) => find(standard, 'Conflict') !== undefined)) {
      const own = members.find(({ cluster }) => cluster === said.cluster)?.imports ?? []
      const imported = own.find((each) => keyOf(each) === serviceOf(said))
      expect(imported?.spec.standard?.clusters).toContain(said.cluster)
      expect(
        imported?.spec.ports.flatMap(({ endpoints = [] }) => endpoints.map((each) => each.clusterKey)),
      ).not.toContain(said.clusterKey)
    }
  })

  law('of what is shared by annotation alone is where the own Service is, too', mixed, (world) => {
    for (const { cluster, imports } of merged(world).members)
      for (const each of imports) {
        if (each.spec.doors?.join() !== 'GlobalService') continue
        const member = world.members.find((known) => known.cluster === cluster)
        const own = member?.services.find((service) => keyOf(service) === keyOf(each))
        expect(member?.globalServices && own && globalService(own)?.global).toBe(true)
      }
  })

  law('leads to the same places, whether ours or the standard offers it', mixed, (world) => {
    const tcp = world.members.map((member) => ({
      cluster: member.cluster,
      services: member.services.map((service) => ({
        ...service,
        spec: {
          ...service.spec,
          ports: (service.spec.ports ?? []).filter(({ protocol = 'TCP' }) => protocol === 'TCP'),
        },
      })),
    }))
    const mcsOf = (cluster: string) => world.members.find((each) => each.cluster === cluster)?.mcsExports ?? []
    const standard = tcp.map((each) => ({ ...each, exports: [], mcsExports: mcsOf(each.cluster) }))
    const ours = tcp.map((each) => ({
      ...each,
      exports: mcsOf(each.cluster).map(
        ({ metadata }): ServiceExport => ({
          apiVersion: 'flomesh.io/v1alpha1',
          kind: 'ServiceExport',
          metadata,
          spec: {},
        }),
      ),
    }))
    const placesIn = (federation: Federation) =>
      federation.members
        .find(({ cluster }) => cluster === OBSERVER.metadata.name)
        ?.imports.flatMap((each) =>
          each.spec.ports.map(({ name, port, endpoints }) => ({ service: keyOf(each), name, port, endpoints })),
        )
    expect(placesIn(merge(standard, world.clusters))).toEqual(placesIn(merge(ours, world.clusters)))
  })
})

describe('conflicts', () => {
  law('are told to every constituent in the same words, by whatever object', mixed, (world) => {
    const told = new Map<string, string>()
    for (const each of merged(world).exports)
      for (const status of [each.status, each.standard]) {
        const message = find(status, 'Conflict')?.message
        if (message === undefined) continue
        expect(message).toBe(told.get(serviceOf(each)) ?? message)
        told.set(serviceOf(each), message)
      }
  })

  law('the standard’s object is told in the standard’s words, and of all at once', mixed, (world) => {
    for (const { standard } of merged(world).exports) {
      if (standard === undefined) continue
      expect(standard.object.group).toBe(MCS_GROUP)
      const conflict = find(standard, 'Conflict')
      for (const reason of conflict?.reason.split(',') ?? [])
        expect(reason).toMatch(conflict?.status === 'True' ? /Conflict$/ : /^NoConflicts$/)
    }
  })

  law('are gone when only one exporter is left', mixed, (world) => {
    for (const { metadata } of world.clusters) {
      const alone = world.members.filter(({ cluster }) => cluster === metadata.name)
      expect(inConflict(merge(alone, world.clusters))).toEqual([])
    }
  })

  law('are gone when the others come to offer what one of them does', mixed, (world) => {
    for (const { cluster: _, ...offered } of world.members) {
      const members = world.members.map(({ cluster }) => ({ cluster, ...offered }))
      expect(inConflict(merge(members, world.clusters))).toEqual([])
    }
  })

  law('do not come from taking exports back', fc.tuple(mixed, fc.nat()), ([world, pick]) => {
    const before = inConflict(merged(world))
    const { cluster } = world.members[pick % world.members.length] ?? {}
    const members = world.members.map((each) =>
      each.cluster === cluster ? { ...each, exports: [], mcsExports: [], globalServices: false } : each,
    )
    for (const each of inConflict(merge(members, world.clusters))) expect(before).toContain(each)
  })
})
