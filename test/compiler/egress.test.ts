import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Service } from '../../api/core.ts'
import { DERIVED_FROM_ANNOTATION } from '../../api/names.ts'
import { compile } from '../../compiler/compile.ts'
import { derivedAddresses, derivedFrom, derivedName } from '../../compiler/derived.ts'
import { EGRESS_BOOTSTRAP } from '../../compiler/egress-bootstrap.ts'
import { EGRESS_PORTS, egressPorts } from '../../compiler/egress-ports.ts'
import { egressThatFits } from '../../compiler/egress-room.ts'
import { egressFiles } from '../../compiler/files.ts'
import { byKey } from '../../compiler/keys.ts'
import { bytesOf } from '../../compiler/size.ts'
import type { Snapshot } from '../../compiler/snapshot.ts'
import type { EgressTable, Tables } from '../../compiler/tables.ts'
import * as build from './build.ts'
import { snapshots } from './worlds.ts'

const mesh = { ...build.mesh, egressNamespace: 'portolan-system' }
const EAST = [{ cluster: 'east' }]

const egressOf = (tables: Tables): EgressTable => tables.egress ?? expect.unreachable()
const wish = (key: string, written?: number, remembered?: number) => ({ key, written, remembered })

describe('ports of the egress', () => {
  const range = { first: 20_000, last: 20_002 }
  test.each([
    ['what is written stays', [wish('a', 20_001), wish('b', 20_000)], { a: 20_001, b: 20_000 }],
    ['what is remembered stays', [wish('a', undefined, 20_002)], { a: 20_002 }],
    ['nobody gets the port of another by writing it', [wish('a', 20_001), wish('b', 20_001, 20_001)], { b: 20_001 }],
    ['what is remembered counts more', [wish('a', 20_002, 20_001)], { a: 20_001 }],
    ['of two with the same the first has it', [wish('a', 20_001), wish('b', 20_001)], { a: 20_001 }],
    ['what is out of range does not count', [wish('a', 8080), wish('b', 20_003), wish('c', Number.NaN)], {}],
  ])('%s', (_, wishes, expected) => {
    const given = egressPorts(wishes, range)
    expect(Object.fromEntries(given)).toMatchObject(expected)
    expect([...given.keys()].toSorted()).toEqual(wishes.map(({ key }) => key))
    expect(new Set(given.values()).size).toBe(wishes.length)
  })

  test('there are as many as the range has, for the oldest', () => {
    const given = egressPorts(
      ['a', 'b', 'c', 'd'].map((key) => wish(key)),
      range,
    )
    expect([...given.keys()]).toEqual(['a', 'b', 'c'])
    expect([...given.values()].toSorted()).toEqual([20_000, 20_001, 20_002])
  })

  test('are none that kernels give to whoever connects out', () => {
    expect(EGRESS_PORTS.last).toBeLessThan(32_768)
  })

  const port = fc.option(fc.integer({ min: 19_999, max: 20_007 }), { nil: undefined })
  const wishes = fc.uniqueArray(
    fc.record({ key: fc.constantFrom('a', 'b', 'c', 'd', 'e'), written: port, remembered: port }),
    { selector: ({ key }) => key },
  )
  test('law: each has its own, in range, and keeps it when it is written down, whoever comes and goes', () => {
    fc.assert(
      fc.property(wishes, wishes, (first, others) => {
        const wide = { first: 20_000, last: 20_006 }
        const given = egressPorts(first, wide)
        expect(new Set(given.values()).size).toBe(first.length)
        for (const at of given.values()) expect(at >= wide.first && at <= wide.last).toBe(true)
        const known = new Set(first.map(({ key }) => key))
        const newer = others.filter(({ key }) => !known.has(key)).map(({ key }) => wish(key))
        const again = egressPorts([...first.map(({ key }) => wish(key, given.get(key))), ...newer], wide)
        expect(Object.fromEntries(again)).toMatchObject(Object.fromEntries(given))
      }),
    )
  })
})

