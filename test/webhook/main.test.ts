import { pino } from 'pino'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { NAMESPACES, PODS, SERVICES } from '../../api/resources.ts'
import { createClient, type KubeClient } from '../../kube/client.ts'
import { must } from '../../kube/failure.ts'
import { runWebhook, type WebhookOptions } from '../../webhook/main.ts'
import { parseManifests, render } from '../chart/helm.ts'
import { type ApiServer, startApiServer } from '../kube/apiserver.ts'
import { CRDS } from '../kube/crds.ts'
import { freePorts } from '../lab/ports.ts'
import { until } from '../lab/run.ts'

const SYSTEM = 'portolan-system'
const USER = { name: 'webhook', groups: [] }

let api: ApiServer
let admin: KubeClient
let webhook: KubeClient
let ports: readonly number[]
let options: WebhookOptions
let running: Promise<void>
const lines: Record<string, unknown>[] = []
const stopping = new AbortController()

/** The chart's own configurations and rules, with a port of this process in place of its Service. */
async function install(): Promise<void> {
  done(await api.kubectl(['apply', ...CRDS]))
  must(await admin.create(NAMESPACES, { metadata: { name: SYSTEM } }))
  const manifests = parseManifests(await render()).flatMap((manifest) => {
    const text = JSON.stringify(manifest)
    if (manifest.kind.endsWith('WebhookConfiguration')) {
      const at = (path: string) => `{"url":"https://localhost:${ports[0]}${path}"}`
      return [JSON.parse(text.replaceAll(/\{"service":\{[^}]*"path":"([^"]*)"[^}]*\}\}/g, (_all, path) => at(path)))]
    }
    if (!manifest.metadata.name.includes('webhook') || !/Role/.test(manifest.kind)) return []
    const subject = JSON.stringify([{ kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name: USER.name }])
    return [JSON.parse(text.replace(/"subjects":\[[^\]]*\]/, `"subjects":${subject}`))]
  })
  done(await api.kubectl(['apply', '-f', '-'], manifests.map((manifest) => stringify(manifest)).join('---\n')))
}

function done({ code, stderr }: { readonly code: number; readonly stderr: string }): void {
  if (code !== 0) throw new Error(stderr)
}

beforeAll(async () => {
  api = await startApiServer({ users: [USER] })
  admin = createClient(api.connection)
  webhook = createClient(api.connectionOf(USER))
  ports = await freePorts(3)
  await install()
  const [port = 0, healthPort = 0, metricsPort = 0] = ports
  options = {
    namespace: SYSTEM,
    service: 'portolan-webhook',
    extraNames: ['localhost'],
    meshName: 'portolan',
    meshConfig: { namespace: SYSTEM, name: 'portolan-mesh-config' },
    proxyImage: 'envoy:1',
    initImage: 'portolan:1',
    imagePullPolicy: 'IfNotPresent',
    dnsService: 'portolan-dns',
    clusterKey: 'default/default/default/west',
    clusterDomain: 'cluster.local',
    mtls: false,
    vipRange: '240.240.0.0/16',
    secret: 'portolan-webhook-tls',
    webhookConfigs: ['portolan'],
    port,
    healthPort,
    metricsPort,
  }
  const log = pino({}, { write: (line: string) => void lines.push(JSON.parse(line)) })
  running = runWebhook(options, webhook, log, stopping.signal)
})
afterAll(async () => {
  stopping.abort()
  await running
  await Promise.all([admin?.close(), webhook?.close()])
  await api?.stop()
})

const ready = async (): Promise<readonly [number, string]> => {
  const answer = await fetch(`http://127.0.0.1:${options.healthPort}/readyz`)
  return [answer.status, (await answer.text()).trim()]
}

const apply = async (object: unknown, ...args: readonly string[]) =>
  api.kubectl(['apply', '-o', 'json', ...args, '-f', '-'], JSON.stringify(object))

const namespace = (name: string, metadata: object) => ({
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name, ...metadata },
})

const JOINED = {
  labels: { 'flomesh.io/monitored-by': 'portolan' },
  annotations: { 'flomesh.io/sidecar-injection': 'enabled' },
}

