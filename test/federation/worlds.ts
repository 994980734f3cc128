/** Random clustersets: few names, ports and moments, so that what can collide does. */
import fc from 'fast-check'
import type { Cluster } from '../../api/cluster.ts'
import { API_VERSION } from '../../api/names.ts'
import type { Member } from '../../federation/constituent.ts'
import * as build from '../compiler/build.ts'

export interface World {
  readonly members: readonly Member[]
  readonly clusters: readonly Cluster[]
}

export const cluster = (name: string, spec: Partial<Cluster['spec']> = {}): Cluster => ({
  apiVersion: API_VERSION,
  kind: 'Cluster',
  metadata: { name },
  spec: { gatewayHost: `${name}.example`, gatewayPort: 80, ...spec },
})

/** Imports everything and exports nothing. */
export const OBSERVER = cluster('observer')

const NAMES = ['north', 'east', 'south', 'west']
const KEYS = ['shop/web', 'shop/api']
const created = fc.constantFrom(undefined, '2026-01-01T00:00:00Z', '2026-01-02T00:00:00Z')
const optional = <T>(name: string, value: T | undefined) => (value === undefined ? {} : { [name]: value })

const port = fc.record({
  name: fc.constantFrom('http', 'web', 'metrics', undefined),
  port: fc.constantFrom(80, 8080, 9090),
  protocol: fc.constantFrom('TCP' as const, 'TCP' as const, 'UDP' as const),
  appProtocol: fc.constantFrom(undefined, undefined, 'http', 'kubernetes.io/h2c', 'tcp'),
})
/** As the API server would take them: names and numbers are unique. */
const ports = fc
  .uniqueArray(port, { selector: ({ port }) => port, minLength: 1, maxLength: 3 })
  .map((all) => all.filter(({ name }, index) => all.findIndex((other) => other.name === name) === index))

const service = fc
  .record({
    key: fc.constantFrom(...KEYS),
    kind: fc.constantFrom('plain', 'plain', 'plain', 'headless', 'name'),
    ports,
  })
  .map(({ key, kind, ports }) =>
    build.service(key, {
      ...(kind === 'name' ? { type: 'ExternalName' } : {}),
      clusterIP: kind === 'plain' ? '10.43.0.7' : 'None',
      ports: ports.map(({ port, protocol, name, appProtocol }) => ({
        port,
        protocol,
        ...optional('name', name),
        ...optional('appProtocol', appProtocol),
      })),
    }),
  )

const rule = fc.record({
  portNumber: fc.constantFrom(80, 8080, 9090),
  path: fc.constantFrom('/', '/a', '/a/b', '/b'),
  pathType: fc.constantFrom('Prefix' as const, 'Prefix' as const, 'Exact' as const),
})

const exported = fc
  .record({
    key: fc.constantFrom(...KEYS),
    created,
    rules: fc.option(fc.uniqueArray(rule, { selector: ({ path }) => path, minLength: 1, maxLength: 3 }), {
      nil: undefined,
    }),
    serviceAccountName: fc.constantFrom(undefined, '*', 'web'),
    sessionSticky: fc.constantFrom(undefined, false, true),
    targetClusters: fc.option(fc.subarray([...NAMES, 'observer'].map(build.clusterKey)), { nil: undefined, freq: 4 }),
    pathRewrite: fc.constantFrom(undefined, undefined, { from: '^/a/?', to: '/' }, { from: '(', to: '/' }),
  })
  .map(({ key, created: creationTimestamp, rules, serviceAccountName, sessionSticky, targetClusters, pathRewrite }) =>
    build.serviceExport(
      key,
      {
        ...optional('rules', rules),
        ...optional('serviceAccountName', serviceAccountName),
        ...optional('sessionSticky', sessionSticky),
        ...optional('targetClusters', targetClusters),
        ...optional('pathRewrite', pathRewrite),
      },
      { ...optional('creationTimestamp', creationTimestamp) },
    ),
  )

const once = <T extends { readonly metadata: { readonly namespace?: string; readonly name: string } }>(
  arbitrary: fc.Arbitrary<T>,
) => fc.uniqueArray(arbitrary, { selector: ({ metadata }) => `${metadata.namespace}/${metadata.name}`, maxLength: 2 })

const member = (name: string) =>
  fc.record({ cluster: fc.constant(name), exports: once(exported), services: once(service) })

/** Some clusters have left and some have not been heard of; the observer is always there. */
export const worlds: fc.Arbitrary<World> = fc
  .record({
    members: fc.tuple(...NAMES.map(member)).chain((all) => fc.subarray(all, { minLength: 2 })),
    clusters: fc.subarray(NAMES, { minLength: 3 }),
    region: fc.constantFrom(undefined, 'eu'),
  })
  .map(({ members, clusters, region }) => ({
    members,
    clusters: [
      ...clusters.map((name, index) => cluster(name, index === 0 ? optional('region', region) : {})),
      OBSERVER,
    ],
  }))

/** A world and the same in another order. */
export const permuted: fc.Arbitrary<readonly [World, World]> = worlds.chain((world) => {
  const shuffled = <T>(items: readonly T[]) =>
    fc.shuffledSubarray([...items], { minLength: items.length, maxLength: items.length })
  return fc
    .record({ members: shuffled(world.members), clusters: shuffled(world.clusters) })
    .map(({ members, clusters }) => [
      world,
      {
        clusters,
        members: members.map((each) => ({
          ...each,
          exports: each.exports.toReversed(),
          services: each.services.toReversed(),
        })),
      },
    ])
})
