/**
 * What a hub costs: real API servers as members, without nodes, and the hub as the process that a pod runs.
 *
 *     node test/bench/federation.bench.ts [members=50] [exports of each=200] [shared|own]
 *
 * Two shapes: every service exported by all members (shared), and services of one member each, for two others (own). The first
 * round of each has a tenth of the exports, so that what a change costs can be compared with a set ten times as large.
 */

import { spawn } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { KubeObject } from '../../api/meta.ts'
import { CLUSTERS, NAMESPACES, SERVICE_EXPORTS, SERVICE_IMPORTS, SERVICES } from '../../api/resources.ts'
import { createClient, type KubeClient } from '../../kube/client.ts'
import { must } from '../../kube/failure.ts'
import type { Resource } from '../../kube/object.ts'
import { type ApiServer, startApiServer, startEtcd } from '../kube/apiserver.ts'
import { SYSTEM } from '../kube/compiler.ts'
import { CRDS } from '../kube/crds.ts'
import { freePorts } from '../lab/ports.ts'
import { until } from '../lab/run.ts'

const [MEMBERS = 50, EXPORTS = 200] = process.argv.slice(2, 4).map(Number)
const ONLY = process.argv[4]
const CHANGES = 20
const NS = 'bench'
const CLI = join(import.meta.dirname, '../../cli/main.ts')

const row = (...cells: readonly (string | number)[]) => console.log(`| ${cells.join(' | ')} |`)
const quantile = (values: readonly number[], q: number): number =>
  values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(q * values.length))] ?? Number.NaN
const nameOf = (index: number) => `cluster-${String(index).padStart(2, '0')}`

interface Server {
  readonly api: ApiServer
  readonly client: KubeClient
}

async function startServer(etcd: Awaited<ReturnType<typeof startEtcd>>): Promise<Server> {
  const api = await startApiServer({ etcd })
  const kubectl = async (...args: readonly string[]) => {
    const { code, stderr } = await api.kubectl(args)
    if (code !== 0) throw new Error(stderr)
  }
  await kubectl('apply', ...CRDS)
  await kubectl('wait', '--for=condition=Established', 'crd', '--all', '--timeout=120s')
  const client = createClient(api.connection, { timeoutMs: 60_000 })
  for (const name of [SYSTEM, NS]) must(await client.create(NAMESPACES, { metadata: { name } }))
  return { api, client }
}

/** At most `width` at once. */
async function each<T>(items: readonly T[], width: number, body: (item: T) => Promise<unknown>): Promise<void> {
  const queue = items.values()
  const work = async () => {
    for (const item of queue) await body(item)
  }
  await Promise.all(Array.from({ length: width }, work))
}

const create = async <T extends KubeObject>(client: KubeClient, resource: Resource<T>, object: object) =>
  must(await client.create<T>(resource, object as Parameters<typeof client.create<T>>[1]))

async function offer({ client }: Server, name: string, targetClusters: readonly string[]): Promise<void> {
  const metadata = { namespace: NS, name }
  await create(client, SERVICES, { metadata, spec: { ports: [{ name: 'http', port: 8080 }] } })
  await create(client, SERVICE_EXPORTS, { metadata, spec: { targetClusters } })
}

interface Hub {
  readonly pid: number
  readonly metrics: () => Promise<string>
  readonly stop: () => Promise<void>
}

async function startHub(kubeconfig: string): Promise<Hub> {
  const [health, metrics] = await freePorts(2)
  const flags = ['--kubeconfig', kubeconfig, '--namespace', SYSTEM, '--identity', 'bench', '--log-level', 'error']
  // What Node gives itself in the 1 GiB of the chart; with the memory of a whole machine it would put off collecting.
  const child = spawn(
    process.execPath,
    [
      '--max-old-space-size=560',
      CLI,
      'federation',
      ...flags,
      '--health-port',
      `${health}`,
      '--metrics-port',
      `${metrics}`,
    ],
    { stdio: ['ignore', 'inherit', 'inherit'] },
  )
  return {
    pid: child.pid ?? 0,
    metrics: async () => (await fetch(`http://127.0.0.1:${metrics}/metrics`)).text(),
    stop: async () => {
      const ended = new Promise((resolve) => child.once('exit', resolve))
      child.kill('SIGTERM')
      await ended
    },
  }
}