const pod = (name: string, metadata = {}, spec = {}) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'shop', ...metadata },
  spec: { containers: [{ name: 'app', image: 'app:1' }], ...spec },
})

test('is not ready before mesh DNS has an address, and says so', async () => {
  await until('it waits for nothing else', async () => {
    const [status, text] = await ready().catch(() => [0, ''] as const)
    return status === 503 && text === `waiting for an address of Service ${SYSTEM}/portolan-dns`
  })
  must(
    await admin.create(SERVICES, {
      metadata: { namespace: SYSTEM, name: 'portolan-dns' },
      spec: { ports: [{ port: 53, protocol: 'UDP' }] },
    }),
  )
  await until('ready', async () => (await ready())[0] === 200)
  // The API server trusts it a moment after it has been told whom to trust.
  done(await apply(namespace('first', JOINED)))
  await until('the API server asks it', async () => {
    const { stdout } = await apply(pod('probe', { namespace: 'first' }), '--dry-run=server')
    return JSON.parse(stdout).spec.initContainers !== undefined
  })
})

test('injects a pod of a namespace that joined a moment ago, and leaves the others alone', async () => {
  done(await apply(namespace('shop', JOINED)))
  const injected = JSON.parse((await apply(pod('cart'))).stdout)
  expect(injected.spec.initContainers.map(({ name }: { name: string }) => name)).toEqual([
    'portolan-proxy',
    'portolan-init',
  ])
  const dns = must(await admin.get(SERVICES, { namespace: SYSTEM, name: 'portolan-dns' })).spec.clusterIP
  expect(injected.spec.dnsConfig.nameservers).toEqual([dns])

  done(await apply(namespace('elsewhere', {})))
  const plain = JSON.parse((await apply({ ...pod('cart'), metadata: { name: 'cart', namespace: 'elsewhere' } })).stdout)
  expect(plain.spec.initContainers).toBeUndefined()
})

test('goes by the MeshConfig as it is now', async () => {
  const meshConfig = (ports: number[]) => ({
    apiVersion: 'config.flomesh.io/v1alpha1',
    kind: 'MeshConfig',
    metadata: options.meshConfig,
    spec: { traffic: { outboundPortExclusionList: ports } },
  })
  done(await apply(meshConfig([6379])))
  await until('the exclusion is in the rules', async () =>
    (await apply(pod('dry'), '--dry-run=server')).stdout.includes('--dports 6379 -j RETURN'),
  )
  const bad = await apply(meshConfig([0, 65536]))
  expect(bad.code).toBe(1)
  expect(bad.stderr).toContain('spec.traffic.outboundPortExclusionList[0]')
  expect(bad.stderr).toContain('spec.traffic.outboundPortExclusionList[1]')
})

test('refuses a pod with everything that is wrong in one message, and nothing is written', async () => {
  const annotations = { 'flomesh.io/sidecar-injection': 'maybe', 'flomesh.io/outbound-port-exclusion-list': '0,http' }
  for (const args of [[], ['--dry-run=server']]) {
    const { code, stderr } = await apply(pod('bad', { annotations }), ...args)
    expect(code).toBe(1)
    expect(stderr).toContain('3 problems:')
    for (const value of ['"maybe"', '"0"', '"http"']) expect(stderr).toContain(value)
  }
  expect((await admin.get(PODS, { namespace: 'shop', name: 'bad' })).ok).toBe(false)
})

test('a warning reaches the one who applies', async () => {
  const { code, stderr } = await apply(pod('own-dns', {}, { dnsPolicy: 'Default' }))
  expect([code, stderr]).toEqual([0, expect.stringContaining('keeps its own dnsPolicy "Default"')])
})

test('refuses an object of ours with all problems at once, a dry run alike', async () => {
  const policy = {
    apiVersion: 'flomesh.io/v1alpha1',
    kind: 'GlobalTrafficPolicy',
    metadata: { namespace: 'shop', name: 'cart' },
    spec: { lbType: 'FailOver', targets: [{ clusterKey: 'cluster-1', weight: -1 }] },
  }
  for (const args of [[], ['--dry-run=server']]) {
    const { code, stderr } = await apply(policy, ...args)
    expect(code).toBe(1)
    expect(stderr).toContain('spec.targets[0].clusterKey')
    expect(stderr).toContain('spec.targets[0].weight')
  }
})

