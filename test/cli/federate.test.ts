import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { portolan } from './session.ts'

const made: string[] = []
let dir: string

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'portolan-federate-'))
  made.push(dir)
})

afterAll(async () => {
  for (const each of made) await rm(each, { recursive: true })
})

async function put(files: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(dir, name)), { recursive: true })
    await writeFile(join(dir, name), text)
  }
}

const cluster = (name: string) => `
apiVersion: flomesh.io/v1alpha1
kind: Cluster
metadata: { name: ${name} }
spec: { gatewayHost: ${name}.example, gatewayPort: 80 }
`
const EXPORT = `
apiVersion: v1
kind: Service
metadata: { name: web }
spec: { ports: [{ port: 80 }] }
---
apiVersion: flomesh.io/v1alpha1
kind: ServiceExport
metadata: { name: web }
`
const IMPORT = `
apiVersion: flomesh.io/v1alpha1
kind: ServiceImport
metadata: { name: web }
`
const both = { 'clusters.yaml': [cluster('east'), cluster('west')].join('---') }
const below = async (): Promise<readonly string[]> => (await readdir(dir, { recursive: true })).sort()

test('from an export in east to what a call from west reaches there', async () => {
  await cp('examples/clusterset', dir, { recursive: true })
  expect(await portolan(['federate', '-f', dir, '--out', dir])).toMatchObject({ code: 0 })

  const west = ['-f', join(dir, 'west'), '--cluster-key', 'default/default/default/west']
  const compiled = await portolan(['compile', ...west])
  expect(compiled).toMatchObject({ code: 0, err: '' })

  const elsewhere = `default/default/default/east=${join(dir, 'east')}`
  const where = await portolan([
    'where',
    'storefront',
    'catalog.shop:8080/books',
    ...west,
    '--elsewhere',
    elsewhere,
    '-o',
    'json',
  ])
  expect(where).toMatchObject({ code: 0, err: '' })
  const { answer } = JSON.parse(where.out)
  expect(answer).toMatchObject({ outcome: 'routed', service: 'shop/catalog', policy: 'FailOver' })
  expect(answer.backends[0]).toMatchObject({
    clusterKey: 'default/default/default/east',
    path: '/shop/catalog/8080/books',
    gateway: { status: 'served', service: 'shop/catalog', port: 8080, path: '/books' },
  })
  // The address that stands in for the ready pod that no manifest can name.
  expect(answer.backends[0].gateway.endpoints).toEqual([{ host: '198.19.0.1', port: 8080 }])
  expect(answer.backends[1]).toMatchObject({ clusterKey: 'eu/default/default/north', priority: 1 })
})

describe('--out', () => {
  test('writes once, and what it wrote is not taken for the own', async () => {
    await put({ ...both, 'east/web.yaml': EXPORT })
    const first = await portolan(['federate', '-f', dir, '-n', 'shop', '--out', dir])
    const file = join(dir, 'west/federated.yaml')
    expect(first).toMatchObject({ code: 0, out: `${file}  written\n` })
    const written = await readFile(file, 'utf8')
    expect(parseAllDocuments(written).map((each) => each.toJS().kind)).toEqual(['Namespace', 'ServiceImport'])

    const second = await portolan(['federate', '-f', dir, '-n', 'shop', '--out', dir])
    expect(second).toMatchObject({ code: 0, out: `${file}  unchanged\n` })
    expect(await readFile(file, 'utf8')).toBe(written)
  })

  test('removes what nobody exports any more, and that of a cluster that has left', async () => {
    await put({ ...both, 'east/web.yaml': EXPORT, 'west/other.yaml': EXPORT.replaceAll('web', 'other') })
    const out = join(dir, 'out')
    await portolan(['federate', '-f', dir, '--out', out])
    expect(await below()).toEqual(expect.arrayContaining(['out/east/federated.yaml', 'out/west/federated.yaml']))

    await rm(join(dir, 'west'), { recursive: true })
    await put({ 'clusters.yaml': cluster('east') })
    const { code, out: said } = await portolan(['federate', '-f', dir, '--out', out])
    const removed = ['east', 'west'].map((each) => `${join(out, each, 'federated.yaml')}  removed\n`)
    expect({ code, said }).toEqual({ code: 0, said: removed.join('') })
  })

  test('leaves the file of somebody else alone', async () => {
    await put({ ...both, 'east/web.yaml': EXPORT, 'out/west/federated.yaml': '# mine\n' })
    const { code, err } = await portolan(['federate', '-f', dir, '--out', join(dir, 'out')])
    expect({ code, err }).toEqual({ code: 2, err: expect.stringContaining('is not overwritten') })
  })

  test('writes nothing when an object would not be admitted', async () => {
    await put({ ...both, 'east/web.yaml': EXPORT, 'west/bad.yaml': `${IMPORT}spec: { ports: 7 }\n` })
    const before = await below()
    const { code, out } = await portolan(['federate', '-f', dir, '--out', dir])
    expect({ code, out, files: await below() }).toEqual({ code: 1, out: '', files: before })
  })
})

