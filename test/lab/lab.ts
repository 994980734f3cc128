/** Real Kubernetes clusters on one Linux machine without a container engine: up, down, and what is in between. */
import { spawn } from 'node:child_process'
import { mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { connectAdmin, hasCondition } from './api.ts'
import { CACHE, locked, say, shortHash } from './cache.ts'
import { cgroups } from './cgroup.ts'
import { nodeFiles, REGISTRY_STORE, type Tools } from './config.ts'
import { IMAGE } from './images.ts'
import { connectHost, connectNode, disconnectLab, disconnectNode, isConnected, isTaken, routePods } from './network.ts'
import { writePki } from './pki.ts'
import {
  type ClusterPlan,
  type Families,
  type LabPlan,
  MAX_CLUSTERS,
  MAX_LABS,
  type NodePlan,
  nameProblem,
  planCluster,
  planLab,
} from './plan.ts'
import { requireMachine, requireNat } from './preflight.ts'
import { until } from './run.ts'
import { copyLinked, plant, registryStore, seed } from './seed.ts'
import {
  forgetCluster,
  forgetLab,
  isWhole,
  labDirectory,
  loadClusters,
  loadLab,
  lockSlots,
  markWhole,
  saveCluster,
  saveSlot,
  slotOwner,
} from './state.ts'
import { binaries, debianPackages, node, wholeToolchain } from './toolchain.ts'

export interface UpOptions {
  /** How often an idle pod's volumes are rewritten (kubelet syncFrequency), as a Go duration; 1s when absent. */
  readonly sync?: string
  /** Nodes per cluster, 1 when absent. */
  readonly nodes?: number
  /** IPv4 when absent. */
  readonly families?: Families
  /** Where the lab lives; PORTOLAN_LAB or the usual place when absent. */
  readonly dir?: string
}

/** What each node gets a copy of. */
interface Stores {
  readonly images: string
  readonly registry: string
}

/** Starts the clusters that are not up yet, side by side; clears first what a crashed start has left of them. */
export async function up(names: readonly string[], options: UpOptions = {}): Promise<readonly ClusterPlan[]> {
  const problems = names.map(nameProblem).filter((problem) => problem !== null)
  if (problems.length > 0) throw new Error(problems.join('\n'))
  await requireMachine()
  const start = performance.now()
  await wholeToolchain()
  const tools = await findTools()
  await requireNat(tools.env)
  const stores = { images: await seed(), registry: await registryStore() }
  const dir = options.dir ?? labDirectory()
  const { lab, wanted, fresh } = await locked(lockOf(dir), () => claim(dir, names, options))
  const results = await Promise.allSettled(fresh.map((cluster) => startCluster(lab, cluster, tools, stores)))
  const failures = results.flatMap((result) => (result.status === 'rejected' ? [result.reason as Error] : []))
  if (failures.length > 0) throw new AggregateError(failures, failures.map((failure) => failure.message).join('\n'))
  if (fresh.length > 0) say(`up    ${fresh.map(({ name }) => name).join(', ')}: ${seconds(start)}`)
  return wanted
}

function seconds(start: number): string {
  return `${((performance.now() - start) / 1000).toFixed(1)} s`
}

/** Not in the directory, which `down` removes: a lock that goes away locks nothing. */
function lockOf(dir: string): string {
  return join(CACHE, `.lock-lab-${shortHash(dir)}`)
}

async function findTools(): Promise<Tools> {
  const debian = await debianPackages()
  return { bin: await binaries(), root: debian.host, env: debian.env, pauseImage: IMAGE.pause, node: await node() }
}

/** Takes slot, indexes and names, on disk, so that whatever is made afterwards can be found and removed. */
async function claim(dir: string, names: readonly string[], options: UpOptions) {
  const lab = await claimLab(dir)
  const present = loadClusters(lab)
  for (const wreck of present.filter((cluster) => names.includes(cluster.name) && !isWhole(cluster)))
    await removeCluster(lab, wreck)
  const kept = loadClusters(lab)
  const taken = new Set(kept.map((cluster) => cluster.index))
  const wanted = names.map((name) => {
    const up = kept.find((cluster) => cluster.name === name)
    if (up !== undefined) return { cluster: up, fresh: false }
    const index = Array.from({ length: MAX_CLUSTERS }, (_, i) => i + 1).find((i) => !taken.has(i))
    if (index === undefined) throw new Error(`a lab holds ${MAX_CLUSTERS} clusters at most`)
    taken.add(index)
    const { nodes = 1, sync = '1s', families = [4] } = options
    const cluster = planCluster(lab, { name, index, nodes, sync, families })
    saveCluster(cluster)
    return { cluster, fresh: true }
  })
  return {
    lab,
    wanted: wanted.map(({ cluster }) => cluster),
    fresh: wanted.filter(({ fresh }) => fresh).map(({ cluster }) => cluster),
  }
}

async function claimLab(dir: string): Promise<LabPlan> {
  const known = loadLab(dir)
  if (known !== null && isConnected(known)) return known
  if (known !== null) await removeLab(known) // a reboot, or a crash between two steps
  const lab = await lockSlots(async () => {
    const plans = Array.from({ length: MAX_LABS }, (_, slot) => planLab(dir, slot))
    const free = plans.find((plan) => slotOwner(plan.slot) === null && !isTaken(plan))
    if (free === undefined) throw new Error(`${MAX_LABS} labs are up on this machine: PORTOLAN_LAB=DIR make lab-down`)
    saveSlot(free)
    return free
  })
  await connectHost(lab)
  return lab
}

async function startCluster(lab: LabPlan, cluster: ClusterPlan, tools: Tools, stores: Stores): Promise<void> {
  const start = performance.now()
  await writePki(cluster)
  await Promise.all(cluster.nodes.map((node) => startNode(lab, cluster, node, tools, stores)))
  for (const node of cluster.nodes)
    await routePods(
      node,
      cluster.nodes.filter((other) => other !== node),
    )
  const api = connectAdmin(cluster)
  try {
    await until(`the API server of ${cluster.name} is ready`, api.isReady, { timeout: 120_000 })
    for (const node of cluster.nodes) writeFileSync(join(node.dir, 'api-ready'), '')
    say(`  ${cluster.name}: API server ready after ${seconds(start)}`)
    const dnsManifest = readFileSync(join(import.meta.dirname, 'coredns.yaml'), 'utf8')
    await api.apply(dnsManifest.replaceAll('IMAGE', IMAGE.coredns).replaceAll('ADDRESS', `'${cluster.dnsAddress}'`))
    for (const node of cluster.nodes)
      await until(
        `node ${node.name} is Ready`,
        async () => hasCondition(await api.get(`/api/v1/nodes/${node.name}`), 'Ready'),
        { timeout: 120_000 },
      )
    const dns = '/apis/apps/v1/namespaces/kube-system/deployments/coredns'
    await until(
      `the DNS of ${cluster.name} is ready`,
      async () => ((await api.get(dns))?.status?.readyReplicas ?? 0) > 0,
      { timeout: 120_000 },
    )
    markWhole(cluster)
    say(`  ${cluster.name}: node and DNS ready after ${seconds(start)}`)
  } catch (cause) {
    throw new Error(`${(cause as Error).message}; logs: ${join(cluster.dir, 'nodes/*/log')}`, { cause })
  } finally {
    await api.close()
  }
}

async function startNode(
  lab: LabPlan,
  cluster: ClusterPlan,
  node: NodePlan,
  tools: Tools,
  stores: Stores,
): Promise<void> {
  for (const [path, content] of nodeFiles(cluster, node, tools)) {
    const file = join(node.dir, path)
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, content, { mode: path.startsWith('daemons/') ? 0o755 : 0o644 })
  }
  for (const when of ['first', 'then']) mkdirSync(join(node.dir, 'daemons', when), { recursive: true })
  for (const part of ['var/containerd', REGISTRY_STORE]) mkdirSync(join(node.dir, part), { recursive: true })
  await plant(stores.images, join(node.dir, 'var/containerd'))
  await copyLinked(stores.registry, join(node.dir, REGISTRY_STORE))
  await connectNode(lab, node)
  const members = cgroups.create(node.cgroup)
  // Joining the group comes before the namespaces: inside, the group's files have other names.
  const script =
    'for file in $members; do echo 0 > "$file"; done; exec nsenter --net="$netns" unshare --mount --pid --fork --kill-child --mount-proc --uts --ipc bash "$@"'
  const output = openSync(join(node.dir, 'node.log'), 'a')
  const args = [
    join(import.meta.dirname, 'node.sh'),
    node.dir,
    node.name,
    String(cgroups.version),
    ...cluster.serviceCidrs.flatMap((services, family) => [services, node.addresses[family] ?? '']),
  ]
  const env = { ...process.env, members: members.join(' '), netns: `/run/netns/${node.namespace}` }
  const child = spawn('sh', ['-ec', script, 'join', ...args], {
    env,
    detached: true,
    stdio: ['ignore', output, output],
  })
  child.on('error', () => {}) // the readiness probe reports it, with the log
  child.unref()
}

