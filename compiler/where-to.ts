/** Where does this call go? Answered from tables alone, without a proxy; a test holds the answers against Envoy's. */
import { REFUSING_ADDRESS } from '../api/names.ts'
import type { LoadBalancer } from '../api/service-export.ts'
import { hostAndPort } from '../api/vip-range.ts'
import { LEADS_UP, normalized } from './gateway-path.ts'
import { serverName } from './protocol.ts'
import { rewritten } from './regex.ts'
import { IDEMPOTENT_METHODS, isDnsName } from './render-envoy.ts'
import { rewriteOf } from './render-gateway.ts'
import { sessionCookie } from './render-sessions.ts'
import type { Backend, GatewayRoute, GatewayTable, ServiceRoute, Tables } from './tables.ts'
import type { Address } from './world.ts'

export interface Call {
  /** The caller's namespace; a pod outside the mesh is never routed. */
  readonly fromNamespace: string
  /** A name as the application writes it, or an address. */
  readonly to: string
  readonly port: number
  readonly method?: string
  /** With its query, if any. */
  readonly path?: string
}

export type Answer =
  /** Portolan has no part in it: plain DNS, a plain connection. */
  | {
      readonly outcome: 'plain'
      readonly why: 'outside the mesh' | 'name of the cluster' | 'address outside the range'
    }
  | { readonly outcome: 'refused'; readonly address: string }
  | { readonly outcome: 'status'; readonly status: 400 | 503; readonly why: string }
  /** What is not HTTP gets no sentence. */
  | { readonly outcome: 'closed'; readonly why: string }
  | RoutedAnswer

export interface RoutedAnswer {
  readonly outcome: 'routed'
  readonly service: string
  readonly vip: string
  readonly policy: ServiceRoute['policy']
  readonly decided?: ServiceRoute['decided']
  readonly affinity?: ServiceRoute['affinity']
  /** Not HTTP: the shares are of connections, and a connection that cannot be made is tried on the next one. */
  readonly tcp?: true
  /** Cookie that calls of one session carry to meet the same endpoint; the shares are then of sessions. */
  readonly sessionCookie?: string
  /** What is tried elsewhere after a failure: anything, or only what no application can have seen. */
  readonly replay: 'anything' | 'unseen'
  /** In the order of their use. */
  readonly backends: readonly BackendAnswer[]
}

export interface BackendAnswer {
  readonly clusterKey: string
  readonly local: boolean
  readonly priority: number
  /** Of the answers to new calls while nothing fails, 0..1; the shares add up to 1. */
  readonly share: number
  readonly endpoints: readonly Address[]
  /** SPIFFE id of the gateway, where it is called with mutual TLS. */
  readonly mtls?: string
  /** What the endpoint sees; empty of a connection that is not HTTP. */
  readonly path: string
  /** What the endpoint sees as Host, when that is not what the caller wrote. */
  readonly host?: string
  /** What becomes of the call there, when that cluster's tables are known. */
  readonly gateway?: GatewayAnswer
}

export type GatewayAnswer =
  | { readonly status: 400 | 403 | 404 | 503; readonly why: string }
  | {
      readonly status: 'served'
      readonly service: string
      readonly port: number
      /** What the application sees; empty of a connection that is not HTTP. */
      readonly path: string
      readonly endpoints: readonly Address[]
      readonly loadBalancer: LoadBalancer
      /** Whom alone it lets in, each known by certificate. */
      readonly clients?: NonNullable<GatewayRoute['clients']>
      readonly rateLimit?: NonNullable<GatewayRoute['rateLimit']>
      /** Cookie that keeps a session with its pod. */
      readonly sessionCookie?: string
    }

const split = (path: string): readonly [path: string, query: string] => {
  const at = path.indexOf('?')
  return at < 0 ? [path, ''] : [path.slice(0, at), path.slice(at)]
}

const matches = (route: GatewayRoute, path: string): boolean =>
  route.pathType === 'Exact'
    ? path === route.path
    : route.path === '/' || path === route.path || path.startsWith(`${route.path}/`)

