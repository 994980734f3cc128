/**
 * The proxies that call for pods without a sidecar: a sidecar's clusters and its HTTP manager, and in place of capture a
 * listener for each service-port. HTTP is passed on inside the proxy to the one manager there is, which so never changes.
 */
import { ADMIN_PORT, METRICS_PORT, ROUTES_MOUNT } from '../api/names.ts'
import { hostAndPort } from '../api/vip-range.ts'
import { EGRESS_PORTS } from './egress-ports.ts'
import { LastAnswers } from './memo.ts'
import {
  anyAddress,
  type BootstrapSettings,
  bootstrap,
  fileSource,
  type Json,
  response,
  typed,
} from './render-envoy.ts'
import { GATEWAY_RUNTIME, KEEPALIVE, OVERLOAD } from './render-hygiene.ts'
import { clusterOf, outboundManager, withoutTls } from './render-sidecar.ts'
import { anyWebCluster, CALLER_STATE, egressFilters, webListener } from './render-tcp.ts'
import type { EgressListener, EgressTable, ServiceRoute } from './tables.ts'

/** As in a pod of the egress: files lie where a sidecar has them, so that clusters are the very same. */
export const egressSettings = (clusterKey: string): BootstrapSettings => ({
  clusterKey,
  directory: ROUTES_MOUNT,
  accessLog: true,
  adminPort: ADMIN_PORT,
  metricsPort: METRICS_PORT,
})

/** Without a sidecar a pod is known by its address alone, which the application would not see otherwise. */
const CALLED_FOR: Json = {
  request_headers_to_add: [
    {
      header: { key: 'x-forwarded-for', value: `%FILTER_STATE(${CALLER_STATE}:PLAIN)%` },
      append_action: 'APPEND_IF_EXISTS_OR_ADD',
    },
  ],
}

/**
 * Callers keep connections, and nobody tells them that the pod at the other end is about to leave. So a response asks for
 * another connection now and then, well within the time that a leaving pod goes on (chart value `egress.drainSeconds`):
 * those opened meanwhile lead to pods that stay.
 */
const CONNECTIONS_AGE: Json = {
  common_http_protocol_options: { max_connection_duration: '4s' },
  http1_safe_max_connection_duration: true,
}

/** The same with an identity and without one: what needs it comes with the clusters. */
export const egressBootstrap = (settings: BootstrapSettings): Json => {
  const web = {
    ...webListener(outboundManager(settings.accessLog, CALLED_FOR, CONNECTIONS_AGE)),
    ignore_global_conn_limit: true,
  }
  const plain = bootstrap(settings, [web], GATEWAY_RUNTIME) as Json & {
    readonly dynamic_resources: Json
    readonly static_resources: Json & { readonly clusters: readonly Json[] }
  }
  const { dynamic_resources: dynamic, static_resources: resources } = plain
  return {
    ...plain,
    ...OVERLOAD,
    dynamic_resources: { ...dynamic, lds_config: fileSource(settings.directory, 'lds.json') },
    static_resources: { ...resources, clusters: [...resources.clusters, anyWebCluster] },
  }
}

/** By what the cluster of a listener is known: the address of the import may move, and connections would stay with the old one. */
const destinationOf = ({ at }: EgressListener): string => hostAndPort('127.0.0.1', at)

/** Named by its port, and with nothing in it that changes with others: Envoy leaves alone what is the same. */
const listenerOf = (listener: EgressListener, ipv6: boolean): Json =>
  typed('envoy.config.listener.v3.Listener', {
    name: `egress ${listener.at}`,
    stat_prefix: 'egress',
    address: anyAddress(listener.at, ipv6),
    ...KEEPALIVE,
    filter_chains: [{ filters: egressFilters(destinationOf(listener), listener.tcp === true, true) }],
  })

/** The listeners: `lds.json`. One that a proxy reads a moment before its cluster answers 503, or closes, until then. */
export const egressLds = ({ version, listeners, ipv6 }: EgressTable): string =>
  response(version, listeners.map((each) => JSON.stringify(listenerOf(each, ipv6 === true))).join(','))

const texts = new LastAnswers<ServiceRoute, string>()

type Kind = Pick<EgressListener, 'tcp'> & Pick<EgressTable, 'ipv6'>

/** Listeners of one kind differ in the port alone, and all ports have five digits. */
const listenerBytes = ({ tcp, ipv6 }: Kind): number =>
  JSON.stringify(listenerOf({ at: EGRESS_PORTS.first, service: '', port: 0, ...(tcp ? { tcp } : {}) }, ipv6 === true))
    .length
const EVERY_KIND = ([{}, { tcp: true }, { ipv6: true }, { tcp: true, ipv6: true }] satisfies readonly Kind[]).map(
  (kind: Kind) => [kind, listenerBytes(kind)] as const,
)

/** What one service-port takes of the files, commas included. */
export const egressBytes = (
  route: ServiceRoute,
  listener: EgressListener,
  { trust, ipv6 }: Pick<EgressTable, 'trust' | 'ipv6'>,
): number => {
  const [, bytes = 0] = EVERY_KIND.find(([kind]) => kind.tcp === listener.tcp && kind.ipv6 === ipv6) ?? []
  return bytes + 1 + Buffer.byteLength(clusterText(route, destinationOf(listener), trust !== undefined)) + 1
}

const clusterText = (route: ServiceRoute, destination: string, tls: boolean): string =>
  texts.get(route, [destination, tls], () => {
    const seen = tls ? route : withoutTls(route)
    // Without anybody who takes calls there is none, so they get 503.
    return seen.backends.length === 0 ? '' : JSON.stringify(clusterOf(seen, destination))
  })

/** The clusters, as a sidecar has them but for their names: `cds.json`. */
export const egressCds = ({ version, routes, listeners, trust }: EgressTable): string => {
  const clusters = listeners.map((listener, index) => {
    const route = routes[index]
    return route ? clusterText(route, destinationOf(listener), trust !== undefined) : ''
  })
  return response(version, clusters.filter((text) => text !== '').join(','))
}