/** Ends every cluster of the lab, or those named, and removes all that was made for them. Never fails on what is missing. */
export async function down(names: readonly string[] | null = null, dir = labDirectory()): Promise<void> {
  const lab = loadLab(dir)
  if (lab === null) return
  await locked(lockOf(dir), async () => {
    const going = loadClusters(lab).filter((cluster) => names === null || names.includes(cluster.name))
    await Promise.all(going.map((cluster) => removeCluster(lab, cluster)))
    if (loadClusters(lab).length === 0) await removeLab(lab)
  })
}

/** Goes by the names that begin with the lab's prefix, not by what the lab remembers. */
async function removeLab(lab: LabPlan): Promise<void> {
  await Promise.all(cgroups.names(`${lab.prefix}-`).map(cgroups.remove))
  await disconnectLab(lab)
  forgetLab(lab)
}

async function removeCluster(lab: LabPlan, cluster: ClusterPlan): Promise<void> {
  await Promise.all(
    cluster.nodes.map(async (node) => {
      await cgroups.remove(node.cgroup)
      await disconnectNode(lab, node)
    }),
  )
  forgetCluster(cluster)
}

export interface ClusterStatus {
  readonly name: string
  readonly state: 'up' | 'starting or broken' | 'dead'
  readonly address: string
  readonly kubeconfig: string
  readonly processes: number
  /** Anonymous memory in MiB, null where the kernel does not say. */
  readonly memory: number | null
}

export function status(dir = labDirectory()): readonly ClusterStatus[] {
  const lab = loadLab(dir)
  if (lab === null) return []
  return loadClusters(lab).map((cluster) => {
    const processes = cluster.nodes.flatMap((node) => cgroups.processes(node.cgroup)).length
    const memory = cluster.nodes.map((node) => cgroups.memory(node.cgroup))
    return {
      name: cluster.name,
      state: processes === 0 ? 'dead' : isWhole(cluster) ? 'up' : 'starting or broken',
      address: cluster.nodes[0].address,
      kubeconfig: cluster.kubeconfig,
      processes,
      memory: memory.includes(null)
        ? null
        : Math.round(memory.reduce<number>((sum, each) => sum + (each ?? 0), 0) / 2 ** 20),
    }
  })
}