describe('findings', () => {
  const found = async (): Promise<readonly string[]> => {
    const { out } = await portolan(['federate', '-f', dir, '-o', 'json'])
    const { findings } = JSON.parse(out) as { findings: readonly { code: string; file: string }[] }
    return findings.map(({ code, file }) => `${file.slice(dir.length + 1)} ${code}`)
  }

  test.each<readonly [string, Readonly<Record<string, string>>, readonly string[]]>([
    ['a Cluster in its own folder', { 'east/cluster.yaml': cluster('east'), 'east/web.yaml': EXPORT }, []],
    [
      'an export in no folder',
      { ...both, 'web.yaml': EXPORT },
      ['web.yaml NoClusterFolder', 'web.yaml NoClusterFolder'],
    ],
    ['a folder of no Cluster', { ...both, 'south/web.yaml': EXPORT }, ['south/web.yaml FolderWithoutCluster']],
    [
      'a folder of something else',
      { ...both, 'base/pod.yaml': 'apiVersion: v1\nkind: Pod\nmetadata: { name: a }' },
      [],
    ],
    ['a Cluster twice', { ...both, 'east/cluster.yaml': cluster('east') }, ['east/cluster.yaml GivenTwice']],
    ['the same object in two clusters', { ...both, 'east/web.yaml': EXPORT, 'west/web.yaml': EXPORT }, []],
    [
      'an import that somebody wrote',
      { ...both, 'east/web.yaml': EXPORT, 'west/web.yaml': IMPORT },
      ['west/web.yaml ImportByHand'],
    ],
    ['an import of what nobody exports', { ...both, 'west/web.yaml': IMPORT }, []],
    [
      'a Service that is missing, said once',
      {
        ...both,
        'east/web.yaml': EXPORT.replace('web', 'other'),
      },
      ['east/web.yaml ExportWithoutService'],
    ],
    [
      'a Cluster that is none',
      { 'clusters.yaml': cluster('east').replace('gatewayPort: 80', '') },
      ['clusters.yaml FieldRequired'],
    ],
  ])('%s', async (_, files, expected) => {
    await put(files)
    expect(await found()).toEqual(expected)
  })
})

test('any text has an answer', async () => {
  const line = fc.oneof(
    fc.string(),
    fc.constantFrom(
      '---',
      'kind: Cluster',
      'apiVersion: flomesh.io/v1alpha1',
      'metadata: { name: east }',
      'spec:',
      '  - 1',
    ),
  )
  await fc.assert(
    fc.asyncProperty(fc.array(line, { maxLength: 6 }), async (lines) => {
      await put({ ...both, 'east/web.yaml': lines.join('\n') })
      const { code } = await portolan(['federate', '-f', dir])
      expect([0, 1]).toContain(code)
    }),
    { numRuns: 100 },
  )
})

