import { ADMIN_PORT, CAPTURE_PORT, METRICS_PORT, MTLS_CLUSTERS, ROUTES_MOUNT } from '../api/names.ts'
import { familyOf, hostAndPort } from '../api/vip-range.ts'
import { LEADS_UP } from './gateway-path.ts'
import { perObject } from './memo.ts'
import { ANSWER_REFUSAL, accountFilter, callersOf, choiceByCaller, ownAccount, refusal } from './render-callers.ts'
import {
  APPLICATION_IDLE_TIMEOUT,
  address,
  type BootstrapSettings,
  bootstrap,
  CALLER,
  CIRCUIT_BREAKERS,
  connectionManager,
  extension,
  HTTP_OPTIONS,
  IDEMPOTENT_METHODS,
  isDnsName,
  type Json,
  METADATA,
  OURS,
  OUTLIER_DETECTION,
  ofEndpoint,
  PEERS_FIRST,
  PODS_ONLY,
  REPLAY_BUFFER_BYTES,
  RETRY_IDEMPOTENT,
  RETRY_UNSEEN,
  response,
  retryUnserved,
  router,
  STAND_IN,
  shortKey,
  typed,
} from './render-envoy.ts'
import { KEEPS_SESSIONS, SESSION, STICKY, sessionFilters, WHETHER_STICKY } from './render-sessions.ts'
import {
  CALLER_STATE,
  STREAM_CLUSTER,
  sidecarTcpChain,
  streamClusterName,
  streamHandshake,
  webCluster,
  webListener,
} from './render-tcp.ts'
import { matchedSocket, sidecarSockets } from './render-tls.ts'
import type { Backend, ServiceRoute, SidecarTable } from './tables.ts'
import type { Address } from './world.ts'

export interface SidecarSettings extends BootstrapSettings {
  readonly capturePort: number
  /** As in the table. */
  readonly tcpRange: string
}

/** As in an injected pod. @param mtls the pod has an identity */
export const sidecarSettings = (
  clusterKey: string,
  { tcpRange, ipv6 }: Pick<SidecarTable, 'tcpRange' | 'ipv6'>,
  mtls = false,
): SidecarSettings => ({
  ipv6: ipv6 === true,
  clusterKey,
  ...(mtls ? { clusters: MTLS_CLUSTERS } : {}),
  directory: ROUTES_MOUNT,
  accessLog: true,
  adminPort: ADMIN_PORT,
  metricsPort: METRICS_PORT,
  capturePort: CAPTURE_PORT,
  tcpRange,
})

/** Scratch headers. Whatever reads one, we have overwritten it before: a caller cannot set it. */
export const DESTINATION = 'x-portolan-destination'
const TARGET = 'x-portolan-target'
const AUTHORITY = 'x-portolan-authority'

const overwrite = (key: string, value: string): Json => ({
  append: { header: { key, value }, append_action: 'OVERWRITE_IF_EXISTS_OR_ADD' },
})

/** Where the caller wanted to go before capture, `VIP:port`, which is also the name of the cluster that takes the call. */
const destinationMutation = extension(
  'envoy.http.early_header_mutation.header_mutation',
  'envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation',
  {
    mutations: [overwrite(DESTINATION, '%DOWNSTREAM_LOCAL_ADDRESS%'), ownAccount, { remove: KEEPS_SESSIONS }],
  },
)

const remember = (key: string, value: string): Json => ({
  object_key: `${OURS}.${key}`,
  factory_key: 'envoy.string',
  format_string: { text_format_source: { inline_string: value } },
})

/** Keeps path and host as the caller sent them, outside the message, so that each try starts from them again. */
export const rememberFilter = extension(
  'portolan.remember',
  'envoy.extensions.filters.http.set_filter_state.v3.Config',
  {
    on_request_headers: [
      remember('path', '%REQ(:PATH)%'),
      remember('host', '%REQ(:AUTHORITY)%'),
      remember('sticky', WHETHER_STICKY),
    ],
  },
)

/** Metadata of an endpoint that is an application and no gateway. */
const DIRECT = '-'

