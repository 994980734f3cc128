import { createHash } from 'node:crypto'
import type { Service, ServicePort } from '../api/core.ts'
import { MOST_REQUESTS, type RateLimitPeriod, type ServiceExport } from '../api/service-export.ts'
import { accountsNamed } from './callers.ts'
import { clientsOf, unknownClusters } from './clients.ts'
import { referenceOf } from './conditions.ts'
import { exportReference } from './doors.ts'
import { keyOf } from './keys.ts'
import { type Offer, type OfferedRule, offersOf } from './offers.ts'
import { by, unique } from './order.ts'
import { isHttp2, serverName } from './protocol.ts'
import type { GatewayRoute, GatewayTcp, LingeringRoute } from './tables.ts'
import { bothOf, type Speaks, targetClients, workloadOf } from './traffic-targets.ts'
import { clusterAddress, isExternalName, readyEndpoints, tcpPorts, type World } from './world.ts'

export interface ServedExport extends Offer {
  readonly routes: readonly GatewayRoute[]
  readonly passed: readonly GatewayTcp[]
  /** Service accounts, `namespace/name`, that TrafficTargets let in; absent while the mesh is permissive. */
  readonly sources?: readonly string[]
}

/** Where the calls to one port of a Service end. */
const reachOf = (
  world: World,
  key: string,
  service: Service,
  port: ServicePort,
): Pick<GatewayRoute, 'endpoints' | 'fallback'> => {
  const own = clusterAddress(service)
  return {
    endpoints: readyEndpoints(world, key, port),
    ...(own === undefined ? {} : { fallback: { host: own, port: port.port } }),
  }
}

const balanceOf = ({ spec: { loadBalancer = IN_TURN } }: ServiceExport): Pick<GatewayRoute, 'loadBalancer'> =>
  loadBalancer === IN_TURN ? {} : { loadBalancer }

const IN_TURN = 'RoundRobinLoadBalancer'

/**
 * A name of its own for each port of each Service in each cluster: several may be behind one host name of the caller's, and
 * a session that comes back from another cluster finds its pod again.
 */
const cookieOf = ({ mesh }: World, service: string, { port }: ServicePort): string =>
  `portolan-${createHash('sha256').update(`${mesh.clusterKey} ${service} ${port}`).digest('hex').slice(0, 8)}`

/** Who may call an export. */
const clientsOfExport = (
  { trust, grants }: World,
  object: ServiceExport,
  speaks: Speaks = 'http',
): Pick<GatewayRoute, 'clients'> => {
  const { allowedClients, serviceAccountName } = object.spec
  const allowed = clientsOf(allowedClients, trust?.clusters ?? {})
  const clients = grants
    ? bothOf(allowed, targetClients(grants, workloadOf(grants, keyOf(object), serviceAccountName), speaks))
    : allowed
  return clients === undefined ? {} : { clients }
}

const SECONDS: Readonly<Record<RateLimitPeriod, number>> = { Second: 1, Minute: 60, Hour: 3600 }

const limitOfExport = ({ spec: { rateLimit } }: ServiceExport): Pick<GatewayRoute, 'rateLimit'> => {
  if (!rateLimit) return {}
  const { requests, per = 'Second' } = rateLimit
  return { rateLimit: { requests: Math.max(1, Math.min(requests, MOST_REQUESTS)), seconds: SECONDS[per] } }
}

const routeOf = (
  world: World,
  { object }: Offer,
  service: Service,
  { port, path, pathType }: OfferedRule,
): GatewayRoute => {
  const key = keyOf(object)
  return {
    service: key,
    port: port.port,
    path,
    pathType,
    ...(object.spec.pathRewrite ? { rewrite: object.spec.pathRewrite } : {}),
    ...balanceOf(object),
    ...(object.spec.sessionSticky ? { sessionCookie: cookieOf(world, key, port) } : {}),
    ...clientsOfExport(world, object),
    ...limitOfExport(object),
    ...reachOf(world, key, service, port),
    http2: isHttp2(port.appProtocol),
  }
}

/** A cluster without an identity knows none; that is told of the identity. */
const clientRemarks = ({ trust }: World, { object }: Offer): Offer['remarks'] =>
  unknownClusters(object.spec.allowedClients ?? [], Object.keys(trust?.clusters ?? {})).map(
    ({ entry, index, pattern, hint }) => ({
      code: 'ClientClusterUnknown',
      object: referenceOf(object),
      path: `spec.allowedClients[${entry}].clusters[${index}]`,
      value: pattern,
      params: { hint },
    }),
  )

