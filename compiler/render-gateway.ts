import { ADMIN_PORT, GATEWAY_MOUNT, GATEWAY_PORT, METRICS_PORT } from '../api/names.ts'
import { DOTS_WITH_PARAMETERS } from './gateway-path.ts'
import { by, unique } from './order.ts'
import { quoted } from './regex.ts'
import { ACCESS_FILTERS, accessOf, OPEN, REFUSALS } from './render-access.ts'
import {
  APPLICATION_IDLE_TIMEOUT,
  address,
  anyAddress,
  type BootstrapSettings,
  bootstrap,
  CALLER,
  CIRCUIT_BREAKERS,
  connectionManager,
  extension,
  fileSource,
  HTTP_OPTIONS,
  type Json,
  OURS,
  OUTLIER_DETECTION,
  PEERS_FIRST,
  PODS_ONLY,
  REPLAY_BUFFER_BYTES,
  RETRY_UNSEEN,
  response,
  router,
  STAND_IN,
  typed,
  UNSERVED,
} from './render-envoy.ts'
import { CLEAN_HEADERS, GATEWAY_RUNTIME, HYGIENE, KEEPALIVE, NO_UPGRADE, OVERLOAD } from './render-hygiene.ts'
import { LIMITS_FILTER, limitOf, USED_UP } from './render-limits.ts'
import { gatewayTcpChain, gatewayTcpListeners, tcpClusters } from './render-tcp.ts'
import { EITHER, gatewaySocket, PLAIN, refusedLog } from './render-tls.ts'
import type { GatewayRoute, GatewayTable } from './tables.ts'

export interface GatewaySettings extends BootstrapSettings {
  readonly port: number
  /** Takes calls with mutual TLS beside plain HTTP, at the same port. */
  readonly mtls?: boolean
}

/** As in a gateway pod. */
export const gatewaySettings = (clusterKey: string): GatewaySettings => ({
  clusterKey,
  directory: GATEWAY_MOUNT,
  accessLog: true,
  adminPort: ADMIN_PORT,
  metricsPort: METRICS_PORT,
  port: GATEWAY_PORT,
})

const ROUTES = 'gateway'

const SESSIONS_FILTER = 'envoy.filters.http.stateful_session'
const STATEFUL_SESSION = 'envoy.extensions.filters.http.stateful_session.v3.StatefulSession'
const CALLERS_FILTER = 'portolan.callers'
const SET_FILTER_STATE = 'envoy.extensions.filters.http.set_filter_state.v3.Config'

/** Both do nothing until a route says what. */
const SESSIONS = extension(SESSIONS_FILTER, STATEFUL_SESSION)
const CALLERS = extension(CALLERS_FILTER, SET_FILTER_STATE)

const UNSEEN = { header: { key: UNSERVED, value: 'true' } }

/** No connection to any pod, no pod at all, or no cluster yet for a route that came before it. What one may have seen is not tried again here, so these come after none. */
const UNREACHED = { filter: { response_flag_filter: { flags: ['UF', 'UH', 'NC'] } }, headers_to_add: [UNSEEN] }

const gatewayManager = ({ directory, accessLog }: GatewaySettings): Json =>
  connectionManager('gateway', accessLog, {
    rds: { route_config_name: ROUTES, config_source: fileSource(directory, 'rds.json') },
    ...HYGIENE,
    http_filters: [...ACCESS_FILTERS, LIMITS_FILTER, SESSIONS, CALLERS, CLEAN_HEADERS, router()],
    local_reply_config: { mappers: [UNREACHED, ...REFUSALS, NO_UPGRADE, USED_UP] },
  })

/** One port for both: the first bytes of a connection tell whether it is TLS. */
const gatewayListener = (settings: GatewaySettings): Json => {
  const plain = { name: PLAIN, filters: [gatewayManager(settings)] }
  return {
    name: 'gateway',
    stat_prefix: 'gateway',
    address: anyAddress(settings.port, settings.ipv6),
    ...KEEPALIVE,
    ...(settings.mtls
      ? {
          ...EITHER,
          ...(settings.accessLog ? { access_log: [refusedLog()] } : {}),
          filter_chains: [
            gatewayTcpChain(settings.accessLog),
            {
              name: 'mtls',
              filter_chain_match: { transport_protocol: 'tls' },
              transport_socket: gatewaySocket(settings.directory, ['h2', 'http/1.1']),
              filters: [gatewayManager(settings)],
            },
            plain,
          ],
        }
      : { filter_chains: [plain] }),
  }
}

