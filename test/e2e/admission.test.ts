/** What `kubectl apply` answers: to the manifests of the seeds, and to what must not get in; with the webhook, and without it. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { until } from '../lab/run.ts'
import { documents, plainNamespace } from './manifests.ts'
import { CONTROL_PLANE, sites } from './mesh.ts'
import { apply, get, kubectl, refused, rolledOut } from './site.ts'

const { east: site } = sites()
const NS = 'admission'
const SEEDS = join(import.meta.dirname, '../golden/seeds')
const KEY = 'default/default/default/cluster-1'

const of = (kind: string, spec: object, name = 'httpbin') =>
  documents({
    apiVersion: 'flomesh.io/v1alpha1',
    kind,
    metadata: { name, ...(kind === 'Cluster' ? {} : { namespace: NS }) },
    spec,
  })
const gtp = (spec: object) => of('GlobalTrafficPolicy', spec)
const exported = (spec: object) => of('ServiceExport', spec)
const cluster = (spec: object) =>
  of('Cluster', {
    gatewayPort: 80,
    kubeconfigSecretRef: { name: 'k', namespace: NS },
    gatewayHost: '192.0.2.1',
    ...spec,
  })
const rule = (path: string) => ({ portNumber: 8080, path })
const meshConfig = (traffic: object) =>
  documents({
    apiVersion: 'config.flomesh.io/v1alpha1',
    kind: 'MeshConfig',
    metadata: { name: 'admission', namespace: NS },
    spec: { traffic },
  })

interface Bad {
  readonly title: string
  readonly manifest: string
  /** What the answer must contain: object, field, value, remedy. */
  readonly says: readonly string[]
  /** What it must still contain when only the CRD's schema and CEL are left; absent when these cannot see it. */
  readonly without?: readonly string[]
}

const BAD: readonly Bad[] = [
  {
    title: 'Locality with two targets',
    manifest: gtp({ lbType: 'Locality', targets: [{ clusterKey: KEY }, { clusterKey: `${KEY}2` }] }),
    says: ['httpbin', 'spec.targets', 'Locality', 'FailOver'],
    without: ['spec', 'Locality'],
  },
  {
    title: 'FailOver without targets',
    manifest: gtp({ lbType: 'FailOver' }),
    says: ['httpbin', 'spec.targets', 'FailOver'],
    without: ['spec', 'FailOver'],
  },
  {
    title: 'negative weight',
    manifest: gtp({ lbType: 'ActiveActive', targets: [{ clusterKey: KEY, weight: -1 }] }),
    says: ['httpbin', 'spec.targets[0].weight', '-1', '0'],
    without: ['spec.targets[0].weight', '-1'],
  },
  {
    title: 'all weights 0',
    manifest: gtp({ lbType: 'ActiveActive', targets: [{ clusterKey: KEY, weight: 0 }] }),
    says: ['httpbin', 'spec.targets', 'weight'],
    without: ['spec', 'weight'],
  },
  {
    title: 'duplicate targets',
    manifest: gtp({ lbType: 'FailOver', targets: [{ clusterKey: KEY }, { clusterKey: KEY }] }),
    says: ['httpbin', 'spec.targets[1]', KEY],
    without: ['spec.targets', KEY],
  },
  {
    title: 'a clusterKey that is not a/b/c/d',
    manifest: gtp({ lbType: 'FailOver', targets: [{ clusterKey: 'cluster-1' }] }),
    says: ['httpbin', 'spec.targets[0].clusterKey', 'cluster-1', 'region/zone/group/name'],
    without: ['spec.targets[0].clusterKey', 'region/zone/group/name'],
  },
  {
    title: 'unknown lbType',
    manifest: gtp({ lbType: 'Failover', targets: [{ clusterKey: KEY }] }),
    says: ['httpbin', 'spec.lbType', 'Failover', 'FailOver'],
    without: ['spec.lbType', 'Failover', 'FailOver'],
  },
  {
    title: 'duplicate path',
    manifest: exported({ rules: [rule('/a'), rule('/a')] }),
    says: ['httpbin', 'spec.rules[1].path', '/a'],
    without: ['spec.rules', 'path'],
  },
  {
    title: 'path without leading slash',
    manifest: exported({ rules: [rule('a')] }),
    says: ['httpbin', 'spec.rules[0].path', 'a', '/'],
    without: ['spec.rules[0].path', '/'],
  },
  {
    title: 'port 0',
    manifest: exported({ rules: [{ portNumber: 0, path: '/a' }] }),
    says: ['httpbin', 'spec.rules[0].portNumber', '0', '65535'],
    without: ['spec.rules[0].portNumber', '0'],
  },
  {
    title: 'port 65536',
    manifest: exported({ rules: [{ portNumber: 65536, path: '/a' }] }),
    says: ['httpbin', 'spec.rules[0].portNumber', '65536', '65535'],
    without: ['spec.rules[0].portNumber', '65536', '65535'],
  },
  {
    title: 'pathRewrite that is no RE2',
    manifest: exported({ rules: [rule('/a')], pathRewrite: { from: '^/a(?=/)', to: '/' } }),
    says: ['httpbin', 'spec.pathRewrite.from', '^/a(?=/)', 'RE2'],
  },
  {
    title: 'unknown pathType',
    manifest: exported({ rules: [{ ...rule('/a'), pathType: 'Regex' }] }),
    says: ['httpbin', 'spec.rules[0].pathType', 'Regex', 'Prefix'],
    without: ['spec.rules[0].pathType', 'Regex', 'Prefix'],
  },
  ...['127.0.0.1', '0.0.0.0', 'not a host'].map((gatewayHost) => ({
    title: `gatewayHost ${gatewayHost}`,
    manifest: cluster({ gatewayHost }),
    says: ['httpbin', 'spec.gatewayHost', gatewayHost],
    without: ['spec.gatewayHost'],
  })),
  {
    title: 'bad exclusion CIDR',
    manifest: meshConfig({ outboundIPRangeExclusionList: ['10.0.0.0/99'] }),
    says: ['admission', 'spec.traffic.outboundIPRangeExclusionList[0]', '10.0.0.0/99'],
    without: ['spec.traffic.outboundIPRangeExclusionList'],
  },
  {
    title: 'bad exclusion port',
    manifest: meshConfig({ outboundPortExclusionList: [70000] }),
    says: ['admission', 'spec.traffic.outboundPortExclusionList[0]', '70000'],
    without: ['spec.traffic.outboundPortExclusionList[0]', '70000'],
  },
]

