/** A hub and members without nodes: real API servers, and Portolan's own processes as their Deployments run them. */
import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'
import { createClient, type KubeClient } from '../../kube/client.ts'
import { type ApiServer, type Etcd, startApiServer, startEtcd } from '../kube/apiserver.ts'
import { CRDS } from '../kube/crds.ts'
import { until } from '../lab/run.ts'
import { clusterKey, SYSTEM } from './walkthrough.ts'

const ROOT = join(import.meta.dirname, '../..')

export interface TestCluster {
  readonly name: string
  readonly api: ApiServer
  /** The administrator's. */
  readonly client: KubeClient
}

/** One of Portolan's processes. */
export interface Process {
  readonly name: string
  readonly start: () => void
  /** SIGKILL; resolves when it is gone. */
  readonly kill: () => Promise<void>
  /** Resolves when it leads since it was last started. */
  readonly leads: () => Promise<unknown>
  /** All that it has said since it was first started. */
  readonly log: () => string
  /** `callback` runs whenever it says something. Returns how to unsubscribe. */
  readonly onOutput: (callback: () => void) => () => void
}

export interface Clusters {
  readonly hub: TestCluster
  readonly members: readonly TestCluster[]
  /** The hub first. */
  readonly all: readonly TestCluster[]
  readonly named: (name: string) => TestCluster
  /** The hub's `federation` and each member's `compiler`, by those names and the cluster's. Running. */
  readonly processes: readonly Process[]
  readonly process: (name: string) => Process
  readonly stop: () => Promise<void>
}

export async function startClusters(hubName: string, memberNames: readonly string[]): Promise<Clusters> {
  const etcd = await startEtcd()
  const [hub, ...members] = (await Promise.all([hubName, ...memberNames].map((name) => startCluster(name, etcd)))) as [
    TestCluster,
    ...TestCluster[],
  ]
  const all = [hub, ...members]
  const processes = [
    portolan('federation', hub, []),
    // Their keys come from the hub. What is held on to for a while would only have to be waited for.
    ...members.map((member) =>
      portolan(`compiler ${member.name}`, member, [
        `--cluster-key=${clusterKey('unknown')}`,
        '--gateway-linger=0',
        '--patience-seconds=0',
      ]),
    ),
  ]
  for (const each of processes) each.start()
  await Promise.all(processes.map((each) => each.leads()))
  const byName = <T extends { readonly name: string }>(items: readonly T[], name: string): T => {
    const found = items.find((each) => each.name === name)
    if (found === undefined) throw new Error(`there is no ${name}`)
    return found
  }
  return {
    hub,
    members,
    all,
    named: (name) => byName(all, name),
    processes,
    process: (name) => byName(processes, name),
    stop: async () => {
      await Promise.all(processes.map((each) => each.kill()))
      await Promise.all(all.map(({ client }) => client.close()))
      await Promise.all(all.map(({ api }) => api.stop()))
      await etcd.stop()
    },
  }
}

async function startCluster(name: string, etcd: Etcd): Promise<TestCluster> {
  const api = await startApiServer({ etcd })
  for (const args of [
    ['apply', ...CRDS],
    ['wait', '--for=condition=Established', 'crd', '--all', '--timeout=120s'],
    ['create', 'namespace', SYSTEM],
  ]) {
    const { code, stderr } = await api.kubectl(args)
    if (code !== 0) throw new Error(`${name}: kubectl ${args.join(' ')}: ${stderr}`)
  }
  return { name, api, client: createClient(api.connection) }
}

function portolan(name: string, { api }: TestCluster, flags: readonly string[]): Process {
  const [command = ''] = name.split(' ')
  const args = [
    ...[join(ROOT, 'cli/main.ts'), command, `--kubeconfig=${api.kubeconfig}`, `--namespace=${SYSTEM}`],
    ...['--identity=test', '--lease-seconds=3', '--health-port=0', '--metrics-port=0', ...flags],
  ]
  const listeners = new Set<() => void>()
  let child: ChildProcess | undefined
  let log = ''
  let started = 0
  return {
    name,
    start: () => {
      started = log.length
      child = spawn('setpriv', ['--pdeathsig', 'KILL', process.execPath, ...args], {
        stdio: ['ignore', 'pipe', 'pipe'],
      })
      const hear = (chunk: Buffer) => {
        log += chunk.toString()
        for (const listener of listeners) listener()
      }
      for (const stream of [child.stdout, child.stderr]) stream?.on('data', hear)
    },
    kill: async () => {
      if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
      const exit = new Promise((resolve) => child?.once('exit', resolve))
      child.kill('SIGKILL')
      await exit
    },
    leads: () => until(`${name} leads`, () => log.slice(started).includes('"msg":"leads"')),
    log: () => log,
    onOutput: (callback) => {
      listeners.add(callback)
      return () => listeners.delete(callback)
    },
  }
}
