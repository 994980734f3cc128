import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { clientsOf } from '../../compiler/clients.ts'
import { compile } from '../../compiler/compile.ts'
import { dnsFiles } from '../../compiler/files.ts'
import { egressCds, egressLds } from '../../compiler/render-egress.ts'
import { gatewayCds, gatewayRds } from '../../compiler/render-gateway.ts'
import { sidecarCds } from '../../compiler/render-sidecar.ts'
import type { Snapshot } from '../../compiler/snapshot.ts'
import type { Tables } from '../../compiler/tables.ts'
import { whereTo } from '../../compiler/where-to.ts'
import { clusterKey } from './build.ts'
import { afterServing, permuted, snapshots } from './worlds.ts'

const law = <T>(name: string, arbitrary: fc.Arbitrary<T>, holds: (value: T) => void): void =>
  test(name, () => fc.assert(fc.property(arbitrary, holds), { numRuns: 300 }))

const bytes = (tables: Tables): string =>
  [
    JSON.stringify(tables),
    ...tables.sidecars.map(sidecarCds),
    gatewayCds(tables.gateway),
    gatewayRds(tables.gateway),
    ...(tables.egress ? [egressCds(tables.egress), egressLds(tables.egress)] : []),
    ...Object.values(dnsFiles(tables, 'portolan-system').files),
  ].join('\n')

/** What a cluster looks like once the addresses have been written to its imports. */
const written = (snapshot: Snapshot, { vips }: Tables): Snapshot => ({
  ...snapshot,
  imports: snapshot.imports.map((each) => {
    const ips =
      vips.find((vip) => vip.namespace === each.metadata.namespace && vip.name === each.metadata.name)?.ips ?? []
    return { ...each, spec: { ...each.spec, ips } }
  }),
})

/** Without any answer that is still known from before. */
const afresh = (snapshot: Snapshot, previous?: Tables): Tables => compile(structuredClone(snapshot), previous)

const routesOf = (tables: Tables) => tables.sidecars.flatMap((table) => table.routes)
const OWN = clusterKey('west')

describe('compile', () => {
  law('the order of objects changes no byte', permuted, ([one, other]) => {
    // Issues name places in lists, whose order is the author's.
    const withoutPlaces = (tables: Tables): Tables => ({ ...tables, issues: [], statuses: [] })
    expect(bytes(withoutPlaces(afresh(other)))).toBe(bytes(withoutPlaces(compile(one))))
  })

  law('the order of whole objects changes not even a status', snapshots, (snapshot) => {
    const reversed: Snapshot = {
      ...snapshot,
      namespaces: snapshot.namespaces.toReversed(),
      services: snapshot.services.toReversed(),
      endpointSlices: snapshot.endpointSlices.toReversed(),
      imports: snapshot.imports.toReversed(),
      exports: snapshot.exports.toReversed(),
      policies: snapshot.policies.toReversed(),
    }
    expect(bytes(afresh(reversed))).toBe(bytes(compile(snapshot)))
  })

  law('a second compilation has nothing to change', snapshots, (snapshot) => {
    const first = compile(snapshot)
    const second = compile(written(snapshot, first), first)
    expect({ ...second, issues: [], statuses: [] }).toEqual({ ...first, issues: [], statuses: [] })
    expect(bytes(compile(written(snapshot, first)))).toBe(bytes(second))
  })

  law('what is known from before changes no byte', fc.tuple(snapshots, snapshots), ([one, other]) => {
    // Two worlds made of the same imports, so that answers for one are at hand when the other is compiled.
    const mixed: Snapshot = { ...other, imports: one.imports }
    compile(one)
    expect(bytes(compile(mixed))).toBe(bytes(afresh(mixed)))
  })

  law('it leaves its input as it was', snapshots, (snapshot) => {
    const before = structuredClone(snapshot)
    compile(snapshot)
    expect(snapshot).toEqual(before)
  })
})