/** What a gateway does with a path. @param mtls whether the caller shows a certificate */
export const atGateway = ({ routes }: GatewayTable, pathAndQuery: string, mtls: boolean): GatewayAnswer => {
  const [raw, query] = split(pathAndQuery)
  const path = normalized(raw)
  if (path === undefined)
    return {
      status: 400,
      why: 'the path has an escaped slash, a dot segment with parameters or a character that must be escaped',
    }
  const route = routes.find((candidate) => matches(candidate, path))
  if (!route) return { status: 404, why: 'no export is served at this path' }
  const { clients, rateLimit } = route
  if (clients?.length === 0) return { status: 403, why: 'the export lets in nobody' }
  if (clients && !mtls) return { status: 403, why: 'the export lets in certain clients, and the call is in plain HTTP' }
  const endpoints = route.endpoints.length > 0 ? route.endpoints : route.fallback ? [route.fallback] : []
  if (endpoints.length === 0) return { status: 503, why: 'the Service has no ready pod' }
  const rewrite = rewriteOf(route)
  const seen = (rewrite ? rewritten(path, rewrite) : path) + query
  const { service, port, loadBalancer = 'RoundRobinLoadBalancer', sessionCookie } = route
  const session = sessionCookie === undefined ? {} : { sessionCookie }
  return {
    status: 'served',
    service,
    port,
    path: seen,
    endpoints,
    loadBalancer,
    ...(clients ? { clients } : {}),
    ...(rateLimit ? { rateLimit } : {}),
    ...session,
  }
}

/** What a gateway does with a connection that is not HTTP. */
const streamAtGateway = ({ tcp }: GatewayTable, sni: string): GatewayAnswer => {
  const found = tcp.find((each) => each.sni === sni)
  if (!found) return { status: 404, why: 'it is not exported there, so the handshake fails' }
  const { service, port, endpoints, clients } = found
  if (endpoints.length === 0) return { status: 503, why: 'the Service has no ready pod, so the handshake fails' }
  if (clients?.length === 0) return { status: 403, why: 'the export lets in nobody' }
  const who = clients ? { clients } : {}
  return { status: 'served', service, port, path: '', endpoints, loadBalancer: 'RoundRobinLoadBalancer', ...who }
}

const there = (
  gateway: GatewayTable,
  { tcp, service, port }: ServiceRoute,
  path: string,
  mtls: boolean,
): GatewayAnswer => (tcp ? streamAtGateway(gateway, serverName(service, port)) : atGateway(gateway, path, mtls))

const UP = new RegExp(`^${LEADS_UP}$`)

/** The number of dots below which a resolver goes through its search list first. */
const NDOTS = 5

/** Whether mesh DNS gives out an address for calls to be refused at: whatever is no import's. */
export const refuses = ({ dns, vips }: Pick<Tables, 'dns' | 'vips'>, address: string): boolean =>
  address === REFUSING_ADDRESS ||
  (dns.some((record) => record.address === address) && !vips.some((vip) => vip.ips.includes(address)))

const resolve = ({ dns, cluster }: Tables, name: string, namespace: string): string | undefined => {
  const plain = name.toLowerCase().replace(/\.$/, '')
  const searched = [`${namespace}.svc.${cluster.domain}`, `svc.${cluster.domain}`, cluster.domain].map(
    (suffix) => `${plain}.${suffix}`,
  )
  const dots = plain.split('.').length - 1
  const candidates = name.endsWith('.') ? [plain] : dots < NDOTS ? [...searched, plain] : [plain, ...searched]
  return candidates
    .map((candidate) => dns.find((record) => record.name === candidate)?.address)
    .find((address) => address !== undefined)
}

/** Nobody has seen the call, says the gateway, so it goes on elsewhere. */
const isUnserved = ({ gateway }: BackendAnswer): boolean => gateway?.status === 404 || gateway?.status === 503

/** What gateways are known not to serve is answered by the next priority, in the last one by the others of it. */
const passedOn = (
  backends: readonly BackendAnswer[],
  weightOf: (index: number) => number,
): readonly BackendAnswer[] => {
  if (!backends.some(isUnserved) || backends.every(isUnserved)) return backends
  const shares = backends.map(({ share }) => share)
  const all = [...backends.keys()]
  const last = Math.max(...backends.map(({ priority }) => priority))
  for (let priority = 0; priority <= last; priority++) {
    const here = all.filter((index) => backends[index]?.priority === priority)
    const left = here.filter((index) => isUnserved(backends[index] as BackendAnswer))
    const passed = left.reduce((sum, index) => sum + (shares[index] ?? 0), 0)
    for (const index of left) shares[index] = 0
    const served = (among: readonly number[]) => among.filter((index) => !isUnserved(backends[index] as BackendAnswer))
    const next = all.filter((index) => backends[index]?.priority === priority + 1)
    const takers = [next, served(here), served(all)].find((group) => group.length > 0) ?? []
    const sum = takers.reduce((total, index) => total + weightOf(index), 0)
    for (const index of takers) shares[index] = (shares[index] ?? 0) + (passed * weightOf(index)) / sum
  }
  return backends.map((backend, index) => ({ ...backend, share: shares[index] ?? 0 }))
}

