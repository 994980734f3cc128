/** The life of a release, from a bare cluster to its removal and back, under the strictest Pod Security level. */
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parse, stringify } from 'yaml'
import { IMAGE } from '../lab/images.ts'
import { type ClusterProvider, chooseProvider } from '../lab/provider.ts'
import { CONTROL_PLANE } from './mesh.ts'

const CLUSTER = 'chart'
const CHART = join(import.meta.dirname, '../../charts/portolan')
const VALUES = [
  '-f',
  join(import.meta.dirname, 'values.yaml'),
  '--set',
  `cluster.name=${CLUSTER},gateway.drainSeconds=1`,
]
const PATCHED = ['10.43.0.1/32']
const POLICY = `apiVersion: flomesh.io/v1alpha1
kind: GlobalTrafficPolicy
metadata: { name: kept, namespace: default }
spec: { lbType: Locality }
`

const MESH_POD = `apiVersion: v1
kind: Namespace
metadata:
  name: shop
  labels: { flomesh.io/monitored-by: portolan }
  annotations: { flomesh.io/sidecar-injection: enabled }
---
apiVersion: v1
kind: Pod
metadata: { name: web, namespace: shop }
spec: { terminationGracePeriodSeconds: 0, containers: [{ name: web, image: ${IMAGE.demoApp} }] }
`
/** Every kind of which an installation makes objects. */
const KINDS =
  'configmap,secret,service,serviceaccount,deployment,job,pod,poddisruptionbudget,lease,clusterrole,clusterrolebinding,role,rolebinding,mutatingwebhookconfiguration,validatingwebhookconfiguration,serviceimport,meshconfig'

const CRD = 'files/crds/flomesh.io_globaltrafficpolicies.yaml'

let clusters: ClusterProvider
/** The chart with a CRD that lacks what the present one has. */
let olderChart: string

async function succeed(tool: 'kubectl' | 'helm', args: readonly string[], input?: string): Promise<string> {
  const { code, stdout, stderr } =
    tool === 'helm' ? await clusters.helm(CLUSTER, args) : await clusters.kubectl(CLUSTER, args, input)
  if (code !== 0) throw new Error(`${tool} ${args.join(' ')}: ${stderr || stdout}`)
  return stdout
}
const kubectl = (...args: readonly string[]) => succeed('kubectl', args)
const helm = (verb: string, ...args: readonly string[]) =>
  succeed('helm', [verb, 'portolan', ...args, '--namespace', CONTROL_PLANE])
const installFrom = (chart: string, ...args: readonly string[]) =>
  helm('upgrade', chart, '--install', ...VALUES, '--wait', '--timeout', '240s', ...args)
const columns = () =>
  kubectl(
    'get',
    'crd',
    'globaltrafficpolicies.flomesh.io',
    '-o',
    'jsonpath={.spec.versions[0].additionalPrinterColumns}',
  )
const exclusions = async () =>
  JSON.parse(await kubectl('-n', CONTROL_PLANE, 'get', 'meshconfig', 'portolan-mesh-config', '-o', 'json')).spec.traffic
    ?.outboundIPRangeExclusionList

interface Named {
  readonly kind: string
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly deletionTimestamp?: string }
}

/** What of Portolan's is in the cluster, as kind/namespace/name. */
const written = async () => {
  const { items } = JSON.parse(await kubectl('get', KINDS, '--all-namespaces', '-o', 'json'))
  return items
    .filter(({ metadata }: Named) => metadata.name.includes('portolan') && metadata.deletionTimestamp === undefined)
    .map(({ kind, metadata: { namespace, name } }: Named) =>
      [kind, ...(namespace === undefined ? [] : [namespace]), name].join('/'),
    )
    .toSorted()
}

beforeAll(async () => {
  olderChart = await mkdtemp(join(tmpdir(), 'portolan-older-'))
  await cp(CHART, olderChart, { recursive: true })
  const crd = parse(await readFile(join(CHART, CRD), 'utf8'))
  delete crd.spec.versions[0].additionalPrinterColumns
  await writeFile(join(olderChart, CRD), stringify(crd, { compat: 'yaml-1.1' }))
  clusters = await chooseProvider()
  await clusters.up([CLUSTER])
  for (const image of [IMAGE.portolan, IMAGE.demoApp]) await clusters.loadImage(CLUSTER, image)
  await kubectl('create', 'namespace', CONTROL_PLANE)
  await kubectl('label', 'namespace', CONTROL_PLANE, 'pod-security.kubernetes.io/enforce=restricted')
})

afterAll(async () => {
  await rm(olderChart, { recursive: true, force: true })
  if (process.env['KEEP_CLUSTERS'] === undefined) await clusters.down([CLUSTER])
})

