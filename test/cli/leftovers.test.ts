import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { KubeObject } from '../../api/meta.ts'
import { FIELD_MANAGER, MANAGED_BY } from '../../api/names.ts'
import { ENDPOINT_SLICES, type LivePod, MCS_IMPORTS, SERVICE_EXPORTS, SERVICES } from '../../api/resources.ts'
import { type Leftover, leftovers, named, type Uninstalled } from '../../cli/live/leftovers.ts'
import { keyOf } from '../../kube/object.ts'

const SYSTEM = 'portolan-system'

const pod = (namespace: string, name: string, over: Partial<LivePod> & { sidecar?: boolean } = {}): LivePod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { namespace, name, ...over.metadata },
  spec: {
    containers: [{ name: 'app' }],
    ...(over.sidecar === false ? {} : { initContainers: [{ name: 'portolan-init' }, { name: 'portolan-proxy' }] }),
  },
  status: over.status ?? { phase: 'Running' },
})

const object = (kind: string, namespace: string, name: string, metadata: object = {}): KubeObject => ({
  apiVersion: 'flomesh.io/v1alpha1',
  kind,
  metadata: { namespace, name, ...metadata },
})
const wrote = (manager: string, subresource?: string) => ({ manager, operation: 'Apply', subresource })
const hubs = { labels: MANAGED_BY, managedFields: [wrote(FIELD_MANAGER.federation)] }
const compilers = { labels: MANAGED_BY, managedFields: [wrote(FIELD_MANAGER.compiler)] }

const WORLD: Uninstalled = {
  pods: [],
  named: named(SYSTEM),
  tables: ['orders', 'shop'],
  identities: [SYSTEM, 'shop'],
  imports: [
    object('ServiceImport', 'shop', 'by-hand', {
      managedFields: [wrote('kubectl'), wrote('portolan-compiler', 'status')],
    }),
    object('ServiceImport', 'shop', 'from-git', { labels: MANAGED_BY, managedFields: [wrote('kubectl')] }),
    object('ServiceImport', 'shop', 'from-hub', hubs),
  ],
  objects: [
    [MCS_IMPORTS, object('ServiceImport', 'shop', 'by-the-standard', compilers)],
    [SERVICES, object('Service', 'shop', 'derived-0123456789', compilers)],
    [
      SERVICES,
      object('Service', 'shop', 'labelled-by-hand', { labels: MANAGED_BY, managedFields: [wrote('kubectl')] }),
    ],
    [ENDPOINT_SLICES, object('EndpointSlice', 'shop', 'copied', hubs)],
  ],
  meshConfig: object('MeshConfig', SYSTEM, 'portolan-mesh-config', {
    generation: 1,
    labels: { 'app.kubernetes.io/part-of': 'portolan' },
  }),
  reported: [],
}

const said = (each: Leftover) => `${each.resource.kind} ${keyOf(each.ref)}`
const decide = (world: Partial<Uninstalled>) => {
  const { remove, keep, retract } = leftovers(SYSTEM, { ...WORLD, ...world })
  return {
    remove: remove.map(said),
    keep: keep.map((each) => `${said(each)}: ${each.because}`),
    retract: retract.map((each) => `${said(each)} by ${each.manager}`),
  }
}

describe('without a sidecar in the cluster', () => {
  test('all goes that Portolan has written, the hub’s access first', () => {
    expect(decide({})).toEqual({
      remove: [
        'ClusterRoleBinding portolan-hub',
        'RoleBinding portolan-system/portolan-hub',
        'ServiceAccount portolan-system/portolan-hub',
        'ConfigMap portolan-system/portolan-cluster',
        'ConfigMap portolan-system/portolan-trust',
        'Secret portolan-system/portolan-ca',
        'ConfigMap portolan-system/portolan-identity',
        'Service portolan-system/portolan-dns',
        'ConfigMap portolan-system/portolan-dns',
        'ServiceImport shop/from-hub',
        'EndpointSlice shop/copied',
        'ServiceImport shop/by-the-standard',
        'Service shop/derived-0123456789',
        'ConfigMap portolan-system/portolan-egress',
        'ConfigMap portolan-system/portolan-gateway',
        'Secret portolan-system/portolan-webhook-tls',
        'Lease portolan-system/portolan-compiler',
        'Lease portolan-system/portolan-federation',
        'Lease portolan-system/portolan-identity',
        'Pod portolan-system/portolan-smoke',
        'MeshConfig portolan-system/portolan-mesh-config',
        'ConfigMap orders/portolan-routes',
        'ConfigMap shop/portolan-routes',
        'Secret portolan-system/portolan-identity',
        'Secret shop/portolan-identity',
      ],
      keep: [],
      retract: ['ServiceImport shop/by-hand by portolan-compiler'],
    })
  })

  test.each<[string, LivePod]>([
    ['without a sidecar', pod('shop', 'web', { sidecar: false })],
    ['that has ended', pod('shop', 'web', { status: { phase: 'Succeeded' } })],
    ['that has failed', pod('shop', 'web', { status: { phase: 'Failed' } })],
    ['on its way out', pod('shop', 'web', { metadata: { name: 'web', namespace: 'shop', deletionTimestamp: 'now' } })],
  ])('a pod %s keeps nothing', (_, one) => {
    expect(decide({ pods: [one] })).toEqual(decide({}))
  })
})