export const gatewayBootstrap = (settings: GatewaySettings): Json => ({
  ...bootstrap(
    settings,
    [gatewayListener(settings), ...(settings.mtls ? gatewayTcpListeners(settings.directory, settings.accessLog) : [])],
    GATEWAY_RUNTIME,
  ),
  ...OVERLOAD,
})

/**
 * A cluster is named by the path that leads to it: a path that passes to another Service keeps its cluster, and no
 * proxy that reads the routes before the clusters, or the other way round, sends a call nowhere. But what is not open to
 * all has a name that no route of another Service knows, lest those lead there with their own clients for a moment, or
 * for as long as a proxy refuses the new routes.
 */
const clusterName = ({ path, pathType, service, clients }: GatewayRoute): string =>
  clients === undefined ? `${pathType} ${path}` : `${pathType} ${path} ${service}`

/** A prime: shares of pods are right to one in as many. 4 kB for three pods, of which Envoy's default ring takes 54 and its default table 20. */
const CALLER_TABLE = 16381

const BALANCERS: Readonly<Record<NonNullable<GatewayRoute['loadBalancer']>, Json>> = {
  HashingLoadBalancer: {
    lb_policy: 'MAGLEV',
    maglev_lb_config: { table_size: CALLER_TABLE },
  },
  LeastWorkLoadBalancer: {
    load_balancing_policy: {
      policies: [
        {
          typed_extension_config: extension(
            'envoy.load_balancing_policies.least_request',
            'envoy.extensions.load_balancing_policies.least_request.v3.LeastRequest',
            // Of two chosen at random, as is the default, both are the same pod half of the time when there are two.
            { selection_method: 'FULL_SCAN' },
          ),
        },
      ],
    },
  },
}

const hasPods = ({ endpoints }: GatewayRoute): boolean => endpoints.length > 0

/**
 * Without a pod that the table knows the Service's address most likely leads nowhere. It is told once and soon: most
 * refusals are kept back by the kernel, which sends one a second, and other clusters wait for the call.
 */
const ONCE = { num_retries: 0 }

/** Pods first. The Service's own address takes over when all that the table knows are gone: a stale table heals by retry. */
const clusterOf = (route: GatewayRoute): Json => {
  const groups = [route.endpoints, route.fallback ? [route.fallback] : []].filter((group) => group.length > 0)
  const common = {
    // A retry by hash stays with the pods until they are ejected: word of that must not wait for other news.
    ...(route.loadBalancer === 'HashingLoadBalancer' ? { update_merge_window: '0s' } : {}),
    ...(route.sessionCookie === undefined ? {} : PODS_ONLY),
  }
  return typed('envoy.config.cluster.v3.Cluster', {
    name: clusterName(route),
    alt_stat_name: `in|${route.service}|${route.port}`,
    connect_timeout: hasPods(route) ? '1s' : '0.25s',
    ...(route.loadBalancer ? BALANCERS[route.loadBalancer] : {}),
    ...(Object.keys(common).length === 0 ? {} : { common_lb_config: common }),
    outlier_detection: OUTLIER_DETECTION,
    circuit_breakers: CIRCUIT_BREAKERS,
    load_assignment: {
      cluster_name: '-',
      policy: { overprovisioning_factor: 10000 },
      endpoints: groups.map((group, priority) => ({
        priority,
        lb_endpoints: group.map((to) => ({
          endpoint: { address: address(to) },
          ...(route.sessionCookie !== undefined && to === route.fallback ? STAND_IN : {}),
        })),
      })),
    },
    typed_extension_protocol_options: {
      [HTTP_OPTIONS]: typed(HTTP_OPTIONS, {
        common_http_protocol_options: { idle_timeout: APPLICATION_IDLE_TIMEOUT },
        ...(route.http2
          ? { explicit_http_config: { http2_protocol_options: {} } }
          : { use_downstream_protocol_config: {} }),
      }),
    },
  })
}

/** The gateway's `cds.json`. What only the previous table has is kept for one generation, for calls that are under way. */
export const gatewayCds = (table: GatewayTable, previous?: GatewayTable): string => {
  const kept = previous && previous.version !== table.version ? previous.routes : []
  const routes = unique([...table.routes, ...kept], clusterName)
  const clusters = [
    ...[...routes].sort(by(clusterName)).map(clusterOf),
    ...(table.trust ? table.tcp.flatMap(tcpClusters) : []),
  ].map((cluster) => JSON.stringify(cluster))
  return response(table.version, clusters.join(','))
}

