import { CLUSTERSET_DOMAIN } from '../api/names.ts'
import type { LoadBalancer } from '../api/service-export.ts'
import { hostAndPort } from '../api/vip-range.ts'
import { derivedName } from '../compiler/derived.ts'
import { ruleOf } from '../compiler/in-a-line.ts'
import type { Backend, GatewayRoute, GatewayTable, ServiceRoute, SidecarTable, Tables } from '../compiler/tables.ts'
import { refuses } from '../compiler/where-to.ts'
import { columns, type Paint } from './print.ts'

/** Routing tables for people: who calls whom, by which name, and through which gateway path. */
export function renderTables(tables: Tables, paint: Paint): string {
  return [
    ...alike(tables.sidecars).map((sidecars) => renderSidecars(sidecars, paint)),
    renderEgress(tables, paint),
    section('Names that mesh DNS answers', renderNames(tables, paint), paint),
    section('Paths that the gateway serves', renderPaths(tables.gateway), paint),
  ]
    .filter((text) => text !== '')
    .join('\n')
}

function section(title: string, body: string, paint: Paint): string {
  return body === '' ? '' : `${paint('bold', title)}\n${body}`
}

/** Namespaces with one and the same table, together. */
function alike(sidecars: readonly SidecarTable[]): readonly (readonly SidecarTable[])[] {
  return [...Map.groupBy(sidecars, ({ version }) => version).values()]
}

function renderSidecars(sidecars: readonly SidecarTable[], paint: Paint): string {
  const [first] = sidecars
  const where = sidecars.map(({ namespace }) => namespace).join(', ')
  const title = `Calls from pods in ${where}`
  if (first === undefined || first.routes.length === 0) return section(title, '  none is routed\n', paint)
  return section(title, first.routes.map((route) => renderRoute(route, paint)).join(''), paint)
}

/** What pods without a sidecar call, and by what Service; nothing where there is no egress. */
function renderEgress({ egress, clusterset }: Tables, paint: Paint): string {
  if (egress === undefined) return ''
  const direct = new Map(clusterset.map(({ namespace, name, direct: [address] }) => [`${namespace}/${name}`, address]))
  const routes = egress.routes.map((route, index) => {
    const { service, port } = route
    const at = `${service.split('/')[0]}/${derivedName(service)}, port ${egress.listeners[index]?.at} of the egress`
    const address = direct.get(service)
    const where = address === undefined ? at : `${hostAndPort(address, port)}, Service ${at}`
    return renderRoute(route, paint, { name: acrossName(service), where })
  })
  return section('Calls from pods without a sidecar', routes.join('') || '  none is routed\n', paint)
}

interface Called {
  readonly name: string
  /** Address, and what is behind it. */
  readonly where: string
}

const captured = (route: ServiceRoute): Called => ({
  name: calledBy(route),
  where: hostAndPort(route.vip, route.port),
})

function renderRoute(route: ServiceRoute, paint: Paint, { name, where }: Called = captured(route)): string {
  const stay = route.tcp ? '  connections' : route.sticky ? '  sessions stay' : ''
  const head = `  ${paint('cyan', name)}:${route.port}  ${ruleOf(route)}${stay}  ${paint('dim', where)}\n`
  if (route.backends.length === 0)
    return `${head}    ${paint('red', route.tcp ? 'nowhere: closed' : 'nowhere: answered with 503')}\n`
  const rows = route.backends.map((backend) => [
    order(backend),
    share(backend, route.backends),
    ...destination(backend, paint),
  ])
  return head + columns(rows, '    ')
}

/** namespace/name → name.namespace, as callers write it. */
export function host(service: string): string {
  return service.split('/').reverse().join('.')
}

/** The name that leads to a route: where the short one means the local Service, the clusterset's. */
export function calledBy({ service, policy, acrossOnly }: ServiceRoute): string {
  return policy === 'Locality' || acrossOnly ? acrossName(service) : host(service)
}

const acrossName = (service: string): string => `${host(service)}.svc.${CLUSTERSET_DOMAIN}`

function order({ priority }: Backend): string {
  return `${priority + 1}.`
}

/** Of the traffic of its priority. */
export function share({ priority, weight }: Backend, all: readonly Backend[]): string {
  const total = all.filter((other) => other.priority === priority).reduce((sum, other) => sum + other.weight, 0)
  return `${Math.round((100 * weight) / total)} %`.padStart(5)
}

export function destination(backend: Backend, paint: Paint): readonly [key: string, where: string] {
  if (backend.local) return [paint('green', backend.clusterKey), "this cluster's Service"]
  return [backend.clusterKey, atGateway(backend.endpoints, backend.pathPrefix, backend.tls?.gateway)]
}

/** Where gateways take a call. @param id whom they must be, when they are called with mutual TLS */
export function atGateway(endpoints: Backend['endpoints'], path: string, id: string | undefined): string {
  const urls = endpoints.map(
    ({ host, port }) => `${id === undefined ? 'http' : 'https'}://${hostAndPort(host, port)}${path}`,
  )
  return urls.join(', ') + (id === undefined ? '' : `  mTLS with ${id}`)
}

function renderNames(tables: Tables, paint: Paint): string {
  return columns(
    tables.dns.map(({ name, address }) => [
      name,
      address,
      refuses(tables, address) ? paint('dim', 'refuses: not routed, no local Service') : '',
    ]),
  )
}

function renderPaths({ routes, tcp }: GatewayTable): string {
  return columns([
    ...routes.map((route) => [
      route.path,
      route.pathType,
      `${host(route.service)}:${route.port}`,
      [appSees(route), ...balance(route), ...admission(route)].filter((text) => text !== '').join('; '),
    ]),
    ...tcp.map(({ service, port }) => [`${port}/TCP`, '', `${host(service)}:${port}`, 'connections']),
  ])
}

/** Whom and how many calls a gateway lets through, where that is not all. */
export function admission({ clients, rateLimit }: Pick<GatewayRoute, 'clients' | 'rateLimit'>): readonly string[] {
  return [
    ...(clients === undefined ? [] : [clients.length === 0 ? 'lets in nobody' : 'lets in certain clients']),
    ...(rateLimit ? [`at most ${rateLimit.requests} requests in ${rateLimit.seconds} s`] : []),
  ]
}

const BALANCERS = {
  LeastWorkLoadBalancer: 'to the pod with the fewest calls under way',
  HashingLoadBalancer: 'always the same pod for one client',
} as const

/** What a sidecar does for sessions, where it does. */
export function sessions({ sessionCookie }: { readonly sessionCookie?: string }): readonly string[] {
  if (sessionCookie === undefined) return []
  return [`a session keeps to one of them, the shares are of sessions: cookie ${sessionCookie}`]
}

/** How a gateway spreads calls over the pods, where it is not simply in turn. */
export function balance({
  loadBalancer = 'RoundRobinLoadBalancer',
  sessionCookie,
}: {
  readonly loadBalancer?: LoadBalancer
  readonly sessionCookie?: string
}): readonly string[] {
  return [
    ...(loadBalancer === 'RoundRobinLoadBalancer' ? [] : [BALANCERS[loadBalancer]]),
    ...(sessionCookie === undefined ? [] : [`a session keeps its pod: cookie ${sessionCookie}`]),
  ]
}

function appSees({ path, pathType, rewrite }: GatewayRoute): string {
  if (rewrite !== undefined) return `path rewritten: ${rewrite.from} to ${rewrite.to}`
  if (path === '/') return ''
  return pathType === 'Exact' ? 'the app sees /' : `the app sees what follows ${path}`
}
