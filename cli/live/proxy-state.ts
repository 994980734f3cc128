import { hostAndPort } from '../../api/vip-range.ts'
import { readStats } from '../../compiler/controller/programmed.ts'

/** What a proxy runs and how it fares, as its own administration says. */
export interface ProxyState {
  /** Of the clusters it took last; absent before it took any. */
  readonly version?: string
  /** Updates that it has refused since it started. */
  readonly refusals: number
  /** By name; only those that came by file. */
  readonly clusters: ReadonlyMap<string, RunningCluster>
  /** What it has read but does not use yet, as names of gateways do not resolve. */
  readonly warming: ReadonlySet<string>
  /** Route configurations that came by file, by name. */
  readonly routes: ReadonlyMap<string, unknown>
}

export interface RunningCluster {
  readonly config: unknown
  readonly endpoints: readonly RunningEndpoint[]
}

export interface RunningEndpoint {
  /** Short key of the cluster it is in; empty for a pod of this cluster. */
  readonly cluster: string
  readonly address: string
  readonly priority: number
  readonly weight: number
  readonly health: 'healthy' | 'ejected' | 'unhealthy'
  readonly calls: Counts
}

/** Since the proxy took the endpoint. */
export interface Counts {
  readonly total: number
  /** Without an answer, or answered with 5xx. */
  readonly failed: number
  readonly active: number
  readonly connectFailures: number
}

/** What to ask a proxy, by the name under which `readProxy` wants the answer. */
export const QUESTIONS = {
  stats: '/stats?filter=%5Ecluster_manager%5C.cds%5C.(version_text%7Cupdate_rejected%7Cupdate_failure)%24',
  clusters: '/clusters?format=json',
  active: '/config_dump?resource=dynamic_active_clusters',
  warming: '/config_dump?resource=dynamic_warming_clusters',
  routes: '/config_dump?resource=dynamic_route_configs',
} as const

export type Answers = Readonly<Record<keyof typeof QUESTIONS, string>>

interface Dump<T> {
  readonly configs?: readonly T[]
}

interface DumpedCluster {
  readonly cluster: { readonly name: string }
}

interface DumpedRoutes {
  readonly route_config: { readonly name: string }
}

interface Statuses {
  readonly cluster_statuses?: readonly {
    readonly name: string
    readonly added_via_api?: boolean
    readonly host_statuses?: readonly HostStatus[]
  }[]
}

interface HostStatus {
  readonly address: { readonly socket_address?: { readonly address: string; readonly port_value: number } }
  readonly hostname?: string
  readonly stats?: readonly { readonly name: string; readonly value?: string }[]
  readonly health_status?: {
    readonly eds_health_status?: string
    readonly failed_outlier_check?: boolean
    readonly failed_active_health_check?: boolean
  }
  readonly weight?: number
  readonly priority?: number
  readonly locality?: { readonly zone?: string }
}

export function readProxy(answers: Answers): ProxyState {
  const stats = readStats(answers.stats)
  const active = JSON.parse(answers.active) as Dump<DumpedCluster>
  const warming = JSON.parse(answers.warming) as Dump<DumpedCluster>
  const routes = JSON.parse(answers.routes) as Dump<DumpedRoutes>
  const { cluster_statuses: statuses = [] } = JSON.parse(answers.clusters) as Statuses
  const hostsOf = new Map(statuses.map(({ name, host_statuses: hosts = [] }) => [name, hosts]))
  return {
    ...(stats === undefined || stats.version === '' ? {} : { version: stats.version }),
    refusals: stats?.rejected ?? 0,
    clusters: new Map(
      (active.configs ?? []).map(({ cluster }) => [
        cluster.name,
        { config: cluster, endpoints: (hostsOf.get(cluster.name) ?? []).map(endpointOf) },
      ]),
    ),
    warming: new Set((warming.configs ?? []).map(({ cluster }) => cluster.name)),
    routes: new Map((routes.configs ?? []).map(({ route_config: config }) => [config.name, config])),
  }
}

function endpointOf(host: HostStatus): RunningEndpoint {
  const { socket_address: socket } = host.address
  const count = (name: string) => Number(host.stats?.find((stat) => stat.name === name)?.value ?? 0)
  const { failed_outlier_check: ejected, failed_active_health_check: failing } = host.health_status ?? {}
  return {
    cluster: host.locality?.zone ?? '',
    address: socket === undefined ? '?' : hostAndPort(host.hostname || socket.address, socket.port_value),
    priority: host.priority ?? 0,
    weight: host.weight ?? 1,
    health: ejected ? 'ejected' : failing ? 'unhealthy' : 'healthy',
    calls: {
      total: count('rq_total'),
      failed: count('rq_error'),
      active: count('rq_active'),
      connectFailures: count('cx_connect_fail'),
    },
  }
}

/**
 * A proxy's configuration so that what was written and what is run can be compared: protobuf drops what is as it is by
 * default, and writes large numbers and times its own way.
 */
export function comparable(value: unknown): unknown {
  if (Array.isArray(value)) return value.length === 0 ? undefined : value.map((each) => comparable(each) ?? null)
  if (typeof value === 'object' && value !== null) {
    const fields = Object.entries(value)
      .map(([name, field]) => [name, comparable(field)] as const)
      .filter(([, field]) => field !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : 1))
    return fields.length === 0 ? undefined : Object.fromEntries(fields)
  }
  if (value === 0 || value === '' || value === false || value === null) return undefined
  if (typeof value === 'number') return String(value)
  if (typeof value === 'string' && /^\d+(\.\d+)?s$/.test(value))
    return Number(value.slice(0, -1)) === 0 ? undefined : `${Number(value.slice(0, -1))}s`
  return value
}
