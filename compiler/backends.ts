import type { ServiceImport } from '../api/service-import.ts'
import { by, compare, unique } from './order.ts'
import { DEFAULT_WEIGHT, type Plan, type Spread } from './plan.ts'
import type { Backend, Peer, Trust } from './tables.ts'
import { type Address, clusterAddress, isExternalName, readyEndpoints, tcpPorts, type World } from './world.ts'

/** The Service of this cluster, at one port. */
export interface Local {
  readonly addresses: readonly Address[]
  /** Pods that are ready. */
  readonly ready: number
  /** The Service's own address, where `addresses` are pods although it has one. */
  readonly standIn?: Address
}

/**
 * The Service of this cluster as a backend: its own address, so that kube-proxy spreads and knows of pods first; pods when
 * it is headless, and when sessions are to stay with one.
 */
export const localBackend = (world: World, service: string, port: number, sticky: boolean): Local | undefined => {
  const object = world.services.get(service)
  const servicePort =
    object && !isExternalName(object) ? tcpPorts(object).find((each) => each.port === port) : undefined
  if (!object || !servicePort) return undefined
  const pods = readyEndpoints(world, service, servicePort)
  const own = clusterAddress(object)
  if (own === undefined) return pods.length > 0 ? { addresses: pods, ready: pods.length } : undefined
  const standIn = { host: own, port }
  return sticky && pods.length > 0
    ? { addresses: pods, ready: pods.length, standIn }
    : { addresses: [standIn], ready: pods.length }
}

/** Another cluster that serves a port. */
export interface Remote {
  readonly clusterKey: string
  readonly addresses: readonly Address[]
  readonly pathPrefix: string
  /** Pods that are ready there; absent where nobody counts them. */
  readonly ready?: number
  readonly tls?: Peer
}

export type ImportPort = ServiceImport['spec']['ports'][number]
type ImportEndpoint = NonNullable<ImportPort['endpoints']>[number]

/** A gateway's address as its Cluster names it. */
export const addressOf = ({ target }: ImportEndpoint): string | undefined => target.host || target.ip || undefined

/** Other clusters that serve a port. Our own entry in an import is ourselves seen from outside: never used. */
export const remoteBackends = (port: ImportPort | undefined, ownKey: string, trust?: Trust): readonly Remote[] => {
  const byCluster = new Map<string, { readonly address: Address; readonly path: string }[]>()
  for (const endpoint of port?.endpoints ?? []) {
    const host = addressOf(endpoint)
    if (endpoint.clusterKey === ownKey || host === undefined) continue
    const found = {
      address: { host, port: endpoint.target.port },
      path: (endpoint.target.path ?? '').replace(/\/+$/, ''),
    }
    byCluster.set(endpoint.clusterKey, [...(byCluster.get(endpoint.clusterKey) ?? []), found])
  }
  return [...byCluster].map(([clusterKey, found]) => {
    // Two paths of one cluster lead to the same Service port: one of them is enough.
    const pathPrefix = found.map((each) => each.path).sort(compare)[0] ?? ''
    const addresses = found
      .filter((each) => each.path === pathPrefix)
      .map((each) => each.address)
      .sort(
        by(
          (each) => each.host,
          (each) => each.port,
        ),
      )
    const tls = trust?.clusters[clusterKey]
    const ready = readyAt(port, clusterKey)
    return {
      clusterKey,
      pathPrefix,
      addresses: unique(addresses, (each) => `${each.host} ${each.port}`),
      ...(ready === undefined ? {} : { ready }),
      ...(tls ? { tls } : {}),
    }
  })
}

/** Each address of a cluster's gateways leads to the same pods. */
const readyAt = (port: ImportPort | undefined, clusterKey: string): number | undefined => {
  const counts = (port?.endpoints ?? []).flatMap((each) =>
    each.clusterKey === clusterKey && each.backends !== undefined ? [each.backends] : [],
  )
  return counts.length === 0 ? undefined : Math.max(...counts)
}

/** Priorities without a gap: proxies treat an empty one as one that has failed. */
const compact = (backends: readonly Backend[]): readonly Backend[] => {
  const used = [...new Set(backends.map((backend) => backend.priority))].sort((a, b) => a - b)
  return backends
    .map((backend) => ({ ...backend, priority: used.indexOf(backend.priority) }))
    .sort(
      by(
        (backend) => backend.priority,
        (backend) => (backend.local ? 0 : 1),
        (backend) => backend.clusterKey,
      ),
    )
}

const FIRST = -1
/** After the highest priority that a target may carry. */
const LAST = 1000

/** Who takes calls to one port, in which order and with which share. */
export const backendsOf = (
  plan: Plan,
  ownKey: string,
  local: Local | undefined,
  remotes: readonly Remote[],
): readonly Backend[] => {
  if (plan.spread) return spreadOver(plan.spread, ownKey, local, remotes)
  const backends: Backend[] = []
  if (local && plan.localWeight > 0) {
    // Without a ready pod it comes last instead of not at all: should every other cluster fail, whatever has become ready
    // here since then is found without a new table.
    const priority = local.ready === 0 ? LAST : plan.type === 'ActiveActive' ? 0 : FIRST
    const weight = plan.type === 'ActiveActive' ? plan.localWeight : DEFAULT_WEIGHT
    backends.push(ownBackend(ownKey, local, { priority, weight }))
  }
  for (const remote of remotes) {
    const target = plan.remotes ? plan.remotes.get(remote.clusterKey) : { weight: DEFAULT_WEIGHT, priority: 0 }
    if (!target || target.weight === 0) continue
    const priority = plan.type === 'FailOver' ? target.priority : 0
    backends.push(remoteBackend(remote, { priority, weight: target.weight }))
  }
  return compact(backends)
}

/**
 * Every ready endpoint gets as many calls as any other, be it here or there, as far as affinity does not put one side
 * first. Who has none comes last instead of not at all: what has become ready since is found without a new table.
 */
const spreadOver = (
  { affinity, own }: Spread,
  ownKey: string,
  local: Local | undefined,
  remotes: readonly Remote[],
): readonly Backend[] => {
  const place = (isLocal: boolean, ready: number) => ({
    priority: (ready === 0 ? LAST : 0) + (affinity === 'none' || isLocal === (affinity === 'local') ? 0 : 1),
    weight: Math.max(1, ready),
  })
  const backends: Backend[] = []
  if (local && own) backends.push(ownBackend(ownKey, local, place(true, local.ready)))
  for (const remote of remotes) backends.push(remoteBackend(remote, place(false, remote.ready ?? 1)))
  return compact(backends)
}

type Place = Pick<Backend, 'priority' | 'weight'>

const ownBackend = (clusterKey: string, { addresses: endpoints, standIn }: Local, place: Place): Backend => ({
  clusterKey,
  local: true,
  ...place,
  endpoints,
  ...(standIn ? { fallback: standIn } : {}),
  pathPrefix: '',
})

const remoteBackend = ({ clusterKey, addresses: endpoints, pathPrefix, tls }: Remote, place: Place): Backend => ({
  clusterKey,
  local: false,
  ...place,
  endpoints,
  pathPrefix,
  ...(tls ? { tls } : {}),
})