describe('while pods have sidecars', () => {
  const mesh = [pod('shop', 'web-1'), pod('shop', 'web-2')]
  const because = '2 pods have sidecars: shop/web-1, shop/web-2'

  test('their table, their names and what fills both stay; the tables of other namespaces go', () => {
    expect(decide({ pods: mesh })).toEqual({
      remove: [
        'ServiceImport shop/by-the-standard',
        'Service shop/derived-0123456789',
        'ConfigMap portolan-system/portolan-egress',
        'ConfigMap portolan-system/portolan-gateway',
        'Secret portolan-system/portolan-webhook-tls',
        'Lease portolan-system/portolan-compiler',
        'Lease portolan-system/portolan-federation',
        'Lease portolan-system/portolan-identity',
        'Pod portolan-system/portolan-smoke',
        'MeshConfig portolan-system/portolan-mesh-config',
        'ConfigMap orders/portolan-routes',
        'Secret portolan-system/portolan-identity',
      ],
      keep: [
        `ConfigMap shop/portolan-routes: ${because}`,
        `Secret shop/portolan-identity: ${because}`,
        `ClusterRoleBinding portolan-hub: ${because}`,
        `RoleBinding portolan-system/portolan-hub: ${because}`,
        `ServiceAccount portolan-system/portolan-hub: ${because}`,
        `ConfigMap portolan-system/portolan-cluster: ${because}`,
        `ConfigMap portolan-system/portolan-trust: ${because}`,
        `Secret portolan-system/portolan-ca: ${because}`,
        `ConfigMap portolan-system/portolan-identity: ${because}`,
        `Service portolan-system/portolan-dns: ${because}`,
        `ConfigMap portolan-system/portolan-dns: ${because}`,
        `ServiceImport shop/from-hub: ${because}`,
        `EndpointSlice shop/copied: ${because}`,
      ],
      retract: ['ServiceImport shop/by-hand by portolan-compiler'],
    })
  })

  test('many of them are counted, not listed', () => {
    const pods = Array.from({ length: 12 }, (_, index) => pod('shop', `web-${index}`))
    expect(decide({ pods }).keep[0]).toBe(
      'ConfigMap shop/portolan-routes: 12 pods have sidecars: shop/web-0, shop/web-1, 10 more',
    )
  })
})

test.each([
  ['changed since', { generation: 2 }],
  ['somebody else’s', { generation: 1, labels: {} }],
])('a MeshConfig that is %s stays', (_, metadata) => {
  const meshConfig = object('MeshConfig', SYSTEM, 'portolan-mesh-config', {
    labels: { 'app.kubernetes.io/part-of': 'portolan' },
    ...metadata,
  })
  expect(decide({ meshConfig }).remove).not.toContain('MeshConfig portolan-system/portolan-mesh-config')
})

test('statuses are taken back from those who wrote them, and from nobody else', () => {
  const managedFields = [
    wrote('portolan-federation', 'status'),
    wrote('portolan-compiler', 'status'),
    wrote('portolan-compiler'),
    wrote('kubectl', 'status'),
  ]
  const reported = [[SERVICE_EXPORTS, object('ServiceExport', 'shop', 'web', { managedFields })]] as const
  expect(decide({ imports: [], reported }).retract).toEqual([
    'ServiceExport shop/web by portolan-compiler',
    'ServiceExport shop/web by portolan-federation',
  ])
})

test('what is there is removed or kept, never both, and nothing else is named', () => {
  const ids = named(SYSTEM)
  const world = fc.record({
    pods: fc.array(
      fc
        .record({ namespace: fc.constantFrom('orders', 'shop', 'plain'), name: fc.string(), sidecar: fc.boolean() })
        .map(({ namespace, name, sidecar }) => pod(namespace, name, { sidecar })),
    ),
    named: fc.subarray([...ids]),
    tables: fc.subarray(['orders', 'shop']),
    identities: fc.subarray(['orders', SYSTEM]),
  })
  fc.assert(
    fc.property(world, (parts) => {
      const { remove, keep } = leftovers(SYSTEM, { ...WORLD, ...parts })
      const there = [
        ...parts.named.map(said),
        ...parts.tables.map((namespace) => `ConfigMap ${namespace}/portolan-routes`),
        ...parts.identities.map((namespace) => `Secret ${namespace}/portolan-identity`),
        'ServiceImport shop/from-hub',
        'EndpointSlice shop/copied',
        'ServiceImport shop/by-the-standard',
        'Service shop/derived-0123456789',
        'MeshConfig portolan-system/portolan-mesh-config',
      ]
      expect([...remove, ...keep].map(said).toSorted()).toEqual(there.toSorted())
    }),
  )
})