beforeAll(() => apply(site, documents(plainNamespace(NS))))
afterAll(() => kubectl(site, 'delete', 'namespace', NS, '--wait=false'))

describe('with the webhook', () => {
  test('exports and policies of the guides apply as printed; an export reads back as printed there', async () => {
    const printed = readdirSync(SEEDS).filter((file) => /-(exports?|policy)-.*\.yaml$/.test(file))
    expect(printed.length).toBeGreaterThan(5)
    for (const namespace of ['httpbin', 'dapr-test', 'bar']) await apply(site, documents(plainNamespace(namespace)))
    for (const file of printed) {
      const namespace = file.startsWith('003') ? 'dapr-test' : file.startsWith('002') ? 'bar' : 'httpbin'
      await kubectl(site, '-n', namespace, 'apply', '-f', join(SEEDS, file))
    }
    const { spec } = await get(site, '-n', 'httpbin', 'serviceexport', 'httpbin')
    expect(spec).toEqual(JSON.parse(readFileSync(join(SEEDS, '000-export-readback.json'), 'utf8')))
    await kubectl(site, 'delete', 'namespace', 'httpbin', 'dapr-test', 'bar', '--wait=false')
  })

  test.for(BAD)('$title is refused', async ({ manifest, says }) => {
    const message = await refused(site, manifest)
    expect(message).toContain('admission webhook "resources.flomesh.io" denied')
    for (const part of says) expect(message).toContain(part)
  })

  test('all problems are named at once, on a dry run as well, and nothing is written', async () => {
    const manifest = gtp({
      lbType: 'FailOver',
      targets: [{ clusterKey: 'x', weight: -1 }, { clusterKey: KEY }, { clusterKey: KEY }],
    })
    const [real, dry] = [await refused(site, manifest), await refused(site, manifest, '--dry-run=server')]
    for (const part of ['spec.targets[0].clusterKey', 'spec.targets[0].weight', 'spec.targets[2]']) {
      expect(real).toContain(part)
      expect(dry).toContain(part)
    }
    const good = gtp({ lbType: 'FailOver', targets: [{ clusterKey: KEY }] })
    expect(await apply(site, good, '--dry-run=server')).toContain('created (server dry run)')
    expect((await get(site, '-n', NS, 'gtp')).items).toEqual([])
  })

  test('what is allowed but without effect is said as a warning', async () => {
    const result = await site.kubectl(['apply', '-f', '-'], gtp({ lbType: 'Locality', targets: [{ clusterKey: KEY }] }))
    expect(result.code).toBe(0)
    expect(result.stderr).toMatch(/Warning:.*spec\.targets/)
    await kubectl(site, '-n', NS, 'delete', 'gtp', 'httpbin')
  })
})

describe('with the webhook scaled to 0', () => {
  beforeAll(async () => {
    await kubectl(site, '-n', CONTROL_PLANE, 'scale', 'deploy/portolan-webhook', '--replicas=0')
    await until(
      'no webhook pod is left',
      async () =>
        (await get(site, '-n', CONTROL_PLANE, 'pod', '-l', 'app.kubernetes.io/component=webhook')).items.length === 0,
    )
  })
  afterAll(async () => {
    await kubectl(site, '-n', CONTROL_PLANE, 'scale', 'deploy/portolan-webhook', '--replicas=2')
    await rolledOut(site, CONTROL_PLANE, 'portolan-webhook')
  })

  test.for(BAD.filter(({ without }) => without !== undefined))(
    '$title is refused',
    async ({ manifest, without = [] }) => {
      const message = await refused(site, manifest)
      expect(message).not.toContain('admission webhook')
      for (const part of without) expect(message).toContain(part)
    },
  )

  test('a good one is accepted', async () => {
    expect(await apply(site, gtp({ lbType: 'FailOver', targets: [{ clusterKey: KEY }] }))).toContain('created')
    await kubectl(site, '-n', NS, 'delete', 'gtp', 'httpbin')
  })
})