/** Only Lua may write pseudo headers after an endpoint has been chosen. */
const MOVE_HEADERS = [
  'function envoy_on_request(r)',
  'local h=r:headers()',
  `local p=h:get("${TARGET}")`,
  ANSWER_REFUSAL,
  `if p then h:replace(":path",p) h:remove("${TARGET}") end`,
  `local a=h:get("${AUTHORITY}") if a then h:replace(":authority",a) h:remove("${AUTHORITY}") end`,
  `if h:get("${CALLER}")=="${DIRECT}" then h:remove("${CALLER}") end`,
  'end',
].join('\n')

/**
 * Run once per try, with the endpoint of that try: put its path prefix in front, and its own Host where it has one.
 *
 * @param caller format that yields the calling pod's address
 */
export const perTryFilters = (caller: string): readonly Json[] => [
  extension('envoy.filters.http.header_mutation', 'envoy.extensions.filters.http.header_mutation.v3.HeaderMutation', {
    mutations: {
      request_mutations: [
        overwrite(TARGET, `${ofEndpoint('pathPrefix')}%FILTER_STATE(${OURS}.path:PLAIN)%`),
        overwrite(AUTHORITY, `%FILTER_STATE(${OURS}.host:PLAIN)%`),
        // An absent value changes nothing, so the caller's Host stays.
        overwrite(AUTHORITY, ofEndpoint('host')),
        overwrite(CALLER, caller),
        overwrite(CALLER, `%FILTER_STATE(${CALLER_STATE}:PLAIN)%`),
        overwrite(CALLER, ofEndpoint('direct')),
      ],
    },
  }),
  extension('envoy.filters.http.lua', 'envoy.extensions.filters.http.lua.v3.Lua', {
    default_source_code: { inline_string: MOVE_HEADERS },
  }),
  extension('envoy.filters.http.upstream_codec', 'envoy.extensions.filters.http.upstream_codec.v3.UpstreamCodec'),
]

const toDestination = (headers: readonly Json[], retry: Parameters<typeof retryUnserved>[0]): Json => ({
  match: { prefix: '/', ...(headers.length > 0 ? { headers } : {}) },
  route: { cluster_header: DESTINATION, timeout: '0s', retry_policy: retryUnserved(retry) },
})

const IDEMPOTENT = { name: ':method', string_match: { safe_regex: { regex: IDEMPOTENT_METHODS.join('|') } } }
const KEEPING = { name: KEEPS_SESSIONS, present_match: true }

/**
 * A session whose pod has gone tries its neighbours before other clusters, with which it would have to stay.
 *
 * @param where what else the headers of a call have to match
 */
export const routesTo = (where: readonly Json[]): readonly Json[] => [
  {
    match: { safe_regex: { regex: LEADS_UP }, ...(where.length > 0 ? { headers: where } : {}) },
    direct_response: { status: 400, body: { inline_string: 'portolan: the path has .. in it\n' } },
  },
  toDestination([KEEPING, IDEMPOTENT, ...where], PEERS_FIRST.idempotent),
  toDestination([KEEPING, ...where], PEERS_FIRST.unseen),
  toDestination([IDEMPOTENT, ...where], RETRY_IDEMPOTENT),
  toDestination(where, RETRY_UNSEEN),
]

/** What a call is told that no cluster takes. */
export const NO_CLUSTER: Json = {
  mappers: [
    {
      filter: { response_flag_filter: { flags: ['NC'] } },
      body: { inline_string: 'portolan: no cluster takes calls to this service and port\n' },
    },
  ],
}

/**
 * @param routes what its routes have beside those of a sidecar
 * @param more of the manager itself
 */
export const outboundManager = (accessLog: boolean, routes: Json = {}, more: Json = {}): Json =>
  connectionManager('outbound', accessLog, {
    ...more,
    skip_xff_append: true,
    early_header_mutation_extensions: [destinationMutation],
    local_reply_config: NO_CLUSTER,
    route_config: {
      name: 'outbound',
      validate_clusters: false,
      request_headers_to_remove: [DESTINATION, SESSION, KEEPS_SESSIONS],
      ...routes,
      virtual_hosts: [
        {
          name: 'imports',
          domains: ['*'],
          request_body_buffer_limit: REPLAY_BUFFER_BYTES,
          routes: routesTo([]),
        },
      ],
    },
    http_filters: [
      rememberFilter,
      accountFilter,
      ...sessionFilters(DESTINATION, `${OURS}.sticky`),
      router({ upstream_http_filters: perTryFilters('%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%') }),
    ],
  })