test('checks exports of the standard, in both versions', async () => {
  const exported = (version: string, exportedLabels: object) => ({
    apiVersion: `multicluster.x-k8s.io/${version}`,
    kind: 'ServiceExport',
    metadata: { namespace: 'shop', name: 'pay' },
    spec: { exportedLabels },
  })
  for (const version of ['v1alpha1', 'v1beta1']) {
    const bad = await apply(exported(version, { tier: 'front end' }))
    expect([bad.code, bad.stderr]).toEqual([1, expect.stringContaining('spec.exportedLabels[tier]: "front end"')])
    const good = await apply(exported(version, { tier: 'front' }))
    expect([good.code, good.stderr]).toEqual([0, expect.stringContaining('there is no Service shop/pay (yet)')])
  }
})

test('warns of annotations of Services that say nothing, and is not asked about other Services', async () => {
  const service = (name: string, annotations?: object) => ({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { namespace: 'shop', name, ...(annotations === undefined ? {} : { annotations }) },
    spec: { ports: [{ port: 80 }] },
  })
  const { code, stderr } = await apply(service('shared', { 'io.cilium/global-service': 'yes' }))
  expect([code, stderr]).toEqual([
    0,
    expect.stringContaining(
      'metadata.annotations[io.cilium/global-service]: "yes" is none of true, false, so false holds',
    ),
  ])
  for (const each of [service('plain'), service('noted', { 'example.com/note': 'true' })]) done(await apply(each))
  done(await api.kubectl(['annotate', 'service', '-n', 'shop', 'plain', 'service.cilium.io/affinity=local']))
  const asked = lines.flatMap(({ object }) =>
    (object as { kind?: string } | undefined)?.kind === 'Service' ? [object] : [],
  )
  expect(asked).toEqual(['shared', 'plain'].map((name) => ({ kind: 'Service', namespace: 'shop', name })))
})

test('knows this cluster by the name that its hub gives it', async () => {
  const north = 'eu/eu-1/shop/north'
  const ours = (kind: string, spec: object) => ({
    apiVersion: 'flomesh.io/v1alpha1',
    kind,
    metadata: { namespace: 'shop', name: 'pay' },
    spec,
  })
  const target = { host: '10.9.0.1', port: 80, path: '/pay' }
  const endpoints = [{ clusterKey: 'default/default/default/east', target }]
  done(await apply(ours('ServiceImport', { ports: [{ port: 8080, endpoints }] })))
  const said = async (clusterKey = north) => {
    const policy = ours('GlobalTrafficPolicy', { lbType: 'ActiveActive', targets: [{ clusterKey }] })
    return (await apply(policy, '--dry-run=server')).stderr
  }
  await until('it is taken for another cluster', async () => (await said()).includes(`"${north}" does not export`))
  const metadata = { namespace: SYSTEM, name: 'portolan-cluster' }
  done(await apply({ apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { clusterKey: north } }))
  await until('it is known for this one', async () => (await said()) === '')
  expect(await said('default/default/default/north')).toContain(`the cluster of that name has the key ${north}`)
  expect(await said('eu/eu-1/shop/east')).toContain('Write default/default/default/east in its place')
})

test('counts what it decided, and serves the counts', async () => {
  const metrics = await (await fetch(`http://127.0.0.1:${options.metricsPort}/metrics`)).text()
  expect(metrics).toMatch(
    /portolan_admission_decisions_total\{door="inject",outcome="patched",reason="Injected"\} [1-9]/,
  )
  expect(lines.some(({ door, codes }) => door === 'inject' && String(codes) === 'Injected')).toBe(true)
  // The chart's rules are enough for everything it did.
  expect(lines.filter(({ msg }) => /forbidden/i.test(String(msg)))).toEqual([])
})