// One after another: each goes on where the one before has left the cluster.
describe('a release', () => {
  test('installs, and everything is ready', async () => {
    expect(await installFrom(olderChart)).toContain('as cluster default/default/default/chart of mesh portolan')
    const { items } = JSON.parse(await kubectl('-n', CONTROL_PLANE, 'get', 'deployments', '-o', 'json'))
    const replicas = items.map(
      ({ metadata, status }: { metadata: { name: string }; status: { readyReplicas: number } }) => [
        metadata.name,
        status.readyReplicas,
      ],
    )
    expect(Object.fromEntries(replicas)).toEqual({
      'portolan-compiler': 2,
      'portolan-dns': 2,
      'portolan-federation': 2,
      'portolan-egress': 2,
      'portolan-gateway': 2,
      'portolan-identity': 2,
      'portolan-webhook': 2,
    })
  })

  test('passes its own test', async () => {
    const said = await helm('test', '--logs')
    expect(said).toMatch(/ok {6}webhook: .*\n *ok {6}dns: .*\n *ok {6}gateway: answers with HTTP 404/)
  })

  test('upgrades its CRDs, and leaves alone what users and the webhook have written', async () => {
    await kubectl(
      '-n',
      CONTROL_PLANE,
      'patch',
      'meshconfig',
      'portolan-mesh-config',
      '--type=merge',
      '-p',
      JSON.stringify({ spec: { traffic: { outboundIPRangeExclusionList: PATCHED } } }),
    )
    await succeed('kubectl', ['apply', '-f', '-'], POLICY)
    const bundle = () =>
      kubectl('get', 'mutatingwebhookconfiguration', 'portolan', '-o', 'jsonpath={.webhooks[*].clientConfig.caBundle}')
    const before = await bundle()
    expect(before.split(' ')).toHaveLength(3)

    expect(await columns()).toBe('')
    await installFrom(CHART, '--set', 'webhook.timeoutSeconds=4')

    expect(await bundle()).toBe(before)
    expect(
      await kubectl('get', 'mutatingwebhookconfiguration', 'portolan', '-o', 'jsonpath={.webhooks[*].timeoutSeconds}'),
    ).toBe('4 4 4')
    expect(await kubectl('get', 'gtp', 'kept')).toMatch(/^NAME +\S+/)
    expect(await columns()).toContain('.spec.lbType')
    expect(await exclusions()).toEqual(PATCHED)
  })

  test('goes without taking its users’ objects along, and comes back to them', async () => {
    expect(await helm('uninstall', '--wait')).toContain('globaltrafficpolicies.flomesh.io')
    expect(await kubectl('get', 'gtp', 'kept', '-o', 'name')).toContain('kept')
    expect(await kubectl('get', 'deployments', '-n', CONTROL_PLANE, '-o', 'name')).toBe('')

    await installFrom(CHART)
    expect(await exclusions()).toEqual(PATCHED)
    expect(await helm('test')).toContain('Succeeded')
  })

  test('keeps what a pod with a sidecar works by when it goes', async () => {
    await succeed('kubectl', ['apply', '-f', '-'], MESH_POD)
    await kubectl('-n', 'shop', 'wait', '--for=condition=Ready', 'pod/web', '--timeout=150s')
    const dns = () => kubectl('-n', CONTROL_PLANE, 'get', 'service', 'portolan-dns', '-o', 'jsonpath={.spec.clusterIP}')
    const before = await dns()
    await helm('uninstall', '--wait')
    expect(await written()).toEqual([
      'ConfigMap/portolan-system/portolan-dns',
      'ConfigMap/portolan-system/portolan-identity',
      'ConfigMap/shop/portolan-routes',
      'MeshConfig/portolan-system/portolan-mesh-config',
      'Secret/portolan-system/portolan-ca',
      'Secret/shop/portolan-identity',
      'Service/portolan-system/portolan-dns',
    ])
    expect(await dns()).toBe(before)
    await installFrom(CHART)
    expect(await dns()).toBe(before)
  })

  test('leaves nothing but the CRDs and what its users have written', async () => {
    await kubectl('-n', 'shop', 'delete', 'pod', 'web', '--grace-period=0', '--force')
    await helm('uninstall', '--wait')
    expect(await written()).toEqual(['MeshConfig/portolan-system/portolan-mesh-config'])
    const { metadata, status } = JSON.parse(await kubectl('get', 'gtp', 'kept', '-o', 'json'))
    expect(metadata.finalizers).toBeUndefined()
    expect(status?.conditions).toBeUndefined()
    expect(await kubectl('get', 'crd', '-l', 'app.kubernetes.io/part-of=portolan', '-o', 'name')).toContain(
      'globaltrafficpolicies.flomesh.io',
    )
  })
})