const tcpOf = (world: World, { object }: Offer, service: Service, port: ServicePort): GatewayTcp => {
  const key = keyOf(object)
  return {
    service: key,
    port: port.port,
    sni: serverName(key, port.port),
    ...clientsOfExport(world, object, { tcp: port.port }),
    ...reachOf(world, key, service, port),
  }
}

/** What TrafficTargets keep from callers. */
const targetRemarks = ({ grants }: World, { object, rules }: Offer): Offer['remarks'] => {
  if (grants === undefined || rules.length === 0) return []
  const reference = exportReference(object)
  const workload = workloadOf(grants, keyOf(object), object.spec.serviceAccountName)
  const clients = targetClients(grants, workload, 'http')
  if (clients.length === 0) {
    const ports = [...new Set(rules.map(({ port }) => port.port))].join(', ')
    const params = { ports, account: accountsNamed(workload), namespace: workload.namespace }
    return [{ code: 'NobodyIsServed', object: reference, path: 'spec.serviceAccountName', params }]
  }
  const hasPath = clients.some((client) => client.rules?.flat().some(({ path }) => path !== undefined))
  return object.spec.pathRewrite !== undefined && hasPath
    ? [{ code: 'RulePathRewritten', object: reference, path: 'spec.pathRewrite' }]
    : []
}

/** Who may call by TrafficTargets, as far as allowedClients lets them; absent where these decide nothing. */
const sourcesOf = (world: World, { object }: Offer): Pick<ServedExport, 'sources'> => {
  if (world.grants === undefined) return {}
  const { clients = [] } = clientsOfExport(world, object)
  const names = clients.map(({ namespace, serviceAccount }) => `${namespace}/${serviceAccount}`.replaceAll('\\', ''))
  return { sources: [...new Set(names)].sort() }
}

/** All exports of the cluster, the oldest first, each with what the gateway does for it. */
export const serveExports = (world: World): readonly ServedExport[] =>
  offersOf(world, world.trust !== undefined).map((offer) => {
    const { service, rules, tcp, remarks } = offer
    return {
      ...offer,
      remarks: [...remarks, ...clientRemarks(world, offer), ...targetRemarks(world, offer)],
      routes: service ? rules.map((rule) => routeOf(world, offer, service, rule)) : [],
      passed: service ? tcp.map((port) => tcpOf(world, offer, service, port)) : [],
      ...sourcesOf(world, offer),
    }
  })

/** Nobody is served on here: who is refused in the handshake goes elsewhere by itself. */
export const gatewayTcp = (served: readonly ServedExport[]): readonly GatewayTcp[] =>
  served
    .flatMap((each) => each.passed)
    .toSorted(
      by(
        ({ service }) => service,
        ({ port }) => port,
      ),
    )

const bySpecificity = by<GatewayRoute>(
  (route) => (route.pathType === 'Exact' ? 0 : 1),
  (route) => -route.path.length,
  (route) => route.path,
)

/** A path that lingers opens to nobody whom the export does not let in any more. */
const clientsNow = (world: World, { service, clients }: LingeringRoute): Pick<GatewayRoute, 'clients'> => {
  const object = world.exports.find((each) => keyOf(each) === service)
  return object ? clientsOfExport(world, object) : clients ? { clients } : {}
}

/**
 * Other clusters hear of a change some time after the gateway: what they still call is served on, as far as it is there.
 * The pods of a Service that is gone are those that were known last; its address may be another's by now.
 */
const lingering = (world: World, route: LingeringRoute): GatewayRoute => {
  const { fallback: _, until, clients: __, ...kept } = route
  const rest = { ...kept, ...clientsNow(world, route) }
  const service = world.services.get(route.service)
  const port = service && tcpPorts(service).find((each) => each.port === route.port)
  if (!service || !port || isExternalName(service)) return { ...rest, until }
  return { ...rest, ...reachOf(world, route.service, service, port), until }
}

/** Whether a path is served anew. Calls that only a Prefix takes are not taken by an Exact in its place. */
const replaces = (route: GatewayRoute, { service, pathType }: GatewayRoute): boolean =>
  route.service !== service || route.pathType === pathType

/** @param before what gateways served until now */
export const gatewayRoutes = (
  world: World,
  served: readonly ServedExport[],
  before: readonly LingeringRoute[],
): readonly GatewayRoute[] => {
  const wanted = served.flatMap((each) => each.routes)
  const byPath = Map.groupBy(wanted, ({ path }) => path)
  const rest = before.filter((old) => !byPath.get(old.path)?.some((route) => replaces(route, old)))
  const left = unique(rest, ({ pathType, path }) => `${pathType} ${path}`)
  return [...wanted, ...left.map((route) => lingering(world, route))].sort(bySpecificity)
}