const outboundListener = ({ capturePort, accessLog, tcpRange }: SidecarSettings): Json => ({
  name: 'outbound',
  stat_prefix: 'outbound',
  // What is redirected comes by the loopback of its family: nobody else has anything to say here.
  address: address({ host: familyOf(tcpRange) === 6 ? '::1' : '127.0.0.1', port: capturePort }),
  listener_filters: [
    extension('envoy.filters.listener.original_dst', 'envoy.extensions.filters.listener.original_dst.v3.OriginalDst'),
  ],
  filter_chains: [sidecarTcpChain(tcpRange, accessLog), { name: 'http', filters: [outboundManager(accessLog)] }],
})

/** The same for every sidecar of a cluster: what differs between pods comes by flags, what changes by CDS. */
export const sidecarBootstrap = (settings: SidecarSettings): Json =>
  bootstrap(settings, [outboundListener(settings), webListener(outboundManager(settings.accessLog))])

const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b))

/** Weight of each endpoint of a backend, in whole numbers as small as they can be: a backend's endpoints share its weight. */
const endpointWeights = (backends: readonly Backend[]): ReadonlyMap<Backend, number> => {
  const weights = new Map<Backend, number>()
  for (const priority of new Set(backends.map((backend) => backend.priority))) {
    const peers = backends.filter((backend) => backend.priority === priority)
    const common = peers.reduce((all, { endpoints }) => (all * endpoints.length) / gcd(all, endpoints.length), 1)
    const shares = peers.map(({ weight, endpoints }) => (weight * common) / endpoints.length)
    const divisor = shares.reduce(gcd)
    peers.forEach((backend, index) => {
      weights.set(backend, (shares[index] ?? divisor) / divisor)
    })
  }
  return weights
}

const lbEndpoint = (backend: Backend, to: Address, weight: number): Json => ({
  endpoint: { address: address(to) },
  ...(weight === 1 ? {} : { load_balancing_weight: weight }),
  metadata: {
    filter_metadata: {
      [METADATA.namespace]: {
        [METADATA.clusterKey]: shortKey(backend.clusterKey),
        ...(backend.pathPrefix === '' ? {} : { [METADATA.pathPrefix]: backend.pathPrefix }),
        // An ingress that is known by name wants to be called by it.
        ...(isDnsName(to.host) ? { [METADATA.host]: to.host } : {}),
        ...(backend.local ? { [METADATA.direct]: DIRECT } : {}),
      },
      ...matchedSocket(backend),
      ...callersOf(backend),
    },
  },
})

/** kube-proxy chooses a pod per connection, so connections to a Service's own address must not live long. */
export const REQUESTS_PER_LOCAL_CONNECTION = 10

const httpOptions = (backends: readonly Backend[]): Json => ({
  [HTTP_OPTIONS]: typed(HTTP_OPTIONS, {
    ...(backends.some((backend) => backend.local)
      ? {
          common_http_protocol_options: {
            idle_timeout: APPLICATION_IDLE_TIMEOUT,
            max_requests_per_connection: REQUESTS_PER_LOCAL_CONNECTION,
          },
        }
      : {}),
    use_downstream_protocol_config: {},
  }),
})

/**
 * What a local backend falls back to, as a backend that comes after all others. Where other clusters share its calls,
 * they take those that its pods cannot: a priority between would only delay them.
 */
const standIns = (backends: readonly Backend[]): readonly Backend[] =>
  backends.flatMap((backend) => {
    const { fallback, priority } = backend
    if (!fallback || backends.some((other) => other !== backend && other.priority === priority)) return []
    return [{ ...backend, priority: (backends.at(-1)?.priority ?? 0) + 1, endpoints: [fallback] }]
  })

