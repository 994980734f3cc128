/** Random clusters: few names and ports, so that what can collide does. */
import fc from 'fast-check'
import type { GlobalTrafficPolicy } from '../../api/global-traffic-policy.ts'
import type { McsExport } from '../../api/mcs.ts'
import { MCS_GROUP, MCS_VERSION } from '../../api/names.ts'
import { LOAD_BALANCERS, type ServiceExport } from '../../api/service-export.ts'
import { DOORS, type ServiceImport } from '../../api/service-import.ts'
import { compile } from '../../compiler/compile.ts'
import type { Snapshot } from '../../compiler/snapshot.ts'
import * as build from './build.ts'

const key = fc.constantFrom('shop/web', 'shop/api', 'other/web', 'other/db')
const cluster = fc.constantFrom('west', 'east', 'north', 'south')
const port = fc.constantFrom(80, 8080, 5432)
const appProtocol = fc.constantFrom(undefined, 'http', 'kubernetes.io/h2c', 'tcp')
const created = fc.constantFrom(undefined, '2026-01-01T00:00:00Z', '2026-01-02T00:00:00Z', '2026-01-03T00:00:00Z')
const path = fc.constantFrom('/', '/a', '/a/b', '/a/', '/b', '/a//b', 'x')
const weight = fc.constantFrom(undefined, 0, 1, 50, 100, 333)

const dated = (at: string | undefined) => (at === undefined ? {} : { creationTimestamp: at })
const optional = <T>(name: string, value: T | undefined) => (value === undefined ? {} : { [name]: value })

const service = fc
  .record({
    key,
    kind: fc.constantFrom('plain', 'headless', 'name'),
    ports: fc.uniqueArray(fc.record({ port, appProtocol }), { selector: (each) => each.port, minLength: 1 }),
  })
  .map(({ key, kind, ports }) =>
    build.service(key, {
      ...(kind === 'name' ? { type: 'ExternalName' } : {}),
      clusterIP: kind === 'plain' ? '10.43.0.7' : 'None',
      ports: ports.map((each) => ({
        name: `p${each.port}`,
        port: each.port,
        ...optional('appProtocol', each.appProtocol),
      })),
    }),
  )

const slice = fc
  .record({ key, addresses: fc.subarray(['10.0.0.1', '10.0.0.2', '!10.0.0.3']), port })
  .map(({ key, addresses, port }) => build.pods(key, addresses, port + 1, { name: `p${port}` }))

const exporter = fc
  .record({
    cluster,
    host: fc.constantFrom('192.0.2.1', '192.0.2.2', 'gw.example'),
    path: fc.constantFrom('', '/', '/x', '/y/z/'),
  })
  .map((each) => ({ ...each, port: 80 }))

const imported: fc.Arbitrary<ServiceImport> = fc
  .record({
    key,
    created,
    exporters: fc.array(exporter, { maxLength: 5 }),
    ports: fc.uniqueArray(fc.record({ port, appProtocol }), { selector: (each) => each.port }),
    ip: fc.constantFrom(undefined, '240.240.0.1', '240.240.0.2', '240.240.255.255', '10.0.0.1', 'x'),
    sessionSticky: fc.constantFrom(undefined, false, true),
  })
  .map(({ key, created, exporters, ports, ip, sessionSticky }) => {
    const known = ports.map((each) => ({ port: each.port, ...optional('appProtocol', each.appProtocol) }))
    const object = build.serviceImport(key, exporters, known, dated(created))
    const ips = ip === undefined ? {} : { ips: [ip] }
    return { ...object, spec: { ...object.spec, ...ips, ...optional('sessionSticky', sessionSticky) } }
  })

const policy: fc.Arbitrary<GlobalTrafficPolicy> = fc
  .record({
    key,
    lbType: fc.constantFrom('Locality' as const, 'FailOver' as const, 'ActiveActive' as const),
    targets: fc.option(
      fc.array(fc.record({ cluster, weight, priority: fc.constantFrom(undefined, 0, 1, 9) }), { maxLength: 5 }),
      { nil: undefined },
    ),
  })
  .map(({ key, lbType, targets }) =>
    build.policy(
      key,
      lbType,
      targets?.map((each) => ({
        cluster: each.cluster,
        ...optional('weight', each.weight),
        ...optional('priority', each.priority),
      })),
    ),
  )

const exported: fc.Arbitrary<ServiceExport> = fc
  .record({
    key,
    created,
    rules: fc.option(
      fc.array(fc.record({ portNumber: port, path, pathType: fc.constantFrom('Prefix' as const, 'Exact' as const) }), {
        maxLength: 3,
      }),
      { nil: undefined },
    ),
    pathRewrite: fc.constantFrom(
      undefined,
      { from: '^/a/?', to: '/' },
      { from: '(', to: '/' },
      { from: 'a', to: '\\1' },
    ),
    loadBalancer: fc.constantFrom(undefined, ...LOAD_BALANCERS),
    sessionSticky: fc.constantFrom(undefined, false, true),
    allowedClients: fc.constantFrom(
      undefined,
      undefined,
      [],
      [{}],
      [{ clusters: ['east', 'n*'] }, { namespaces: ['shop'], serviceAccounts: ['*'] }],
      [{ clusters: ['*'], namespaces: ['a.b|c', '(', '\\'] }],
    ),
    rateLimit: fc.constantFrom(undefined, { requests: 1 }, { requests: 1_000_000, per: 'Hour' as const }),
  })
  .map(({ key, created, rules, pathRewrite, loadBalancer, sessionSticky, allowedClients, rateLimit }) =>
    build.serviceExport(
      key,
      {
        ...optional('rules', rules),
        ...optional('pathRewrite', pathRewrite),
        ...optional('loadBalancer', loadBalancer),
        ...optional('sessionSticky', sessionSticky),
        ...optional('allowedClients', allowedClients),
        ...optional('rateLimit', rateLimit),
      },
      dated(created),
    ),
  )