/** What the path becomes: the rule's own rewrite, or the matched prefix taken off. The query stays as it is. */
export const rewriteOf = (route: GatewayRoute): { readonly from: string; readonly to: string } | undefined => {
  if (route.rewrite) return route.rewrite
  if (route.path === '/') return undefined
  return { from: `^${quoted(route.path)}${route.pathType === 'Exact' ? '$' : '/?'}`, to: '/' }
}

/** The address of the session's pod is in its cookie, so each gateway knows it, and no other pod's coming moves it. */
const session = (cookie: string): Json => ({
  [SESSIONS_FILTER]: typed(`${STATEFUL_SESSION}PerRoute`, {
    stateful_session: {
      session_state: extension(
        'envoy.http.stateful_session.cookie',
        'envoy.extensions.http.stateful_session.cookie.v3.CookieBasedSessionState',
        { cookie: { name: cookie, ttl: '0s', path: '/' } },
      ),
    },
  }),
})

const CALLER_STATE = `${OURS}.caller`

/** The caller's name outside the message, where it still is when a pod is chosen. */
const rememberCaller: Json = {
  [CALLERS_FILTER]: typed(SET_FILTER_STATE, {
    on_request_headers: [
      {
        object_key: CALLER_STATE,
        factory_key: 'envoy.hashable_string',
        skip_if_empty: true,
        format_string: { text_format_source: { inline_string: `%REQ(${CALLER})%` }, omit_empty_values: true },
      },
    ],
  }),
}

const byCaller: Json = {
  hash_policy: [
    { filter_state: { key: CALLER_STATE }, terminal: true },
    { connection_properties: { source_ip: true } },
  ],
}

const retryOf = (route: GatewayRoute): Json => {
  if (!hasPods(route)) return { retry_policy: ONCE }
  return route.sessionCookie === undefined ? {} : { retry_policy: PEERS_FIRST.unseen }
}

const routeOf = (route: GatewayRoute): Json => {
  const hashes = route.loadBalancer === 'HashingLoadBalancer'
  const filters = {
    ...accessOf(route),
    ...limitOf(route),
    ...(route.sessionCookie ? session(route.sessionCookie) : {}),
    ...(hashes ? rememberCaller : {}),
  }
  const rewrite = rewriteOf(route)
  const match =
    route.pathType === 'Exact'
      ? { path: route.path }
      : route.path === '/'
        ? { prefix: '/' }
        : { path_separated_prefix: route.path }
  return {
    match,
    route: {
      cluster: clusterName(route),
      timeout: '0s',
      ...(rewrite ? { regex_rewrite: { pattern: { regex: rewrite.from }, substitution: rewrite.to } } : {}),
      ...(hashes ? byCaller : {}),
      ...retryOf(route),
    },
    typed_per_filter_config: filters,
  }
}

const NO_EXPORT = {
  match: { prefix: '/' },
  direct_response: { status: 404, body: { inline_string: 'portolan: no export is served at this path\n' } },
  response_headers_to_add: [UNSEEN],
  typed_per_filter_config: OPEN,
}

const answered = (match: Json, status: number, sentence: string): Json => ({
  match,
  direct_response: { status, body: { inline_string: `portolan: ${sentence}\n` } },
  typed_per_filter_config: OPEN,
})

/** What is wrong with a request, wherever it is for. */
const REFUSED = [
  // Answered before it comes to that, as no upgrade to it is passed on.
  answered({ connect_matcher: {} }, 405, 'gateways take no CONNECT'),
  answered({ safe_regex: { regex: DOTS_WITH_PARAMETERS } }, 400, 'the path has a dot segment with parameters'),
  answered(
    { prefix: '/', headers: [{ name: ':authority', string_match: { contains: ',' } }] },
    400,
    'the request has more hosts than one',
  ),
]

const routeConfiguration = (routes: readonly GatewayRoute[]): Json =>
  typed('envoy.config.route.v3.RouteConfiguration', {
    name: ROUTES,
    validate_clusters: false,
    // Only ours can be trusted. The other way round it would be taken away as well.
    response_headers_to_remove: [UNSERVED],
    most_specific_header_mutations_wins: true,
    virtual_hosts: [
      {
        name: 'exports',
        domains: ['*'],
        request_body_buffer_limit: REPLAY_BUFFER_BYTES,
        retry_policy: RETRY_UNSEEN,
        routes: [...REFUSED, ...routes.map(routeOf), NO_EXPORT],
      },
    ],
  })

/** The gateway's `rds.json`. */
export const gatewayRds = ({ version, routes }: Pick<GatewayTable, 'version' | 'routes'>): string =>
  response(version, JSON.stringify(routeConfiguration(routes)))
