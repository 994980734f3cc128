/** The standard's import, made of ours. */
import { describe, expect, test } from 'vitest'
import type { Service } from '../../api/core.ts'
import type { McsImport } from '../../api/mcs.ts'
import { DERIVED_FROM_ANNOTATION, MCS_SERVICE_NAME_LABEL } from '../../api/names.ts'
import type { ServiceImport } from '../../api/service-import.ts'
import { compile } from '../../compiler/compile.ts'
import { derivedName } from '../../compiler/derived.ts'
import type { Snapshot } from '../../compiler/snapshot.ts'
import * as build from './build.ts'

type Spec = ServiceImport['spec']
const KEY = 'shop/pay'

const imported = (spec: Partial<Spec> = {}, standard: Partial<Spec['standard']> = {}): ServiceImport => {
  const object = build.serviceImport(KEY, [{ cluster: 'east' }])
  const doors = ['MCS'] as const
  return { ...object, spec: { ...object.spec, doors, standard: { clusters: ['east'], ...standard }, ...spec } }
}
const derived = (clusterIP = '10.43.9.9'): Service => {
  const service = build.service(`shop/${derivedName(KEY)}`, { clusterIP })
  return { ...service, metadata: { ...service.metadata, annotations: { [DERIVED_FROM_ANNOTATION]: KEY } } }
}
const kubernetes = (...clusterIPs: readonly string[]) =>
  build.service('default/kubernetes', {
    clusterIPs,
    ...(clusterIPs[0] === undefined ? {} : { clusterIP: clusterIPs[0] }),
  })
const withEgress = { ...build.mesh, egressNamespace: 'portolan-system' }

/** The one object that is wanted. */
function made(object: ServiceImport, parts: Partial<Snapshot> = {}) {
  const { objects, vips } = compile(
    build.snapshot({ services: [kubernetes('10.43.0.1')], ...parts, imports: [object] }),
  )
  const wanted = objects.find(({ kind }) => kind === 'ServiceImport')
  const spec = wanted?.fields['spec'] as McsImport['spec'] | undefined
  const ready = wanted?.status?.conditions[0]
  return { wanted, spec, ready: ready && `${ready.status} ${ready.reason}`, said: ready?.message, vip: vips[0]?.ips[0] }
}

test('none for what no cluster exports by the standard', () => {
  expect(made(build.serviceImport(KEY, [{ cluster: 'east' }])).wanted).toBeUndefined()
})

test('all that the exporters say of it, under the same name', () => {
  const { wanted } = made(
    imported(
      {
        ports: [
          { name: 'http', port: 80, protocol: 'TCP', appProtocol: 'kubernetes.io/h2c', endpoints: [] },
          { name: 'dns', port: 53, protocol: 'UDP', endpoints: [] },
          { port: 81 } as Spec['ports'][number],
        ],
      },
      {
        clusters: ['east', 'west'],
        labels: { tier: 'gold' },
        annotations: { note: 'x' },
        sessionAffinity: 'ClientIP',
        sessionAffinitySeconds: 10,
        internalTrafficPolicy: 'Local',
        trafficDistribution: 'PreferClose',
        ipFamilies: ['IPv4'],
      },
    ),
  )
  expect(wanted).toMatchObject({
    kind: 'ServiceImport',
    namespace: 'shop',
    name: 'pay',
    labels: { tier: 'gold' },
    annotations: { note: 'x' },
    status: { extra: { clusters: [{ cluster: 'east' }, { cluster: 'west' }], endpointSliceObjects: 'Absent' } },
  })
  expect(wanted?.fields).toEqual({
    spec: {
      type: 'ClusterSetIP',
      ports: [
        { name: 'http', port: 80, protocol: 'TCP', appProtocol: 'kubernetes.io/h2c' },
        { name: 'dns', port: 53, protocol: 'UDP' },
        { port: 81, protocol: 'TCP' },
      ],
      ips: [expect.stringMatching(/^240\.240\./)],
      ipFamilies: ['IPv4'],
      sessionAffinity: 'ClientIP',
      sessionAffinityConfig: { clientIP: { timeoutSeconds: 10 } },
      internalTrafficPolicy: 'Local',
      trafficDistribution: 'PreferClose',
    },
  })
})