const once = <T extends { readonly metadata: { readonly namespace?: string; readonly name: string } }>(
  arbitrary: fc.Arbitrary<T>,
) => fc.uniqueArray(arbitrary, { selector: ({ metadata }) => `${metadata.namespace}/${metadata.name}`, maxLength: 4 })

export const snapshots: fc.Arbitrary<Snapshot> = fc
  .record({
    namespaces: fc
      .tuple(fc.constantFrom(undefined, 'shop/*', 'other/web'), fc.boolean())
      .map(([scope, second]) => [
        build.namespace('shop', scope === undefined ? undefined : { 'flomesh.io/imports': scope }),
        ...(second ? [build.namespace('other')] : []),
      ]),
    services: once(service),
    endpointSlices: once(slice),
    imports: once(imported),
    exports: once(exported),
    policies: once(policy),
    trust: fc.constantFrom(undefined, build.trustIn('west', 'east', 'north')),
    egressNamespace: fc.constantFrom(undefined, 'portolan-system'),
  })
  .map(({ trust, egressNamespace, ...parts }) =>
    build.snapshot({
      ...parts,
      mesh: { ...build.mesh, ...optional('egressNamespace', egressNamespace) },
      ...optional('trust', trust),
    }),
  )

const word = fc.constantFrom(undefined, 'true', 'TRUE', 'false', 'perhaps', '')
const annotations = fc
  .record({ global: word, shared: word, affinity: fc.constantFrom(undefined, 'none', 'Local', 'remote', 'nearest') })
  .map(({ global, shared, affinity }) => ({
    ...optional('service.cilium.io/global', global),
    ...optional('service.cilium.io/shared', shared),
    ...optional('service.cilium.io/affinity', affinity),
  }))

const standardExport = (key: string): McsExport => {
  const { kind, metadata } = build.serviceExport(key)
  return { apiVersion: `${MCS_GROUP}/${MCS_VERSION}`, kind, metadata }
}

/** Services that clusters offer by all three doors. */
export const offered: fc.Arbitrary<Snapshot> = fc
  .record({
    snapshot: snapshots,
    globalServices: fc.boolean(),
    doors: fc.array(fc.subarray([...DOORS], { minLength: 1 }), { minLength: 4, maxLength: 4 }),
    said: fc.array(annotations, { minLength: 4, maxLength: 4 }),
    ready: fc.array(fc.constantFrom(undefined, 0, 1, 2, 30), { minLength: 5, maxLength: 5 }),
    standards: fc.subarray(['shop/web', 'shop/api', 'other/web', 'other/db']),
  })
  .map(({ snapshot, globalServices, doors, said, ready, standards }) => ({
    ...snapshot,
    globalServices,
    mcsExports: standards.map(standardExport),
    services: snapshot.services.map((each, index) => ({
      ...each,
      metadata: { ...each.metadata, annotations: said[index] ?? {} },
    })),
    imports: snapshot.imports.map((each, index) => ({
      ...each,
      spec: {
        ...each.spec,
        ...optional('doors', doors[index]),
        ports: each.spec.ports.map((port) => ({
          ...port,
          endpoints: port.endpoints?.map((endpoint, e) => ({ ...endpoint, ...optional('backends', ready[e]) })) ?? [],
        })),
      },
    })),
  }))

/** A snapshot, and what was served before, of which the snapshot may know everything, something or nothing. */
export const afterServing: fc.Arbitrary<Snapshot & Required<Pick<Snapshot, 'served'>>> = fc
  .tuple(snapshots, snapshots)
  .map(([before, now]) => ({
    ...now,
    served: compile(before).gateway.routes.map((route) => ({ ...route, until: '2026-01-01T00:00:30Z' })),
  }))

/** A snapshot and the same in another order. */
export const permuted: fc.Arbitrary<readonly [Snapshot, Snapshot]> = snapshots.chain((snapshot) => {
  const shuffled = <T>(items: readonly T[]) =>
    fc.shuffledSubarray([...items], { minLength: items.length, maxLength: items.length })
  return fc
    .record({
      namespaces: shuffled(snapshot.namespaces),
      services: shuffled(snapshot.services),
      endpointSlices: shuffled(snapshot.endpointSlices),
      imports: shuffled(
        snapshot.imports.map((each) => ({
          ...each,
          spec: {
            ...each.spec,
            ports: each.spec.ports.map((p) => ({ ...p, endpoints: [...(p.endpoints ?? [])].reverse() })).reverse(),
          },
        })),
      ),
      exports: shuffled(snapshot.exports),
      policies: shuffled(snapshot.policies),
    })
    .map((parts) => [snapshot, { ...snapshot, ...parts }] as const)
})
