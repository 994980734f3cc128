import type { ServicePort } from '../api/core.ts'
import type { Code } from '../api/diagnostics.ts'
import type { GlobalTrafficPolicy } from '../api/global-traffic-policy.ts'
import type { Issue } from '../api/issue.ts'
import type { ServiceImport } from '../api/service-import.ts'
import { LastAnswers } from './memo.ts'
import { by, compare, unique } from './order.ts'
import { isHttp } from './protocol.ts'
import type { Backend, ServiceRoute } from './tables.ts'
import { type Address, clusterAddress, isExternalName, keyOf, readyEndpoints, tcpPorts, type World } from './world.ts'

/** How one target of a policy fares; the policy's status, row by row. */
export interface TargetState {
  readonly clusterKey: string
  /** The weight that proxies apply; 0 = gets nothing. */
  readonly weight: number
  readonly readyEndpoints: number
  readonly reason: TargetReason
}

export type TargetReason =
  | 'Active'
  /** FailOver: takes over when those before it have gone. */
  | 'Standby'
  | 'Drained'
  | 'ExportsNothing'
  | 'NoReadyEndpoint'
  /** Locality: targets have no effect. */
  | 'NotUsed'

export interface RoutedImport {
  /** Whether the plain name `name.namespace` leads to the proxy. */
  readonly routed: boolean
  readonly localService: boolean
  /** Sorted by port. Also those of an import that no policy routes: `clusterset.local` names reach them. */
  readonly routes: readonly ServiceRoute[]
  readonly targets: readonly TargetState[]
  readonly issues: readonly Issue<Code>[]
}

const DEFAULT_WEIGHT = 100

interface Plan {
  readonly type: ServiceRoute['policy']
  readonly localWeight: number
  /** Clusters other than this one; undefined = every cluster that exports. */
  readonly remotes: ReadonlyMap<string, { readonly weight: number; readonly priority: number }> | undefined
}

/** What a policy asks for. One that cannot work is as good as none: the webhook has refused it, and compilation is total. */
const planOf = (policy: GlobalTrafficPolicy | undefined, ownKey: string): Plan => {
  const { lbType = 'Locality', targets = [] } = policy?.spec ?? {}
  const named = new Map(
    unique(targets, (target) => target.clusterKey).map(({ clusterKey, weight = DEFAULT_WEIGHT, priority = 0 }) => [
      clusterKey,
      { weight: Math.max(0, weight), priority },
    ]),
  )
  const localWeight = named.get(ownKey)?.weight ?? DEFAULT_WEIGHT
  named.delete(ownKey)
  if (lbType === 'ActiveActive') return { type: lbType, localWeight, remotes: named.size > 0 ? named : undefined }
  if (lbType === 'FailOver' && named.size > 0) return { type: lbType, localWeight, remotes: named }
  return { type: 'Locality', localWeight: DEFAULT_WEIGHT, remotes: new Map() }
}

interface Local {
  readonly addresses: readonly Address[]
  readonly ready: number
}

/** The Service of this cluster as a backend: its own address, so that kube-proxy spreads and knows of pods first; pods when headless. */
const localBackend = (world: World, service: string, port: number): Local | undefined => {
  const object = world.services.get(service)
  const servicePort =
    object && !isExternalName(object) ? tcpPorts(object).find((each) => each.port === port) : undefined
  if (!object || !servicePort) return undefined
  const pods = readyEndpoints(world, service, servicePort)
  const own = clusterAddress(object)
  const addresses = own === undefined ? pods : [{ host: own, port }]
  return addresses.length > 0 ? { addresses, ready: pods.length } : undefined
}

interface Remote {
  readonly clusterKey: string
  readonly addresses: readonly Address[]
  readonly pathPrefix: string
}

type ImportPort = ServiceImport['spec']['ports'][number]
type ImportEndpoint = NonNullable<ImportPort['endpoints']>[number]

const addressOf = ({ target }: ImportEndpoint): string | undefined => target.host || target.ip || undefined