describe('addresses', () => {
  law('are unique and in range, one per import', snapshots, (snapshot) => {
    const ips = compile(snapshot).vips.flatMap((vip) => vip.ips)
    expect(new Set(ips).size).toBe(snapshot.imports.length)
    for (const ip of ips) expect(ip).toMatch(/^240\.240\.(?!0\.0$)(?!255\.255$)/)
  })

  law('stay when other imports come and go', fc.tuple(snapshots, snapshots), ([one, other]) => {
    const before = compile(one)
    const taken = new Set(one.imports.map((each) => `${each.metadata.namespace}/${each.metadata.name}`))
    const come = other.imports.filter((each) => !taken.has(`${each.metadata.namespace}/${each.metadata.name}`))
    // What comes may claim any address; what is written and older keeps it.
    const young = come.map((each) => ({
      ...each,
      metadata: { ...each.metadata, creationTimestamp: '2026-09-09T00:00:00Z' },
    }))
    const kept = written(one, before).imports.slice(1)
    const after = compile({ ...one, imports: [...young, ...kept].map((each) => each) })
    for (const each of kept) {
      const { namespace, name, creationTimestamp = '~' } = each.metadata
      if (creationTimestamp > '2026-09-09T00:00:00Z') continue
      const same = (vip: { readonly namespace: string; readonly name: string }) =>
        vip.namespace === namespace && vip.name === name
      expect(after.vips.find(same)).toEqual(before.vips.find(same))
    }
  })

  law('are remembered before they are written', snapshots, (snapshot) => {
    const bare: Snapshot = {
      ...snapshot,
      imports: snapshot.imports.map(({ spec: { ips: _, ...spec }, ...each }) => ({ ...each, spec })),
    }
    const before = compile(snapshot)
    expect(compile(bare, before).vips).toEqual(before.vips)
  })
})

describe('routes', () => {
  law('never lead to this cluster from outside, nor to a drained target', snapshots, (snapshot) => {
    const targets = new Map(
      snapshot.policies.map(({ metadata, spec }) => [`${metadata.namespace}/${metadata.name}`, spec.targets ?? []]),
    )
    for (const { service, backends } of routesOf(compile(snapshot))) {
      for (const backend of backends) {
        expect(backend.local).toBe(backend.clusterKey === OWN)
        expect(backend.weight).toBeGreaterThan(0)
        expect(backend.endpoints.length).toBeGreaterThan(0)
        const target = targets.get(service)?.find((each) => each.clusterKey === backend.clusterKey)
        if (!backend.local) expect(target?.weight ?? 100).toBe(backend.weight)
      }
    }
  })

  law('have priorities without a gap, and one backend per cluster', snapshots, (snapshot) => {
    for (const { backends } of routesOf(compile(snapshot))) {
      const priorities = [...new Set(backends.map((backend) => backend.priority))]
      expect(priorities).toEqual(priorities.map((_, index) => index))
      expect(new Set(backends.map((backend) => backend.clusterKey)).size).toBe(backends.length)
    }
  })

  law('of gateways are each somebody’s, most specific first', snapshots, (snapshot) => {
    const { routes } = compile(snapshot).gateway
    expect(new Set(routes.map((route) => route.path)).size).toBe(routes.length)
    for (const [index, route] of routes.entries()) {
      const next = routes[index + 1]
      if (next?.pathType === route.pathType) expect(next.path.length).toBeLessThanOrEqual(route.path.length)
      else if (next) expect([route.pathType, next.pathType]).toEqual(['Exact', 'Prefix'])
    }
  })

  law('let in nobody whom the export of the Service does not let in now', afterServing, (snapshot) => {
    const tables = compile(snapshot)
    for (const route of tables.gateway.routes) {
      const owner = snapshot.exports.find(({ metadata }) => `${metadata.namespace}/${metadata.name}` === route.service)
      const before = snapshot.served.find(({ path, service }) => path === route.path && service === route.service)
      const now = owner ? clientsOf(owner.spec.allowedClients, snapshot.trust?.clusters ?? {}) : before?.clients
      expect(route.clients).toEqual(now)
    }
  })

  law('that nobody asks for any more are served on, and change nothing else', afterServing, (snapshot) => {
    const { served: before, ...now } = snapshot
    const [with_, without] = [compile(snapshot), compile(now)]
    expect({ ...with_, gateway: without.gateway }).toEqual(without)
    const { routes } = with_.gateway
    expect(routes.filter((route) => route.until === undefined)).toEqual(without.gateway.routes)
    expect(new Set(routes.map((route) => `${route.pathType} ${route.path}`)).size).toBe(routes.length)
    // Whatever could be called can be called, until its time is over.
    const paths = new Set(routes.map((route) => route.path))
    for (const { path } of before) expect(paths).toContain(path)
    const again = { ...now, served: routes.map((route) => ({ until: '2026-01-01T00:00:59Z', ...route })) }
    expect(compile(again).gateway).toEqual(with_.gateway)
  })
})

