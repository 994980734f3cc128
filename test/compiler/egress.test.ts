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
import { egressFiles } from '../../compiler/files.ts'
import { byKey } from '../../compiler/keys.ts'
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
    ['what is written counts more', [wish('a', undefined, 20_001), wish('b', 20_001)], { b: 20_001 }],
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
  expect(egressOf(tables).listeners).toHaveLength(count)
  expect(tables.issues.filter(({ code }) => code === 'EgressPortsExhausted')).toHaveLength(200 * 64 - count)
})

test('a table that a ConfigMap cannot hold is refused, with the largest parts', () => {
  const ports = Array.from({ length: 64 }, (_, index) => ({ port: index + 1 }))
  const imports = ['big', 'bigger'].map((name) => build.serviceImport(`shop/${name}`, EAST, ports))
  const place = { namespace: 'portolan-system', clusterKey: mesh.clusterKey }
  const filesOf = (count: number) => {
    const many = Array.from({ length: count }, (_, index) => build.serviceImport(`shop/s${index}`, EAST, ports))
    const policies = [...imports, ...many].map(({ metadata }) => build.policy(`shop/${metadata.name}`, 'ActiveActive'))
    return egressFiles(egressOf(compile(build.snapshot({ mesh, imports: [...imports, ...many], policies }))), place)
  }
  expect(filesOf(0).refusal).toBeUndefined()
  expect(filesOf(10).refusal).toMatchObject({ code: 'TableTooLarge', object: { name: 'portolan-egress' } })
})

test('the chart asks for the bootstrap by the key that it is written under', () => {
  const file = join(import.meta.dirname, '../../charts/portolan/files/egress-bootstrap.json')
  expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual({ key: EGRESS_BOOTSTRAP })
  const place = { namespace: 'portolan-system', clusterKey: mesh.clusterKey }
  const { files } = egressFiles(egressOf(compile(build.snapshot({ mesh }))), place)
  expect(Object.keys(files)).toEqual([EGRESS_BOOTSTRAP, 'cds.json', 'lds.json', 'table.json'])
})