describe('the standard, and Services that are shared by annotation', () => {
  const service = (annotations = '') => `
apiVersion: v1
kind: Service
metadata: { name: web, namespace: shop, annotations: { ${annotations} } }
spec: { ports: [{ name: http, port: 80 }] }
`
  const standard = (version = 'v1beta1') => `
apiVersion: multicluster.x-k8s.io/${version}
kind: ServiceExport
metadata: { name: web, namespace: shop }
`
  const NAMESPACE = '\napiVersion: v1\nkind: Namespace\nmetadata: { name: shop }\n'
  const GLOBAL = 'service.cilium.io/global: "true"'
  const federated = async (...options: readonly string[]) => {
    const { code, out, err } = await portolan(['federate', '-f', dir, '-o', 'json', ...options])
    expect(err).toBe('')
    const { clusters, exports, findings } = JSON.parse(out)
    const objects = (name: string) =>
      clusters
        .find((each: { cluster: string }) => each.cluster === name)
        ?.objects.map(({ kind }: { kind: string }) => kind)
    return { code, clusters, exports, findings, objects }
  }

  test.each(['v1alpha1', 'v1beta1'])('%s: the import is where its namespace is, and nowhere else', async (version) => {
    await put({ ...both, 'east/web.yaml': `${service()}---${standard(version)}`, 'west/empty.yaml': NAMESPACE })
    await put({ 'north.yaml': cluster('north') })
    const { code, exports, objects } = await federated()
    expect({ code, east: objects('east'), west: objects('west'), north: objects('north') }).toEqual({
      code: 0,
      east: ['ServiceImport'],
      west: ['ServiceImport'],
      north: [],
    })
    expect(exports[0].standard.conditions).toMatchObject([
      { type: 'Valid', status: 'True' },
      { type: 'Conflict', status: 'False', reason: 'NoConflicts' },
    ])
  })

  test('both sides must be global, and Cilium must not do it already', async () => {
    await put({ ...both, 'east/web.yaml': service(GLOBAL), 'west/web.yaml': service() })
    expect((await federated()).objects('west')).toEqual([])
    await put({ 'west/web.yaml': service(`${GLOBAL}, service.cilium.io/shared: "false"`) })
    const { objects, exports } = await federated()
    expect(objects('west')).toEqual(['ServiceImport'])
    expect(exports).toHaveLength(1)
    await put({ 'east/cilium.yaml': service().replace('web', 'clustermesh-apiserver').replace('shop', 'kube-system') })
    expect((await federated()).exports).toEqual([])
    await put({
      'clusters.yaml': [
        cluster('west'),
        cluster('east').replace('}\nspec: {', '}\nspec: { globalServices: Enabled,'),
      ].join('---'),
    })
    expect((await federated()).exports).toHaveLength(1)
  })

  test('ready endpoints are counted where EndpointSlices are given', async () => {
    const slice = `
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: web-1, namespace: shop, labels: { kubernetes.io/service-name: web } }
addressType: IPv4
endpoints: [{ addresses: [10.1.0.1] }, { addresses: [10.1.0.2], conditions: { ready: false } }, { addresses: [10.1.0.3] }]
ports: [{ name: http, port: 8080 }]
`
    await put({ ...both, 'east/web.yaml': `${service(GLOBAL)}---${slice}`, 'west/web.yaml': service(GLOBAL) })
    const { clusters } = await federated()
    const backends = clusters.map(
      ({ objects }: { objects: readonly { spec: { ports: readonly { endpoints: readonly object[] }[] } }[] }) =>
        objects[0]?.spec.ports[0]?.endpoints,
    )
    expect(backends).toMatchObject([[{ clusterKey: 'default/default/default/west' }], [{ backends: 2 }]])
    expect(backends[0][0]).not.toHaveProperty('backends')
  })

  test('compiling reads them as the cluster does', async () => {
    const mesh = NAMESPACE.replace('name: shop', 'name: shop, labels: { flomesh.io/monitored-by: portolan }')
    await put({
      ...both,
      'east/web.yaml': `${service(GLOBAL)}---${standard()}`,
      'west/web.yaml': `${service(GLOBAL)}---${mesh}`,
    })
    await portolan(['federate', '-f', dir, '--out', dir])
    const compiled = async (name: string) => {
      const key = `default/default/default/${name}`
      const { out } = await portolan(['compile', '-f', join(dir, name), '--cluster-key', key, '-o', 'json'])
      return JSON.parse(out)
    }
    const { statuses } = await compiled('east')
    expect(statuses.map((each: { object: object }) => each.object)).toContainEqual({
      kind: 'ServiceExport',
      group: 'multicluster.x-k8s.io',
      namespace: 'shop',
      name: 'web',
    })
    const { sidecars, gateway } = await compiled('west')
    expect(gateway.routes).toMatchObject([{ path: '/shop/web/80' }])
    expect(sidecars[0].routes).toMatchObject([{ service: 'shop/web', policy: 'ActiveActive' }])
  })

  test('a version that there is not, and labels that are none, are found', async () => {
    await put({
      ...both,
      'east/web.yaml': `${service()}---${standard('v2')}---${standard().replace('web', 'other')}spec: { exportedLabels: { a: 1 } }\n`,
    })
    const { code, findings } = await federated()
    expect(code).toBe(1)
    expect(findings.map((each: { code: string }) => each.code).sort()).toEqual(
      expect.arrayContaining(['KindUnknown', 'TypeWrong']),
    )
  })
})