describe('names', () => {
  law('are answered once, and by mesh DNS only where it must', snapshots, (snapshot) => {
    const { dns, vips } = compile(snapshot)
    expect(new Set(dns.map((record) => record.name)).size).toBe(dns.length)
    const routed = new Set(
      snapshot.policies
        .filter(({ spec }) => spec.lbType !== 'Locality')
        .map(({ metadata }) => `${metadata.name}.${metadata.namespace}.svc.cluster.local`),
    )
    const local = new Set(
      snapshot.services.map(({ metadata }) => `${metadata.name}.${metadata.namespace}.svc.cluster.local`),
    )
    for (const { name, address } of dns) {
      if (name.endsWith('clusterset.local')) expect(vips.some((vip) => vip.ips.includes(address))).toBe(true)
      else if (address === '127.0.0.2') expect(local.has(name)).toBe(false)
      else expect(routed.has(name)).toBe(true)
    }
  })
})

describe('statuses', () => {
  law('are given to every export, import and policy, for the generation they were made of', snapshots, (snapshot) => {
    const { statuses } = compile(snapshot)
    expect(statuses.length).toBe(snapshot.exports.length + snapshot.imports.length + snapshot.policies.length)
    for (const { generation, conditions } of statuses) {
      expect(conditions.length).toBeGreaterThan(0)
      for (const condition of conditions) {
        expect(condition.observedGeneration).toBe(generation)
        expect(condition.message).not.toMatch(/\{\w+\}/)
      }
    }
  })
})

describe('whereTo', () => {
  const path = '/a?b=c'
  const ask = (tables: Tables) =>
    tables.sidecars.flatMap(({ namespace, routes }) =>
      routes.map(({ vip, port }) =>
        whereTo(tables, { fromNamespace: namespace, to: vip, port, path }, new Map([[OWN, tables]])),
      ),
    )

  law('shares a call out whole among those of the first priority', snapshots, (snapshot) => {
    for (const answer of ask(compile(snapshot))) {
      if (answer.outcome !== 'routed') continue
      expect(answer.backends.reduce((sum, backend) => sum + backend.share, 0)).toBeCloseTo(1)
      for (const { share, priority } of answer.backends) expect(share > 0).toBe(priority === 0)
    }
  })

  law('has an answer for every route, never of this cluster from outside', snapshots, (snapshot) => {
    for (const answer of ask(compile(snapshot))) {
      if (answer.outcome !== 'routed') {
        if (answer.outcome !== 'closed') expect(answer).toMatchObject({ outcome: 'status', status: 503 })
        continue
      }
      for (const backend of answer.backends) {
        expect(backend.gateway).toBeUndefined()
        if (answer.tcp) expect(backend.path).toBe('')
        else expect(backend.path.endsWith(path)).toBe(true)
        if (backend.local && !answer.tcp) expect(backend.path).toBe(path)
      }
    }
  })

  const calls = fc.record({
    fromNamespace: fc.constantFrom('shop', 'other', 'outside'),
    to: fc.oneof(
      fc.string(),
      fc.constantFrom('web', 'api.shop.svc', 'db.other.svc.clusterset.local', 'example.org', '10.0.0.1'),
    ),
    port: fc.constantFrom(80, 8080, 1),
    path: fc.oneof(fc.string(), fc.webPath()),
  })
  law('answers any call', fc.tuple(snapshots, calls), ([snapshot, call]) => {
    const tables = compile(snapshot)
    const { outcome } = whereTo(tables, call, new Map([[clusterKey('east'), tables]]))
    expect(['plain', 'refused', 'status', 'closed', 'routed']).toContain(outcome)
  })
})