/** Other clusters that serve a port. Our own entry in an import is ourselves seen from outside: never used. */
const remoteBackends = (port: ImportPort | undefined, ownKey: string): readonly Remote[] => {
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
    return { clusterKey, pathPrefix, addresses: unique(addresses, (each) => `${each.host} ${each.port}`) }
  })
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

const backendsOf = (
  plan: Plan,
  ownKey: string,
  local: Local | undefined,
  remotes: readonly Remote[],
): readonly Backend[] => {
  const backends: Backend[] = []
  if (local && plan.localWeight > 0) {
    // Without a ready pod it comes last instead of not at all: should every other cluster fail, whatever has become ready
    // here since then is found without a new table.
    const priority = local.ready === 0 ? LAST : plan.type === 'ActiveActive' ? 0 : FIRST
    const weight = plan.type === 'ActiveActive' ? plan.localWeight : DEFAULT_WEIGHT
    backends.push({ clusterKey: ownKey, local: true, priority, weight, endpoints: local.addresses, pathPrefix: '' })
  }
  for (const remote of remotes) {
    const target = plan.remotes ? plan.remotes.get(remote.clusterKey) : { weight: DEFAULT_WEIGHT, priority: 0 }
    if (!target || target.weight === 0) continue
    backends.push({
      clusterKey: remote.clusterKey,
      local: false,
      priority: plan.type === 'FailOver' ? target.priority : 0,
      weight: target.weight,
      endpoints: remote.addresses,
      pathPrefix: remote.pathPrefix,
    })
  }
  return compact(backends)
}

interface Port {
  readonly number: number
  readonly imported: ImportPort | undefined
  readonly served: ServicePort | undefined
}

/** The import's ports and the local Service's: a name that leads to the proxy must go on working for all of them. */
const portsOf = (imported: ServiceImport, served: readonly ServicePort[]): readonly Port[] => {
  const tcp = imported.spec.ports.filter((port) => (port.protocol ?? 'TCP') === 'TCP')
  const numbers = [...new Set([...tcp.map((port) => port.port), ...served.map((port) => port.port)])]
  return numbers
    .sort((a, b) => a - b)
    .map((number) => ({
      number,
      imported: tcp.find((port) => port.port === number),
      served: served.find((port) => port.port === number),
    }))
}

const appProtocolOf = (port: Port): string | undefined => port.imported?.appProtocol ?? port.served?.appProtocol

const targetStates = (
  plan: Plan,
  policy: GlobalTrafficPolicy,
  ownKey: string,
  routes: readonly ServiceRoute[],
  exporting: ReadonlyMap<string, number>,
  localReady: number | undefined,
): readonly TargetState[] => {
  const rows = plan.remotes && plan.type !== 'Locality' ? plan.remotes : undefined
  const keys = new Set(
    plan.type === 'Locality'
      ? (policy.spec.targets ?? []).map((target) => target.clusterKey)
      : (rows?.keys() ?? exporting.keys()),
  )
  if (localReady !== undefined) keys.add(ownKey)
  const active = new Set(
    routes.flatMap((route) =>
      route.backends.filter((backend) => backend.priority === 0).map((backend) => backend.clusterKey),
    ),
  )
  const used = new Map(routes.flatMap((route) => route.backends.map((backend) => [backend.clusterKey, backend.weight])))

  const rowOf = (clusterKey: string): TargetState => {
    const own = clusterKey === ownKey
    const ready = own ? (localReady ?? 0) : (exporting.get(clusterKey) ?? 0)
    const row = (reason: TargetReason): TargetState => ({
      clusterKey,
      weight: reason === 'Active' || reason === 'Standby' ? (used.get(clusterKey) ?? 0) : 0,
      readyEndpoints: ready,
      reason,
    })
    if (plan.type === 'Locality' && !own) return row('NotUsed')
    if ((own ? plan.localWeight : (rows?.get(clusterKey)?.weight ?? DEFAULT_WEIGHT)) === 0) return row('Drained')
    if (ready === 0) return row(own ? 'NoReadyEndpoint' : 'ExportsNothing')
    return row(active.has(clusterKey) ? 'Active' : 'Standby')
  }
  return [...keys].sort(compare).map(rowOf)
}

