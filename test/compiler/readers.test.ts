import { describe, expect, test } from 'vitest'
import { MTLS_BOOTSTRAP, MTLS_CLUSTERS } from '../../api/names.ts'
import { compile } from '../../compiler/compile.ts'
import type { MeshPod } from '../../compiler/controller/pods.ts'
import { readersIn, withoutIdentity } from '../../compiler/controller/readers.ts'
import { sidecarFiles } from '../../compiler/files.ts'
import type { SidecarTable, Trust } from '../../compiler/tables.ts'
import * as build from './build.ts'

const TRUST: Trust = {
  trustDomain: 'west.portolan.local',
  bundle: '{"trust_domains":{}}',
  clusters: {
    [build.clusterKey('east')]: {
      trustDomain: 'east.portolan.local',
      gateway: 'spiffe://east.portolan.local/ns/portolan-system/sa/portolan-gateway',
    },
  },
}

const tableWith = (trust?: Trust): SidecarTable => {
  const [table] = compile(
    build.snapshot({
      ...(trust ? { trust } : {}),
      imports: [build.serviceImport('shop/web', [{ cluster: 'east' }])],
      policies: [build.policy('shop/web', 'FailOver', ['east'])],
    }),
  ).sidecars
  if (table === undefined) throw new Error('no table')
  return table
}

const pod = (name: string, ...volumes: readonly string[]): MeshPod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { namespace: 'app', name },
  spec: {
    containers: [],
    initContainers: [{ name: 'portolan-proxy' }],
    volumes: volumes.map((volume) => ({ name: volume })),
  },
  phase: 'Running',
  ready: true,
})

const OLD = pod('old', 'portolan-routes')
const NEW = pod('new', 'portolan-routes', 'portolan-identity')
const bystander = { ...pod('bystander'), spec: { containers: [] } }

describe('the table of a namespace is for', () => {
  const cases: readonly (readonly [string, Trust | undefined, readonly MeshPod[], boolean, object])[] = [
    ['those without an identity, where nobody has one', undefined, [], true, { plain: true, mtls: false }],
    ['those with one, where everybody has', TRUST, [NEW, bystander], true, { plain: false, mtls: true }],
    ['both, after identities came', TRUST, [OLD, NEW], true, { plain: true, mtls: true }],
    ['both, after identities went', undefined, [NEW], true, { plain: true, mtls: true }],
    ['both, while nobody knows which pods there are', TRUST, [], false, { plain: true, mtls: true }],
  ]
  test.each(cases)('%s', (_, trust, pods, known, expected) => {
    expect(readersIn(pods, () => known)(tableWith(trust))).toEqual(expected)
  })

  test('whose files speak TLS to those alone that can', () => {
    const { files } = sidecarFiles(tableWith(TRUST), 'a/b/c/west', { plain: true, mtls: true })
    expect(files[MTLS_CLUSTERS]).toContain('UpstreamTlsContext')
    expect(files['cds.json']).not.toContain('UpstreamTlsContext')
    expect(JSON.parse(files['cds.json'] ?? '').version_info).toBe(JSON.parse(files[MTLS_CLUSTERS] ?? '').version_info)
    expect(files[MTLS_BOOTSTRAP]).toContain(MTLS_CLUSTERS)
    expect(files['bootstrap.json']).not.toContain(MTLS_CLUSTERS)
  })

  test('and whose roots are in no table', () => {
    const { files } = sidecarFiles(tableWith(TRUST), 'a/b/c/west')
    expect(files['trust.json']).toBe(TRUST.bundle)
    expect(files['table.json']).not.toContain('trust_domains')
    expect(JSON.parse(files['table.json'] ?? '')).toMatchObject({
      trustDomain: TRUST.trustDomain,
      peers: TRUST.clusters,
      routes: [{ backends: [{ tls: true }] }],
    })
  })
})

test('a change of roots is a change of the table, so that proxies are told', () => {
  const other = { ...TRUST, bundle: '{"trust_domains":{"a.b":{}}}' }
  expect(tableWith(other).version).not.toBe(tableWith(TRUST).version)
  expect(tableWith(other).routes).toEqual(tableWith(TRUST).routes)
})

test('pods of before are named', () => {
  expect(withoutIdentity([OLD, NEW, bystander]).map(({ issue }) => issue)).toEqual([
    { code: 'SidecarWithoutIdentity', object: { kind: 'Pod', namespace: 'app', name: 'old' }, path: '' },
  ])
})
