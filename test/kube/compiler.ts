/** The compiler as its Deployment runs it, against a real API server: the chart's CRDs, the chart's permissions, no node. */

import { pino } from 'pino'
import { runCompiler } from '../../compiler/main.ts'
import { createClient } from '../../kube/client.ts'
import type { Connection } from '../../kube/connection.ts'
import { render } from '../chart/helm.ts'
import { freePorts } from '../lab/ports.ts'
import { until } from '../lab/run.ts'
import { type ApiServer, startApiServer, type User } from './apiserver.ts'
import { CRDS } from './crds.ts'

export const SYSTEM = 'portolan-system'
export const CLUSTER_KEY = 'default/default/default/west'

const ACCOUNT: User = {
  name: `system:serviceaccount:${SYSTEM}:portolan-compiler`,
  groups: ['system:serviceaccounts', `system:serviceaccounts:${SYSTEM}`, 'system:authenticated'],
}

/** An API server on which the chart has been installed, as far as the compiler is concerned. */
export async function startInstalled(): Promise<ApiServer> {
  const api = await startApiServer({ users: [ACCOUNT] })
  await kubectl(api, ['apply', ...CRDS])
  await kubectl(api, ['wait', '--for=condition=Established', 'crd', '--all', '--timeout=120s'])
  await kubectl(api, ['create', 'namespace', SYSTEM])
  await kubectl(api, ['apply', '-f', '-'], await render('--show-only', 'templates/compiler/rbac.yaml'))
  return api
}

/** stdout of a kubectl that succeeds. */
export async function kubectl(api: ApiServer, args: readonly string[], input?: string): Promise<string> {
  const { code, stdout, stderr } = await api.kubectl(args, input)
  if (code !== 0) throw new Error(`kubectl ${args.join(' ')}: ${stderr}`)
  return stdout
}

export interface Replica {
  readonly ready: () => Promise<boolean>
  readonly leads: () => Promise<boolean>
  readonly metric: (line: string) => Promise<number | undefined>
  readonly log: readonly { readonly level: number; readonly msg: string; readonly [field: string]: unknown }[]
  /** SIGTERM. */
  readonly stop: () => Promise<void>
}

export interface ReplicaOptions {
  readonly identity?: string
  /** Default: the API server as the compiler's service account. */
  readonly connection?: Connection
  readonly statsPort?: number
  readonly patienceSeconds?: number
  readonly nudge?: boolean
  readonly leaseSeconds?: number
  /** Default 0: tests see the end of things at once. */
  readonly gatewayLinger?: number
  /** Whether pods without a sidecar have a way to imports; its pods are the test's to make up. */
  readonly egress?: boolean
}

export async function startReplica(api: ApiServer, options: ReplicaOptions = {}): Promise<Replica> {
  const { identity = 'replica', connection = api.connectionOf(ACCOUNT), nudge = true } = options
  const { leaseSeconds = 3, gatewayLinger = 0 } = options
  const [healthPort = 0, metricsPort = 0] = await freePorts(2)
  const log: Replica['log'][number][] = []
  const stop = new AbortController()
  const client = createClient(connection, { timeoutMs: 5_000 })
  const finished = runCompiler(
    {
      namespace: SYSTEM,
      identity,
      meshName: 'portolan',
      clusterKey: CLUSTER_KEY,
      clusterDomain: 'cluster.local',
      mtls: false,
      vipRange: '240.240.0.0/16',
      meshConfig: { namespace: SYSTEM, name: 'portolan-mesh-config' },
      lease: 'portolan-compiler',
      leaseSeconds,
      nudge,
      nudgesPerSecond: 50,
      gatewayLinger,
      ...(options.egress ? { egressNamespace: SYSTEM } : {}),
      healthPort,
      metricsPort,
      ...(options.statsPort === undefined ? {} : { statsPort: options.statsPort }),
      ...(options.patienceSeconds === undefined ? {} : { patienceSeconds: options.patienceSeconds }),
    },
    client,
    pino({ level: 'debug' }, { write: (line: string) => void log.push(JSON.parse(line)) }),
    stop.signal,
  )
  const metric = async (line: string) => {
    const text = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text()
    const found = text.split('\n').find((each) => each.startsWith(`${line} `))
    return found === undefined ? undefined : Number(found.slice(line.length))
  }
  const ready = async () => (await fetch(`http://127.0.0.1:${healthPort}/readyz`)).ok
  await until(`${identity} is ready`, ready)
  return {
    ready,
    metric,
    leads: async () => (await metric('portolan_leading')) === 1,
    log,
    stop: async () => {
      stop.abort()
      await finished
      await client.close()
    },
  }
}

export { ACCOUNT }