const answers = new LastAnswers<ServiceImport, RoutedImport>()

/**
 * Policy semantics for one import. `vip` is absent when the range is used up: then nothing is routed.
 * An import whose world has not changed gets the very same answer again.
 */
export const routeImport = (
  world: World,
  imported: ServiceImport,
  policy: GlobalTrafficPolicy | undefined,
  vip: string | undefined,
): RoutedImport => {
  const service = keyOf(imported)
  const parts = [world.mesh.clusterKey, policy, vip, world.services.get(service), ...(world.slices.get(service) ?? [])]
  return answers.get(imported, parts, () => routed(world, imported, policy, vip))
}

const routed = (
  world: World,
  imported: ServiceImport,
  policy: GlobalTrafficPolicy | undefined,
  vip: string | undefined,
): RoutedImport => {
  const ownKey = world.mesh.clusterKey
  const service = keyOf(imported)
  const object = {
    kind: 'ServiceImport',
    namespace: imported.metadata.namespace ?? 'default',
    name: imported.metadata.name,
  }
  const plan = planOf(policy, ownKey)
  const localObject = world.services.get(service)
  const ports = portsOf(imported, localObject && !isExternalName(localObject) ? tcpPorts(localObject) : [])

  const issues: Issue<Code>[] = []
  const routes: ServiceRoute[] = []
  const exporting = new Map<string, number>()
  let localReady: number | undefined
  /** Whether any port is routed that other clusters may serve, so that the name is worth the proxy. */
  let imports = false

  imported.spec.ports.forEach((port, p) => {
    port.endpoints?.forEach((endpoint, e) => {
      if (addressOf(endpoint) === undefined) {
        const path = `spec.ports[${p}].endpoints[${e}].target`
        issues.push({ code: 'EndpointWithoutAddress', object, path, value: endpoint.clusterKey })
      }
    })
    if ((port.protocol ?? 'TCP') !== 'TCP' && plan.type !== 'Locality') {
      const params = { port: port.port }
      issues.push({ code: 'PortNotRouted', object, path: `spec.ports[${p}].protocol`, value: port.protocol, params })
    }
  })

  for (const port of ports) {
    for (const { clusterKey, addresses } of remoteBackends(port.imported, ownKey)) {
      exporting.set(clusterKey, Math.max(exporting.get(clusterKey) ?? 0, addresses.length))
    }
    const appProtocol = appProtocolOf(port)
    if (!isHttp(appProtocol)) {
      if (plan.type !== 'Locality') {
        const params = { port: port.number }
        issues.push({ code: 'PortNotRouted', object, path: 'spec.ports', value: appProtocol, params })
      }
      continue
    }
    const local = localBackend(world, service, port.number)
    const remotes = remoteBackends(port.imported, ownKey)
    if (local) localReady = Math.max(localReady ?? 0, local.ready)
    const backends = backendsOf(plan, ownKey, local, remotes)
    if (vip !== undefined) routes.push({ service, vip, port: port.number, policy: plan.type, backends })
    imports ||= port.imported !== undefined
    if (backends.length === 0 && plan.type !== 'Locality') {
      issues.push({ code: 'NoBackend', object, path: 'spec.ports', params: { port: port.number } })
    }
  }

  const leadsHere = plan.type !== 'Locality' && imports && vip !== undefined
  if (plan.type !== 'Locality' && !imports) {
    issues.push({ code: 'NothingToRoute', object, path: 'spec.ports' })
  }
  return {
    routed: leadsHere,
    localService: localObject !== undefined,
    routes,
    targets: policy ? targetStates(plan, policy, ownKey, routes, exporting, localReady) : [],
    issues,
  }
}
