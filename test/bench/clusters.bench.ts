/**
 * `node test/bench/clusters.bench.ts`: what Portolan costs on real clusters. Brings up its own (a lab of its own beside any other), prints rows of
 * Markdown, and takes them down. Each comparison is made within one run, its two sides in turn, since machines are noisy.
 */
import { join } from 'node:path'
import {
  app,
  client,
  clusterKey,
  documents,
  meshNamespace,
  plainNamespace,
  policy,
  serviceExport,
  serviceImport,
} from '../e2e/manifests.ts'
import {
  CONTROL_PLANE,
  describeSites,
  GATEWAY_NODE_PORT,
  helm,
  installMesh,
  SITES_VARIABLE,
  sites,
} from '../e2e/mesh.ts'
import { propagate } from '../e2e/propagation.ts'
import { apply, exec, get, kubectl, type Loose, rolledOut, type Site } from '../e2e/site.ts'
import { CACHE } from '../lab/cache.ts'
import { type ClusterProvider, chooseProvider } from '../lab/provider.ts'
import { until } from '../lab/run.ts'

const NS = 'bench'
const NAMES = ['east', 'west']

const sorted = (values: readonly number[]) => [...values].sort((a, b) => a - b)
const quantile = (values: readonly number[], q: number) =>
  sorted(values)[Math.min(values.length - 1, Math.floor(q * values.length))] ?? Number.NaN
const row = (...cells: readonly (string | number)[]) => console.log(`| ${cells.join(' | ')} |`)
const table = (...head: readonly string[]) => {
  console.log('')
  row(...head)
  row(...head.map(() => '---'))
}
const timed = async (body: () => Promise<unknown>) => {
  const start = performance.now()
  await body()
  return (performance.now() - start) / 1000
}

/** Seconds from `kubectl create` to Ready, as the API server stamps cannot tell: they are whole seconds. */
async function createToReady(site: Site, namespace: string, name: string, annotations = {}): Promise<number> {
  const { spec } = client(namespace, name).spec.template
  const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace, annotations }, spec }
  const seconds = await timed(async () => {
    await apply(site, documents(pod))
    await kubectl(site, '-n', namespace, 'wait', '--for=condition=Ready', `pod/${name}`, '--timeout=60s')
  })
  await kubectl(site, '-n', namespace, 'delete', 'pod', name, '--wait=true', '--grace-period=1')
  return seconds
}

async function podStart(site: Site): Promise<void> {
  const samples: Record<'plain' | 'injected' | 'injected, without capture', number[]> = {
    plain: [],
    injected: [],
    'injected, without capture': [],
  }
  for (let n = 0; n < 10; n++) {
    samples.plain.push(await createToReady(site, `${NS}-plain`, `p${n}`))
    samples.injected.push(await createToReady(site, NS, `i${n}`))
    const explicit = { 'flomesh.io/interception': 'explicit' }
    samples['injected, without capture'].push(await createToReady(site, NS, `e${n}`, explicit))
  }
  table('pod create → Ready (10 each, in turn)', 'p50 s', 'max s')
  for (const [name, values] of Object.entries(samples))
    row(name, quantile(values, 0.5).toFixed(2), quantile(values, 1).toFixed(2))
  const added = (values: readonly number[]) => (quantile(values, 0.5) - quantile(samples.plain, 0.5)).toFixed(2)
  row('injection adds', added(samples.injected), '')
  row('and without capture', added(samples['injected, without capture']), '')
}

async function latency(west: Site, direct: string): Promise<void> {
  // One client, one connection, request after request: the two ways in turn, 500 requests at a time.
  const script = `
    const http = require('node:http')
    const ways = { direct: ${JSON.stringify(direct)}, sidecar: 'http://httpbin.${NS}:8080/' }
    const agents = Object.fromEntries(Object.keys(ways).map((way) => [way, new http.Agent({ keepAlive: true, maxSockets: 1 })]))
    const call = (way) => new Promise((resolve, reject) => {
      const start = performance.now()
      http.get(ways[way], { agent: agents[way] }, (r) => r.resume().on('end', () => resolve(performance.now() - start))).on('error', reject)
    })
    const times = { direct: [], sidecar: [] }
    ;(async () => {
      for (let round = 0; round < 8; round++) for (const way of Object.keys(ways)) for (let n = 0; n < 500; n++) {
        const ms = await call(way)
        if (round > 0) times[way].push(ms)
      }
      const q = (v, p) => v.sort((a, b) => a - b)[Math.floor(v.length * p)].toFixed(2)
      console.log(JSON.stringify(Object.fromEntries(Object.entries(times).map(([way, v]) => [way, [q(v, 0.5), q(v, 0.99)]]))))
      process.exit()
    })()`
  const { stdout, stderr } = await exec(west, NS, 'deploy/client', 'curl', 'node', '-e', script)
  if (stdout === '') throw new Error(stderr)
  const result = JSON.parse(stdout) as Record<'direct' | 'sidecar', [string, string]>
  table('one request, pod → other cluster’s gateway → pod', 'p50 ms', 'p99 ms')
  row("straight to the gateway's address", ...result.direct)
  row('through the sidecar', ...result.sidecar)
  row(
    'ratio',
    (Number(result.sidecar[0]) / Number(result.direct[0])).toFixed(2),
    (Number(result.sidecar[1]) / Number(result.direct[1])).toFixed(2),
  )
}