/** Seconds of processor time since the process began. */
async function cpuOf(pid: number): Promise<number> {
  const fields = (await readFile(`/proc/${pid}/stat`, 'utf8')).split(') ')[1]?.split(' ') ?? []
  return (Number(fields[11]) + Number(fields[12])) / 100
}

const memoryOf = async (pid: number): Promise<number> =>
  Number(/VmRSS:\s+(\d+)/.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024

const OURS =
  /^apiserver_request_total\{.*resource="(services|serviceexports|serviceimports|namespaces|configmaps|secrets|clusters|events)".*verb="(\w+)".*\} (\d+)/gm

/** Requests to all servers so far, but for watches and leases: those do not come with a change. */
async function calls(servers: readonly Server[]): Promise<number> {
  const texts = await Promise.all(servers.map(async ({ client }) => must(await client.raw('/metrics'))))
  return texts
    .flatMap((text) => [...text.matchAll(OURS)])
    .filter(([, , verb]) => verb !== 'WATCH')
    .reduce((sum, [, , , count]) => sum + Number(count), 0)
}

/** Of the JavaScript heap, in MB. */
const heapOf = async (hub: Hub): Promise<number> =>
  Number(/^nodejs_heap_size_used_bytes (\S+)/m.exec(await hub.metrics())?.[1]) / 1e6

const importsOf = async ({ client }: Server) => must(await client.list(SERVICE_IMPORTS, { namespace: NS })).items

/** Until the hub has worked for less than 3 % of the time in three windows one after another: heartbeats alone take 1 %. */
async function quiet(pid: number): Promise<void> {
  const window = 4_000
  let before = await cpuOf(pid)
  let calm = 0
  await until(
    'the hub to rest',
    async () => {
      await new Promise((resolve) => setTimeout(resolve, window))
      const now = await cpuOf(pid)
      calm = now - before < (0.03 * window) / 1000 ? calm + 1 : 0
      before = now
      return calm === 3
    },
    { timeout: 1_800_000 },
  )
}

interface Shape {
  readonly id: 'shared' | 'own'
  readonly title: string
  readonly targets: (member: number) => readonly string[]
  readonly name: (member: number, index: number) => string
}

const key = (index: number) => `default/default/default/${nameOf(index % MEMBERS)}`
const SHAPES: readonly Shape[] = [
  { id: 'shared', title: 'every service exported by all', targets: () => [], name: (_, index) => `shared-${index}` },
  {
    id: 'own',
    title: 'each service of one member, for two others',
    targets: (member) => [key(member + 1), key(member + 2)],
    name: (member, index) => `own-${member}-${index}`,
  },
]

/** One more export at the first member: until the second has its import, in milliseconds; and what all of it cost. */
async function change(members: readonly Server[], hub: Hub, shape: Shape, n: number) {
  const [first, second] = members as [Server, Server]
  const name = `${shape.name(0, 0)}-change-${n}`
  const metadata = { namespace: NS, name }
  await create(first.client, SERVICES, { metadata, spec: { ports: [{ name: 'http', port: 8080 }] } })
  const watch = must(
    await second.client.watch(SERVICE_IMPORTS, {
      namespace: NS,
      resourceVersion: must(await second.client.list(SERVICE_IMPORTS, { namespace: NS })).resourceVersion,
      timeoutSeconds: 60,
      signal: AbortSignal.timeout(60_000),
    }),
  )
  const start = performance.now()
  await create(first.client, SERVICE_EXPORTS, { metadata, spec: { targetClusters: shape.targets(0) } })
  for await (const event of watch) {
    if (event.type === 'ADDED' && event.object.metadata.name === name) break
    if (event.type === 'ERROR') throw new Error(event.failure.message)
  }
  const ms = performance.now() - start
  await new Promise((resolve) => setTimeout(resolve, 1_500))
  return { ms, cpu: await cpuOf(hub.pid) }
}

async function measure(members: readonly Server[], hub: Hub, shape: Shape, exports: number): Promise<void> {
  const begun = performance.now()
  const cpuBefore = await cpuOf(hub.pid)
  const all = members.flatMap((server, member) =>
    Array.from({ length: exports }, (_, index) => ({
      server,
      name: shape.name(member, index),
      targets: shape.targets(member),
    })),
  )
  await each(all, 16, ({ server, name, targets }) => offer(server, name, targets))
  const made = performance.now()
  await quiet(hub.pid)
  const [one] = members as [Server]
  const imports = (await importsOf(one)).length
  const settle = {
    writing: (made - begun) / 1000,
    settling: (performance.now() - made) / 1000,
    cpu: (await cpuOf(hub.pid)) - cpuBefore,
  }
  const idleFrom = { cpu: await cpuOf(hub.pid), calls: await calls(members) }
  await new Promise((resolve) => setTimeout(resolve, 20_000))
  const idle = {
    cpu: ((await cpuOf(hub.pid)) - idleFrom.cpu) / 20,
    calls: ((await calls(members)) - idleFrom.calls) / 20,
  }

  const times: number[] = []
  const before = { cpu: await cpuOf(hub.pid), calls: await calls(members) }
  for (let n = 0; n < CHANGES; n++) times.push((await change(members, hub, shape, exports * 1000 + n)).ms)
  const after = { cpu: await cpuOf(hub.pid), calls: await calls(members) }
  // Of each change the bench itself makes three: Service, list, export.
  const perChange = (after.calls - before.calls) / CHANGES - 3
  const seconds = CHANGES * 1.6
  row(
    shape.title,
    `${members.length} × ${exports}`,
    imports,
    `${settle.writing.toFixed(0)} + ${settle.settling.toFixed(0)}`,
    settle.cpu.toFixed(1),
    `${(await memoryOf(hub.pid)).toFixed(0)} (${(await heapOf(hub)).toFixed(0)})`,
    (100 * idle.cpu).toFixed(1),
    idle.calls.toFixed(1),
    quantile(times, 0.5).toFixed(0),
    quantile(times, 1).toFixed(0),
    perChange.toFixed(0),
    (((after.cpu - before.cpu - idle.cpu * seconds) / CHANGES) * 1000).toFixed(0),
  )
}

const etcd = await startEtcd()
const servers: Server[] = []
const began = performance.now()
await each(
  Array.from({ length: MEMBERS + 1 }, (_, index) => index),
  3,
  async () => void servers.push(await startServer(etcd)),
)
console.log(`\n${MEMBERS} members and a hub started in ${((performance.now() - began) / 1000).toFixed(0)} s`)
const [home, ...members] = servers as [Server, ...Server[]]
const hub = await startHub(home.api.kubeconfig)
try {
  for (const [index, { api }] of members.entries()) {
    const spec = { gatewayHost: `10.9.${index}.1`, gatewayPort: 80, kubeconfig: await readFile(api.kubeconfig, 'utf8') }
    await create(home.client, CLUSTERS, { metadata: { name: nameOf(index) }, spec })
  }
  await until('all connected', async () => {
    const clusters = must(await home.client.list(CLUSTERS)).items
    return clusters.every(({ status }) =>
      status?.conditions?.some(({ type, status }) => type === 'Managed' && status === 'True'),
    )
  })
  await quiet(hub.pid)
  console.log(`hub with no exports: ${(await memoryOf(hub.pid)).toFixed(0)} MB`)
  console.log('')
  row(
    'shape',
    'members × exports',
    'imports of one member',
    'exports written + all imported, s',
    'hub CPU for that, s',
    'hub RSS (heap), MB',
    'hub CPU idle, %',
    'calls per s, idle',
    'export → import p50 ms',
    'max ms',
    'calls per change',
    'hub CPU per change, ms',
  )
  row(...Array.from({ length: 12 }, () => '---'))
  for (const shape of SHAPES.filter(({ id }) => ONLY === undefined || id === ONLY))
    for (const exports of [Math.ceil(EXPORTS / 10), EXPORTS]) {
      await measure(members, hub, shape, exports)
      await each(members, 8, async ({ client }) => {
        for (const resource of [SERVICE_EXPORTS, SERVICES] as const)
          for (const { metadata } of must(await client.list<KubeObject>(resource, { namespace: NS })).items)
            must(await client.delete(resource, { namespace: NS, name: metadata.name }))
      })
      await quiet(hub.pid)
      const left = (await Promise.all(members.map(importsOf))).reduce((sum, items) => sum + items.length, 0)
      if (left > 0) throw new Error(`${left} imports are left of exports that are gone`)
    }
} finally {
  await hub.stop()
  await Promise.all(servers.map(({ api }) => api.stop()))
  await etcd.stop()
}