/**
 * One service-port. Endpoints are never given by EDS, which drops the second of two with the same address.
 *
 * @param destination where its calls are for, `host:port`
 */
export const clusterOf = (route: ServiceRoute, destination: string): Json => {
  const { service, vip, port, tcp, sticky, backends: known } = route
  const backends = [...known, ...standIns(known)]
  const weights = endpointWeights(backends)
  const hosts = backends.flatMap((backend) => backend.endpoints.map(({ host }) => host))
  // A priority keeps all of its traffic while any endpoint of it is left, instead of spilling over by degrees.
  const last = backends.at(-1)?.priority ?? 0
  const spills = Object.values(Object.groupBy(backends, (backend) => backend.priority)).some(
    (peers = []) =>
      peers.some(({ priority }) => priority < last) && peers.flatMap(({ endpoints }) => endpoints).length > 1,
  )
  return typed('envoy.config.cluster.v3.Cluster', {
    name: tcp ? streamClusterName(destination) : destination,
    alt_stat_name: `out|${service}|${port}`,
    ...(hosts.some(isDnsName)
      ? // With IPv6 first, which is what Envoy does by default, and leaves out when it is asked what it runs.
        { type: 'STRICT_DNS', ...(familyOf(vip) === 6 ? {} : { dns_lookup_family: 'V4_PREFERRED' }) }
      : {}),
    connect_timeout: '1s',
    ...(sticky ? { metadata: STICKY, common_lb_config: PODS_ONLY } : {}),
    outlier_detection: OUTLIER_DETECTION,
    circuit_breakers: CIRCUIT_BREAKERS,
    ...sidecarSockets(backends, tcp && streamHandshake(route)),
    ...choiceByCaller(route),
    ...(tcp ? STREAM_CLUSTER : {}),
    load_assignment: {
      cluster_name: '-',
      ...(spills ? { policy: { overprovisioning_factor: 10000 } } : {}),
      endpoints: [
        ...backends.map((backend) => ({
          ...(backend.priority === 0 ? {} : { priority: backend.priority }),
          locality: { zone: shortKey(backend.clusterKey) },
          lb_endpoints: backend.endpoints.map((to) => ({
            ...lbEndpoint(backend, to, weights.get(backend) ?? 1),
            ...(known.includes(backend) ? {} : STAND_IN),
          })),
        })),
        ...refusal(route),
      ],
    },
    ...(tcp ? {} : { typed_extension_protocol_options: httpOptions(backends) }),
  })
}

/** A route that no cluster takes has none; that it is HTTP must be known all the same, for its calls to be told so. */
const clustersOf = (route: ServiceRoute): readonly Json[] => [
  ...(route.amongTcp ? [webCluster(route)] : []),
  ...(route.backends.length > 0 ? [clusterOf(route, hostAndPort(route.vip, route.port))] : []),
]

const textsOf = (seen: (route: ServiceRoute) => ServiceRoute) => {
  const text = perObject((route: ServiceRoute) =>
    clustersOf(seen(route))
      .map((cluster) => JSON.stringify(cluster))
      .join(','),
  )
  return perObject((routes: readonly ServiceRoute[]) =>
    routes
      .map(text)
      .filter((each) => each !== '')
      .join(','),
  )
}

/** For a proxy that cannot speak TLS: HTTP that all may call goes without; a stream that is not local goes nowhere. */
export const withoutTls = (route: ServiceRoute): ServiceRoute => ({
  ...route,
  backends: route.backends.flatMap(({ tls, ...backend }) => (route.tcp && tls ? [] : [backend])),
})

const clusterTexts = textsOf((route) => route)
const plainTexts = textsOf(withoutTls)

/** The clusters of a table: `cds.json`. A route that no cluster takes has none, so its calls get 503. */
export const sidecarCds = ({ version, routes }: SidecarTable): string => response(version, clusterTexts(routes))

/** The same for a sidecar that cannot speak TLS. */
export const plainSidecarCds = ({ version, routes }: SidecarTable): string => response(version, plainTexts(routes))