async function propagation(west: Site, rounds: number, label: string): Promise<void> {
  const targets = ['east', 'other'].map((name) => clusterKey(name))
  const seconds: number[] = []
  for (let n = 0; n < rounds; n++) {
    const manifest = documents(
      policy(
        NS,
        'httpbin',
        'ActiveActive',
        targets.map((clusterKey) => ({ clusterKey, weight: 100 + n })),
      ),
    )
    seconds.push(...(await propagate(west, NS, 'app=client', manifest)))
  }
  row(label, quantile(seconds, 0.5).toFixed(2), quantile(seconds, 1).toFixed(2))
}

async function sidecarMemory(west: Site): Promise<void> {
  const { stdout } = await exec(
    west,
    NS,
    'deploy/client',
    'curl',
    'curl',
    '-s',
    'http://127.0.0.1:15090/stats?filter=^server.memory_',
  )
  const allocated = /server.memory_allocated: (\d+)/.exec(stdout)?.[1] ?? '0'
  table('memory of a sidecar', 'MiB')
  row('allocated by Envoy, one import', (Number(allocated) / 2 ** 20).toFixed(1))
}

async function start(clusters: ClusterProvider, count: number): Promise<void> {
  const names = Array.from({ length: count }, (_, index) => `c${index + 1}`)
  row(`up, cached: ${count}`, (await timed(() => clusters.up(names))).toFixed(1))
  row(`down: ${count}`, (await timed(() => clusters.down(names))).toFixed(1))
}

process.env['PORTOLAN_LAB'] ??= join(CACHE, 'lab-bench')
const clusters = await chooseProvider()
table('clusters', 's')
await start(clusters, 1)
await start(clusters, 4)
row('two clusters up, cached', (await timed(() => clusters.up(NAMES, { sync: '1m' }))).toFixed(1))
row('chart in both, every pod Ready', (await timed(() => installMesh(clusters, NAMES))).toFixed(1))
process.env[SITES_VARIABLE] = await describeSites(clusters, NAMES)
try {
  const { east, west } = sites()
  await apply(
    east,
    documents(
      plainNamespace(NS),
      ...app({ namespace: NS, name: 'httpbin', says: 'east' }),
      serviceExport(NS, 'httpbin', { rules: [{ portNumber: 8080, path: '/bench' }] }),
    ),
  )
  const remote = { clusterKey: clusterKey('east'), host: east.address, port: GATEWAY_NODE_PORT, path: '/bench' }
  const clients = client(NS, 'client')
  await apply(
    west,
    documents(
      plainNamespace(`${NS}-plain`),
      meshNamespace(NS),
      serviceImport(NS, 'httpbin', [remote, { ...remote, clusterKey: clusterKey('other') }]),
      policy(NS, 'httpbin', 'FailOver', [{ clusterKey: clusterKey('east') }]),
      { ...clients, spec: { ...clients.spec, replicas: 5 } },
    ),
  )
  await rolledOut(east, NS, 'httpbin')
  await kubectl(west, '-n', NS, 'rollout', 'status', 'deploy/client', '--timeout=90s')
  await until('an answer', async () =>
    (await exec(west, NS, 'deploy/client', 'curl', 'curl', '-s', `http://httpbin.${NS}:8080/`)).stdout.includes('east'),
  )

  await podStart(west)
  await latency(west, `http://${east.address}:${GATEWAY_NODE_PORT}/bench/`)
  await sidecarMemory(west)
  table('policy applied → proxies of 5 pods run it (kubelet syncFrequency 1m, its default)', 'p50 s', 'max s')
  await propagation(west, 4, 'with the nudge')
  await helm('west', '--set', 'compiler.nudge=false')
  await kubectl(west, '-n', CONTROL_PLANE, 'rollout', 'status', 'deploy/portolan-compiler', '--timeout=60s')
  await propagation(west, 2, 'without')
  const pods: Loose[] = (await get(west, '-n', CONTROL_PLANE, 'pod')).items
  console.log(
    `\n${pods.length} pods of the control plane in west, restarts: ${pods.flatMap((pod) => pod.status.containerStatuses).reduce((n, c) => n + c.restartCount, 0)}`,
  )
} finally {
  table('clusters', 's')
  row('down, without a trace', (await timed(() => clusters.down(NAMES))).toFixed(1))
}