test('it says whether slices of the exporters’ endpoints are there', () => {
  const pods = build.pods('shop/other', ['10.0.0.1'], 80)
  const slice = { ...pods, metadata: { ...pods.metadata, labels: { [MCS_SERVICE_NAME_LABEL]: 'pay' } } }
  const of = (endpointSlices: Snapshot['endpointSlices']) =>
    made(imported(), { endpointSlices }).wanted?.status?.extra?.['endpointSliceObjects']
  expect(of([slice])).toBe('Present')
  expect(of([pods])).toBe('Absent')
  expect(of([{ ...slice, metadata: { ...slice.metadata, namespace: 'elsewhere' } }])).toBe('Absent')
})

describe('the address, and whether it is ready', () => {
  const services = [kubernetes('10.43.0.1')]
  const udp = { ports: [{ port: 53, protocol: 'UDP' as const, endpoints: [] }] }
  test.each<[string, ServiceImport, Partial<Snapshot>, readonly string[] | 'vip' | undefined, string]>([
    ['without an egress what sidecars capture', imported(), {}, 'vip', 'True Ready'],
    [
      'that of the Service that stands in for it',
      imported(),
      { mesh: withEgress, services: [...services, derived()] },
      ['10.43.9.9'],
      'True Ready',
    ],
    ['none before that Service is there', imported(), { mesh: withEgress }, undefined, 'False Pending'],
    [
      'none while that Service has none',
      imported(),
      { mesh: withEgress, services: [...services, derived('')] },
      undefined,
      'False Pending',
    ],
    ['none of its own for pods by name', imported({ type: 'Headless' }), { mesh: withEgress }, undefined, 'True Ready'],
    ['none when nothing can be called', imported(udp), {}, undefined, 'False NoPortCarried'],
    [
      'none of a family that the cluster has not',
      imported({}, { ipFamilies: ['IPv4'] }),
      { services: [kubernetes('fd00::1')] },
      undefined,
      'False IPFamilyNotSupported',
    ],
    [
      'of a family that it has',
      imported({}, { ipFamilies: ['IPv6'] }),
      { services: [kubernetes('fd00::1')] },
      'vip',
      'True Ready',
    ],
    [
      'of the second family that it has',
      imported({}, { ipFamilies: ['IPv6'] }),
      { services: [...services, build.service('a/b', { clusterIPs: ['10.0.0.1', 'fd00::2'] })] },
      'vip',
      'True Ready',
    ],
    ['of any, where nothing is known', imported({}, { ipFamilies: ['IPv6'] }), { services: [] }, 'vip', 'True Ready'],
  ])('%s', (_, object, parts, ips, ready) => {
    const got = made(object, parts)
    expect(got.ready).toBe(ready)
    expect(got.spec?.ips).toEqual(ips === 'vip' ? [got.vip] : ips)
    expect(got.spec?.type).toBe(object.spec.type ?? 'ClusterSetIP')
  })

  test('families are those that the cluster can use, and all that exporters have when it can use none', () => {
    const both = { ipFamilies: ['IPv4', 'IPv6'] as ('IPv4' | 'IPv6')[] }
    expect(made(imported({}, both)).spec?.ipFamilies).toEqual(['IPv4'])
    expect(made(imported({}, { ipFamilies: ['IPv6'] })).spec?.ipFamilies).toEqual(['IPv6'])
    expect(made(imported()).spec).not.toHaveProperty('ipFamilies')
  })

  test('that pods’ own addresses need a flat network is said', () => {
    expect(made(imported({ type: 'Headless' })).said).toContain('share a network')
  })
})

describe('properties of the cluster', () => {
  const of = (membership?: Snapshot['membership']) =>
    compile(build.snapshot(membership === undefined ? {} : { membership })).objects.map(({ name, fields }) => [
      name,
      fields,
    ])
  test.each<[string, Snapshot['membership'], readonly unknown[]]>([
    ['none while it is a member of nothing', undefined, []],
    ['its name, where the hub does not name itself', {}, [['cluster.clusterset.k8s.io', { spec: { value: 'west' } }]]],
    [
      'its name and the set',
      { clusterset: 'f00' },
      [
        ['cluster.clusterset.k8s.io', { spec: { value: 'west' } }],
        ['clusterset.k8s.io', { spec: { value: 'f00' } }],
      ],
    ],
  ])('%s', (_, membership, expected) => {
    expect(of(membership)).toEqual(expected)
  })
})