describe('the Service that stands in for an import', () => {
  const served = (ports: readonly { readonly name?: string; readonly port: number }[]) => {
    const object = build.serviceImport('shop/web', EAST)
    const spec = { ...object.spec, ports: ports.map((each) => ({ ...each, endpoints: [] })) }
    const { objects } = compile(build.snapshot({ mesh, imports: [{ ...object, spec }] }))
    const [service] = objects.filter(({ kind }) => kind === 'Service')
    return (service?.fields['spec'] as Service['spec'] | undefined)?.ports ?? []
  }

  test.each([
    ['none for a single port without', [{ port: 80 }], [undefined]],
    ['that of the import', [{ port: 80, name: 'http' }], ['http']],
    ['one of each, where there are several', [{ port: 80 }, { port: 81, name: 'b' }], ['tcp-80', 'b']],
    [
      'never the same twice',
      [
        { port: 80, name: 'a' },
        { port: 81, name: 'a' },
        { port: 82, name: 'tcp-80' },
      ],
      ['a', 'tcp-81', 'tcp-82'],
    ],
    ['none that Kubernetes would refuse', [{ port: 80, name: 'Web_1' }], [undefined]],
  ])('names of its ports: %s', (_, ports, names) => {
    expect(served(ports).map(({ name }) => name)).toEqual(names)
  })

  const service = (
    annotation: string | undefined,
    name = derivedName('shop/web'),
    clusterIP = '10.43.0.9',
  ): Service => ({
    ...build.service(`shop/${name}`, { clusterIP, clusterIPs: [clusterIP] }),
    metadata: {
      namespace: 'shop',
      name,
      ...(annotation === undefined ? {} : { annotations: { [DERIVED_FROM_ANNOTATION]: annotation } }),
    },
  })

  test.each([
    ['its own', service('shop/web'), 'shop/web'],
    ['one without the annotation', service(undefined), undefined],
    ['one of another name', service('shop/web', 'web'), undefined],
    ['one that says another import', service('shop/api'), undefined],
    ['one that says an import of elsewhere', service('other/web', derivedName('other/web')), undefined],
  ])('is known by name and annotation: %s', (_, object, from) => {
    expect(derivedFrom(object)).toBe(from)
  })

  test.each([
    ['its ClusterIP', service('shop/web'), ['10.43.0.9']],
    ['none before it has one', service('shop/web', undefined, ''), []],
    ['none of somebody else', service(undefined), []],
  ])('has an address: %s', (_, object, addresses) => {
    expect(derivedAddresses(byKey([object]), 'shop/web')).toEqual(addresses)
  })
})

/** What a cluster looks like once the objects have been written. */
const written = (snapshot: Snapshot, { objects }: Tables): Snapshot => ({
  ...snapshot,
  services: [
    ...snapshot.services,
    ...objects.flatMap(({ kind, namespace = '', name, annotations = {}, fields }): readonly Service[] =>
      kind === 'Service'
        ? [
            {
              apiVersion: 'v1',
              kind,
              metadata: { namespace, name, annotations },
              spec: { ...(fields['spec'] as Service['spec']), clusterIP: '10.43.0.77' },
            },
          ]
        : [],
    ),
  ],
})

test('law: ports stay once they are written down, in whatever process, and without another import', () => {
  fc.assert(
    fc.property(snapshots, fc.nat(), (any, index) => {
      const snapshot = { ...any, mesh: { ...any.mesh, egressNamespace: 'portolan-system' } }
      const first = compile(snapshot)
      const after = written(snapshot, first)
      const afresh = compile(structuredClone(after))
      expect(egressOf(afresh).listeners).toEqual(egressOf(first).listeners)
      expect(afresh.objects).toEqual(first.objects)
      const fewer = compile({ ...after, imports: after.imports.filter((_, i) => i !== index % after.imports.length) })
      for (const listener of egressOf(fewer).listeners) expect(egressOf(first).listeners).toContainEqual(listener)
    }),
    { numRuns: 200 },
  )
})

test('without an egress there is nothing of it', () => {
  const tables = compile(build.snapshot({ imports: [build.serviceImport('shop/web', EAST)] }))
  expect([tables.egress, tables.objects]).toEqual([undefined, []])
})

test('ports that are used up are told, and the rest goes on', () => {
  const ports = Array.from({ length: 64 }, (_, index) => ({ port: index + 1 }))
  const imports = Array.from({ length: 200 }, (_, index) => build.serviceImport(`shop/s${index}`, [], ports))
  const tables = compile(build.snapshot({ mesh, imports }))
  const count = EGRESS_PORTS.last - EGRESS_PORTS.first + 1
  const given = tables.objects.flatMap(({ fields }) => (fields['spec'] as Service['spec'] | undefined)?.ports ?? [])
  expect(given).toHaveLength(count)
  expect(tables.issues.filter(({ code }) => code === 'EgressPortsExhausted')).toHaveLength(200 * 64 - count)
})