/**
 * @param elsewhere tables of other clusters by clusterKey, for what their gateways do with the call
 */
export const whereTo = (tables: Tables, call: Call, elsewhere: ReadonlyMap<string, Tables> = new Map()): Answer => {
  const { fromNamespace, to, port, method = 'GET', path = '/' } = call
  const sidecar = tables.sidecars.find((table) => table.namespace === fromNamespace)
  if (!sidecar) return { outcome: 'plain', why: 'outside the mesh' }

  const address = isDnsName(to.replace(/^\[(.*)\]$/, '$1'))
    ? resolve(tables, to, fromNamespace)
    : to.replace(/^\[(.*)\]$/, '$1')
  if (address === undefined) return { outcome: 'plain', why: 'name of the cluster' }
  if (refuses(tables, address)) return { outcome: 'refused', address }
  if (!tables.vips.some((vip) => vip.ips.includes(address)))
    return { outcome: 'plain', why: 'address outside the range' }

  const route = sidecar.routes.find((candidate) => candidate.vip === address && candidate.port === port)
  const others = sidecar.routes.some(({ vip, tcp, amongTcp }) => vip === address && (tcp || amongTcp))
  if (route?.tcp || (!route && others)) {
    return route?.backends.length
      ? routed(route)
      : { outcome: 'closed', why: `no cluster takes connections to ${hostAndPort(address, port)}` }
  }
  if (!/^\/[\x21-\x7e]*$/.test(path) || path.includes('#')) {
    return { outcome: 'status', status: 400, why: 'the path has a character that must be escaped' }
  }
  if (UP.test(split(path)[0])) return { outcome: 'status', status: 400, why: 'the path has .. in it' }
  if (!route) return { outcome: 'status', status: 503, why: `nothing is routed at ${hostAndPort(address, port)}` }
  if (route.backends.length === 0)
    return { outcome: 'status', status: 503, why: `no cluster takes calls to ${route.service}` }
  return routed(route)

  function routed(to: ServiceRoute): RoutedAnswer {
    const first = to.backends.filter((backend) => backend.priority === 0)
    const sum = first.reduce((total, backend) => total + backend.weight, 0)
    const idempotent = !to.tcp && IDEMPOTENT_METHODS.some((each) => each === method)
    return {
      outcome: 'routed',
      service: to.service,
      vip: to.vip,
      policy: to.policy,
      ...(to.decided ? { decided: to.decided } : {}),
      ...(to.affinity ? { affinity: to.affinity } : {}),
      ...(to.tcp ? { tcp: to.tcp } : {}),
      ...(to.sticky ? { sessionCookie: sessionCookie(to) } : {}),
      replay: idempotent ? 'anything' : 'unseen',
      backends: passedOn(
        to.backends.map((backend) => answerOf(to, backend, sum)),
        (index) => to.backends[index]?.weight ?? 0,
      ),
    }
  }

  function answerOf(to: ServiceRoute, backend: Backend, sum: number): BackendAnswer {
    const { clusterKey, local, priority, weight, endpoints, pathPrefix, tls } = backend
    const remote = local ? undefined : elsewhere.get(clusterKey)
    const host = endpoints.find((endpoint) => isDnsName(endpoint.host))?.host
    return {
      clusterKey,
      local,
      priority,
      share: priority === 0 ? weight / sum : 0,
      endpoints,
      ...(tls ? { mtls: tls.gateway } : {}),
      path: to.tcp ? '' : pathPrefix + path,
      ...(host === undefined || to.tcp ? {} : { host }),
      ...(remote ? { gateway: there(remote.gateway, to, pathPrefix + path, tls !== undefined) } : {}),
    }
  }
}
