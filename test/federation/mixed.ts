/** Random clustersets whose members offer services in all ways there are, often in several at once. */
import fc from 'fast-check'
import type { Service } from '../../api/core.ts'
import type { McsExport } from '../../api/mcs.ts'
import { MCS_GROUP } from '../../api/names.ts'
import type { Member } from '../../federation/constituent.ts'
import * as build from '../compiler/build.ts'
import { type World, worlds } from './worlds.ts'

const words = fc.constantFrom(undefined, { a: '1' }, { a: '2', b: '1' })
const optional = <T>(name: string, value: T | undefined) => (value === undefined ? {} : { [name]: value })

const standard: fc.Arbitrary<McsExport> = fc
  .record({
    name: fc.constantFrom('web', 'api'),
    version: fc.constantFrom('v1alpha1', 'v1beta1'),
    created: fc.constantFrom(undefined, '2026-01-01T00:00:00Z', '2026-01-02T00:00:00Z'),
    deleted: fc.constantFrom(undefined, undefined, undefined, '2026-01-09T00:00:00Z'),
    labels: words,
    annotations: words,
  })
  .map(({ name, version, created, deleted, labels, annotations }) => ({
    apiVersion: `${MCS_GROUP}/${version}`,
    kind: 'ServiceExport',
    metadata: {
      namespace: 'shop',
      name,
      ...optional('creationTimestamp', created),
      ...optional('deletionTimestamp', deleted),
    },
    spec: { ...optional('exportedLabels', labels), ...optional('exportedAnnotations', annotations) },
  }))

/** What a Service says beside its ports. */
const saying = fc.record({
  global: fc.constantFrom(undefined, 'true', 'false', 'rubbish'),
  shared: fc.constantFrom(undefined, undefined, 'false'),
  sessionAffinity: fc.constantFrom(undefined, 'None' as const, 'ClientIP' as const),
  timeoutSeconds: fc.constantFrom(undefined, 10),
  internalTrafficPolicy: fc.constantFrom(undefined, 'Cluster' as const, 'Local' as const),
  trafficDistribution: fc.constantFrom(undefined, undefined, 'PreferClose', 'PreferSameZone'),
  ipFamilies: fc.constantFrom(undefined, ['IPv4'], ['IPv6'], ['IPv4', 'IPv6']),
})
type Saying = typeof saying extends fc.Arbitrary<infer T> ? T : never

const says = (service: Service, { global, shared, timeoutSeconds, ...spec }: Saying): Service => ({
  ...service,
  metadata: {
    ...service.metadata,
    annotations: { ...optional('service.cilium.io/global', global), ...optional('service.cilium.io/shared', shared) },
  },
  spec: {
    ...service.spec,
    ...Object.fromEntries(Object.entries(spec).filter(([, value]) => value !== undefined)),
    ...(timeoutSeconds === undefined ? {} : { sessionAffinityConfig: { clientIP: { timeoutSeconds } } }),
  },
})

const more = fc.record({
  mcsExports: fc.uniqueArray(standard, { selector: ({ metadata }) => metadata.name, maxLength: 2 }),
  hasOurs: fc.boolean(),
  lacks: fc.constantFrom(false, false, true),
  sayings: fc.tuple(saying, saying),
  globalServices: fc.constantFrom(true, true, false, undefined),
  ready: fc.constantFrom(undefined, { http: 2, web: 0 }),
})

const missing = (exports: readonly McsExport[], services: readonly Service[]): readonly Service[] =>
  exports
    .map(({ metadata }) => metadata.name)
    .filter((name) => services.every(({ metadata }) => metadata.name !== name))
    .map((name) => build.service(`shop/${name}`, { ports: [{ name: 'http', port: 80 }] }))

export const mixed: fc.Arbitrary<World> = fc
  .tuple(worlds, fc.array(more, { minLength: 4, maxLength: 4 }))
  .map(([{ clusters, members }, all]) => ({
    clusters,
    members: members.map((member, index): Member => {
      const { mcsExports = [], hasOurs, lacks, sayings = [], globalServices, ready } = all[index] ?? {}
      return {
        cluster: member.cluster,
        exports: hasOurs ? member.exports : [],
        mcsExports,
        services: [...member.services, ...(lacks ? [] : missing(mcsExports, member.services))].map((service, which) => {
          const saying = sayings[which]
          return saying ? says(service, saying) : service
        }),
        ...optional('globalServices', globalServices),
        ...(ready === undefined ? {} : { backends: { 'shop/web': ready } }),
      }
    }),
  }))

const shuffled = <T>(items: readonly T[]) =>
  fc.shuffledSubarray([...items], { minLength: items.length, maxLength: items.length })

/** A world and the same in another order. */
export const permutedMixed: fc.Arbitrary<readonly [World, World]> = mixed.chain((world) =>
  fc.record({ members: shuffled(world.members), clusters: shuffled(world.clusters) }).map(({ members, clusters }) => [
    world,
    {
      clusters,
      members: members.map((each) => ({
        ...each,
        exports: each.exports.toReversed(),
        mcsExports: (each.mcsExports ?? []).toReversed(),
        services: each.services.toReversed(),
      })),
    },
  ]),
)