describe('what the egress has no room for', () => {
  const place = { namespace: 'portolan-system', clusterKey: mesh.clusterKey }
  /** Of 64 ports each, of which some four hundred have room; the last one is the oldest. */
  const imports = Array.from({ length: 9 }, (_, index) => {
    const object = build.serviceImport(
      `shop/s${index}`,
      EAST,
      Array.from({ length: 64 }, (_, port) => ({ port: port + 1 })),
    )
    const metadata = { ...object.metadata, creationTimestamp: `2026-01-0${9 - index}T00:00:00Z` }
    return { ...object, metadata, spec: { ...object.spec, standard: { clusters: ['east'] } } }
  })
  const policies = imports.map(({ metadata }) => build.policy(`shop/${metadata.name}`, 'ActiveActive'))
  const snapshot = build.snapshot({
    mesh,
    imports,
    policies,
    services: [build.service(`${place.namespace}/portolan-egress`)],
    endpointSlices: [build.pods(`${place.namespace}/portolan-egress`, ['10.1.0.9'], 80)],
  })
  const tables = compile(snapshot)
  const served = [...new Set(egressOf(tables).listeners.map(({ service }) => service))]
  const leftOut = tables.issues.filter(({ code }) => code === 'EgressFull').map(({ object }) => object.name)

  test('are the youngest, each as a whole, and the rest is written', () => {
    expect(served.length).toBeGreaterThan(4)
    expect(served).toEqual(imports.map(({ metadata }) => `shop/${metadata.name}`).slice(-served.length))
    expect(egressOf(tables).listeners).toHaveLength(64 * served.length)
    expect(leftOut).toEqual(imports.map(({ metadata }) => metadata.name).slice(0, -served.length))
    expect(egressFiles(egressOf(tables), place).refusal).toBeUndefined()
  })

  test('is refused a connection at the address that it keeps', () => {
    const slices = tables.objects.filter(({ kind }) => kind === 'EndpointSlice').map(({ name }) => name)
    expect(tables.objects.filter(({ kind }) => kind === 'Service')).toHaveLength(imports.length)
    expect(slices).toEqual(served.map((key) => `${derivedName(key)}-ipv4`).toSorted())
  })

  test("is told by the import, and by the standard's", () => {
    const conditionOf = (name: string) =>
      tables.statuses.find(({ object }) => object.kind === 'ServiceImport' && object.name === name)?.conditions[0]
    expect(conditionOf('s0')?.message).toMatch(/the egress has no room for it: .* Give the callers sidecars/)
    expect(conditionOf('s8')?.message).not.toMatch(/room/)
    const ready = (of: Tables, name: string) =>
      of.objects.find((object) => object.kind === 'ServiceImport' && object.name === name)?.status?.conditions[0]
        ?.reason
    const afterwards = compile(written(snapshot, tables))
    expect([ready(afterwards, 's0'), ready(afterwards, 's8')]).toEqual(['EgressFull', 'Ready'])
  })

  test('gets it when others ask for a sidecar', () => {
    const strict = policies.map((policy, index) =>
      index < 5 ? policy : { ...policy, spec: { ...policy.spec, requireSidecar: true } },
    )
    expect(compile({ ...snapshot, policies: strict }).issues.filter(({ code }) => code === 'EgressFull')).toEqual([])
  })

  test.each([[{}], [{ vipRange: 'fd00:240::/112' }]])('is counted to the byte: %j', (family) => {
    const own = [build.serviceImport('shop/web', EAST), build.serviceImport('shop/db', EAST)]
    const streams = own.map(({ spec, ...rest }) => ({
      ...rest,
      spec: {
        ...spec,
        ports: spec.ports.map((port) => ({ ...port, name: rest.metadata.name === 'db' ? 'tcp' : 'http' })),
      },
    }))
    const table = egressOf(
      compile(
        build.snapshot({
          mesh: { ...mesh, ...family },
          imports: streams,
          trust: build.trustIn('west', 'east'),
          policies: own.map(({ metadata }) => build.policy(`shop/${metadata.name}`, 'ActiveActive')),
        }),
      ),
    )
    const { listeners, routes } = table
    expect(listeners.map(({ tcp }) => tcp)).toEqual([true, undefined])
    const sizeOf = (of: EgressTable) => bytesOf(egressFiles({ ...of, version: '0123456789abcdef' }, place).files)
    const empty = { ...table, routes: [], listeners: [] }
    // No comma follows the last one, in any of the three files.
    const most = sizeOf(table) - sizeOf(empty) + 3
    const entry = { routes, listeners }
    const limit = (bytes: number) => (sizeOf(empty) + bytes) / 1000
    expect(egressThatFits([entry], empty, place, limit(most)).size).toBe(1)
    expect(egressThatFits([entry], empty, place, limit(most - 1)).size).toBe(0)
  })
})

test('the chart asks for the bootstrap by the key that it is written under', () => {
  const file = join(import.meta.dirname, '../../charts/portolan/files/egress-bootstrap.json')
  expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual({ key: EGRESS_BOOTSTRAP })
  const place = { namespace: 'portolan-system', clusterKey: mesh.clusterKey }
  const { files } = egressFiles(egressOf(compile(build.snapshot({ mesh }))), place)
  expect(Object.keys(files)).toEqual([EGRESS_BOOTSTRAP, 'cds.json', 'lds.json', 'table.json'])
})
