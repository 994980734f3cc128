/** What the configurations of sidecars and gateways have in common: plain values in the shape of Envoy's v3 API. */
import { isIP } from 'node:net'
import type { Address } from './world.ts'

export type Json = Readonly<Record<string, unknown>>

/** Settings of a bootstrap. Paths and ports are as in the pod; tests move them. */
export interface BootstrapSettings {
  /** Names the zone that outgoing calls are counted from. */
  readonly clusterKey: string
  /** Where the ConfigMap is mounted. */
  readonly directory: string
  /** File of the clusters; cds.json by default. */
  readonly clusters?: string
  readonly accessLog: boolean
  readonly adminPort: number
  readonly metricsPort: number
  /** Listens on addresses of both families; else on IPv4's, as a kernel may have no other. */
  readonly ipv6?: boolean
}

export const typed = (type: string, value: Json = {}): Json => ({ '@type': `type.googleapis.com/${type}`, ...value })

export const extension = (name: string, type: string, value: Json = {}): Json => ({
  name,
  typed_config: typed(type, value),
})

export const address = ({ host, port }: Address): Json => ({ socket_address: { address: host, port_value: port } })

/** Where a listener takes connections to any address of the pod. */
export const anyAddress = (port: number, ipv6 = false): Json =>
  ipv6 ? { socket_address: { address: '::', port_value: port, ipv4_compat: true } } : address({ host: '0.0.0.0', port })

export const HTTP_OPTIONS = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions'

/**
 * Applications close connections that were idle for 5 s (Node, Apache, uvicorn) or more; a POST that meets the closing is
 * lost, for it may not be sent again. So the proxy closes first.
 */
export const APPLICATION_IDLE_TIMEOUT = '4s'

/** A file of the mounted ConfigMap, read again after each swap of its directory. */
export const fileSource = (directory: string, file: string): Json => ({
  resource_api_version: 'V3',
  initial_fetch_timeout: '0s',
  path_config_source: { path: `${directory}/${file}`, watched_directory: { path: directory } },
})

/** A discovery response as a file. @param resources JSON of each, with commas between */
export const response = (version: string, resources: string): string =>
  `{"version_info":${JSON.stringify(version)},"resources":[${resources}]}`

/** Setting of the runtime: how many connections the listener of /ready and statistics takes at once. */
export const metricsLimit = 'envoy.resource_limits.listener.metrics.connection_limit'

/**
 * Defaults for every cluster, by runtime instead of 250 bytes in each. Only failures to reach an endpoint eject it: what
 * an application answers is its own business. Of a hundred endpoints the panic threshold of 1 % is met when all are
 * ejected: then they get calls again. With 0, two broken connections to a service's only endpoint would be an outage of
 * as long as it stays ejected.
 */
const RUNTIME = {
  // Whoever is in the cluster reaches these; nothing but the proxy's memory is at stake.
  [metricsLimit]: 1000,
  // A listener of the proxy's own that has done with a connection would reset it, and with the reset go the last bytes
  // for a caller that has closed its own direction already.
  'envoy.reloadable_features.enable_send_rst_on_user_space_socket': false,
  'upstream.healthy_panic_threshold': 1,
  'outlier_detection.interval_ms': 1000,
  'outlier_detection.base_ejection_time_ms': 5000,
  'outlier_detection.max_ejection_time_ms': 30000,
  'outlier_detection.max_ejection_percent': 100,
  'outlier_detection.consecutive_local_origin_failure': 2,
  'outlier_detection.enforcing_consecutive_local_origin_failure': 100,
  'outlier_detection.enforcing_consecutive_5xx': 0,
  'outlier_detection.enforcing_success_rate': 0,
  'outlier_detection.enforcing_local_origin_success_rate': 0,
  // Beyond it Envoy refuses the whole file. How large a rewrite may be is decided when it is written: compiler/regex.ts.
  're2.max_program_size.error_level': 1_000_000,
}

/** Completed by RUNTIME. */
export const OUTLIER_DETECTION = { split_external_local_origin_errors: true }

/**
 * High enough never to be met by one pod's calls. Envoy's own default of 3 retries at a time loses calls when a cluster
 * fails. Calls that wait for a connection are bounded by max_requests or by the connections themselves.
 */
export const CIRCUIT_BREAKERS = {
  thresholds: [{ max_connections: 9999, max_requests: 9999, max_retries: 9999 }],
}

const CONNECT_FAILED = 'connect-failure,refused-stream,reset-before-request'

/** Another priority after some tries. 0 would pass validation and abort Envoy on the first retry. */
const nextPriority = (afterTries: 1 | 2): Json => ({
  retry_priority: extension(
    'envoy.retry_priorities.previous_priorities',
    'envoy.extensions.retry.priority.previous_priorities.v3.PreviousPrioritiesConfig',
    { update_frequency: afterTries },
  ),
})

/** Another priority or endpoint at each try. */
const RETRY = {
  num_retries: 3,
  retry_back_off: { base_interval: '0.005s', max_interval: '0.05s' },
  ...nextPriority(1),
  retry_host_predicate: [
    extension(
      'envoy.retry_host_predicates.previous_hosts',
      'envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate',
    ),
  ],
  host_selection_retry_max_attempts: 5,
}

/** For any method: only what no application can have seen is sent again. */
export const RETRY_UNSEEN = { ...RETRY, retry_on: CONNECT_FAILED }

/** For methods that may be repeated. */
export const RETRY_IDEMPOTENT = {
  ...RETRY,
  retry_on: `${CONNECT_FAILED},reset,retriable-status-codes`,
  retriable_status_codes: [502, 503, 504],
}

/** Marks a gateway's answer that nobody has seen the call, as it serves no such path (yet, or any more) or reaches no pod. */
export const UNSERVED = 'x-portolan-unserved'

/** Also what a gateway did not serve is sent again, elsewhere: tables of two clusters are never of one moment. */
export const retryUnserved = <T extends { readonly retry_on: string }>(retry: T) => ({
  ...retry,
  retry_on: `${retry.retry_on},retriable-headers`,
  retriable_headers: [{ name: UNSERVED, present_match: true }],
})

/** For a session whose endpoint has gone: another of the same priority is tried before the next priority. */
export const PEERS_FIRST = {
  unseen: { ...RETRY_UNSEEN, ...nextPriority(2) },
  idempotent: { ...RETRY_IDEMPOTENT, ...nextPriority(2) },
}

/** A Service's own address that stands in for its pods. No session can stay with it, so none is led back to it. */
export const STAND_IN = { health_status: 'DEGRADED' }
export const PODS_ONLY = { override_host_status: { statuses: ['UNKNOWN', 'HEALTHY'] } }

export const IDEMPOTENT_METHODS = ['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE'] as const

/** Larger bodies are streamed and not sent again. */
export const REPLAY_BUFFER_BYTES = 8 * 1024 * 1024

/** Prefix of our filter state. */
export const OURS = 'portolan'

/** Metadata of endpoints, and of clusters that keep sessions. Written out once per endpoint, hence the short names. */
export const METADATA = {
  namespace: 'mesh',
  clusterKey: 'key',
  pathPrefix: 'path',
  host: 'host',
  direct: 'direct',
  sticky: 'sticky',
} as const

/**
 * Names the calling pod to a gateway: between clusters, addresses are translated. Whoever calls without a sidecar may
 * write it too, and chooses nothing by it but the pod that answers.
 */
export const CALLER = 'x-portolan-caller'

/** An access log or header format that yields a value of the endpoint in use. */
export const ofEndpoint = (value: Exclude<keyof typeof METADATA, 'namespace' | 'sticky'>): string =>
  `%UPSTREAM_METADATA(${METADATA.namespace}:${METADATA[value]})%`

const accessLog = (): Json =>
  extension('envoy.access_loggers.stdout', 'envoy.extensions.access_loggers.stream.v3.StdoutAccessLog', {
    log_format: {
      json_format: {
        time: '%START_TIME%',
        client: '%DOWNSTREAM_PEER_URI_SAN%',
        method: '%REQ(:METHOD)%',
        host: '%REQ(:AUTHORITY)%',
        path: '%REQ(:PATH)%',
        code: '%RESPONSE_CODE%',
        why: '%RESPONSE_CODE_DETAILS%',
        flags: '%RESPONSE_FLAGS%',
        service: '%UPSTREAM_CLUSTER%',
        cluster: ofEndpoint('clusterKey'),
        prefix: ofEndpoint('pathPrefix'),
        upstream: '%UPSTREAM_HOST%',
        tries: '%UPSTREAM_REQUEST_ATTEMPT_COUNT%',
        failure: '%UPSTREAM_TRANSPORT_FAILURE_REASON%',
        grpc: '%GRPC_STATUS%',
        id: '%REQ(X-REQUEST-ID)%',
        ms: '%DURATION%',
      },
    },
  })

/** Words for local replies that would have other words or none. @param expression CEL */
export const inWords = (expression: string, sentence: string): Json => ({
  filter: {
    extension_filter: extension(`${OURS}.reply`, 'envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter', {
      expression,
    }),
  },
  body: { inline_string: `portolan: ${sentence}\n` },
})

/** An HTTP connection manager that leaves messages as they are: no time limit, WebSocket passes, no header of the proxy's. */
export const connectionManager = (statPrefix: string, log: boolean, value: Json): Json =>
  extension(
    'envoy.filters.network.http_connection_manager',
    'envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager',
    {
      stat_prefix: statPrefix,
      stream_idle_timeout: '0s',
      // nginx speaks it to what is behind it unless told otherwise; Envoy by itself would answer 426.
      http_protocol_options: { accept_http_10: true, default_host_for_http_10: 'localhost' },
      upgrade_configs: [{ upgrade_type: 'websocket' }],
      server_header_transformation: 'PASS_THROUGH',
      ...(log ? { access_log: [accessLog()] } : {}),
      ...value,
    },
  )

export const router = (value: Json = {}): Json =>
  extension('envoy.filters.http.router', 'envoy.extensions.filters.http.router.v3.Router', {
    suppress_envoy_headers: true,
    ...value,
  })

/** Of requests for statistics, which are short and come soon; a connection without one is closed. */
const METRICS_HYGIENE: Json = {
  codec_type: 'HTTP1',
  max_request_headers_kb: 8,
  request_headers_timeout: '5s',
  common_http_protocol_options: { idle_timeout: '60s' },
}

/** /ready and statistics of the proxy on the pod's address, to be read only. The admin endpoint itself stays on loopback. */
const metricsListener = ({ metricsPort, ipv6 }: BootstrapSettings): Json => ({
  name: 'metrics',
  address: anyAddress(metricsPort, ipv6),
  ignore_global_conn_limit: true,
  per_connection_buffer_limit_bytes: 32_768,
  filter_chains: [
    {
      filters: [
        connectionManager('metrics', false, {
          ...METRICS_HYGIENE,
          route_config: {
            name: 'metrics',
            virtual_hosts: [
              {
                name: 'metrics',
                domains: ['*'],
                routes: ['/ready', '/stats', '/stats/prometheus'].map((path) => ({
                  match: { path, headers: [{ name: ':method', string_match: { exact: 'GET' } }] },
                  route: { cluster: 'admin' },
                })),
              },
            ],
          },
          http_filters: [router()],
        }),
      ],
    },
  ],
})

/** The statistics worth their memory; all others cost 29 kB per service-port. */
const KEPT_STATS = [
  ...['listener_manager.', 'cluster_manager.', 'server.', 'http.outbound.', 'http.gateway.'].map((prefix) => ({
    prefix,
  })),
  ...['listener.outbound.', 'listener.gateway.'].map((prefix) => ({ prefix })),
  {
    safe_regex: {
      regex:
        '^cluster\\..*\\.(upstream_rq_total|upstream_rq_[2345]xx|upstream_rq_retry|upstream_rq_retry_success|upstream_cx_total|upstream_cx_connect_fail|membership_healthy|membership_total|outlier_detection\\.ejections_active)$',
    },
  },
  { safe_regex: { regex: '^cluster\\..*\\.zone\\..*\\.upstream_rq_[2345]xx$' } },
]

/** The parts of a bootstrap that are the same for every proxy. node.id and node.cluster come by flags. */
export const bootstrap = (settings: BootstrapSettings, listeners: readonly Json[], runtime: Json = {}): Json => {
  const { clusterKey, directory, clusters = 'cds.json', adminPort } = settings
  return {
    node: { locality: { zone: shortKey(clusterKey) } },
    admin: { address: address({ host: '127.0.0.1', port: adminPort }), ignore_global_conn_limit: true },
    // Listeners that only the proxy's own clusters reach.
    bootstrap_extensions: [
      extension(
        'envoy.bootstrap.internal_listener',
        'envoy.extensions.bootstrap.internal_listener.v3.InternalListener',
      ),
    ],
    layered_runtime: { layers: [{ name: 'portolan', static_layer: { ...RUNTIME, ...runtime } }] },
    stats_config: {
      stats_tags: [
        { tag_name: 'from_cluster', regex: '\\.zone\\.(([^.]+)\\.)[^.]+\\.upstream_rq' },
        { tag_name: 'to_cluster', regex: '\\.zone\\.[^.]+\\.(([^.]+)\\.)upstream_rq' },
      ],
      stats_matcher: { inclusion_list: { patterns: KEPT_STATS } },
    },
    dynamic_resources: { cds_config: fileSource(directory, clusters) },
    static_resources: {
      clusters: [
        {
          name: 'admin',
          connect_timeout: '1s',
          load_assignment: {
            cluster_name: 'admin',
            endpoints: [{ lb_endpoints: [{ endpoint: { address: address({ host: '127.0.0.1', port: adminPort }) } }] }],
          },
        },
      ],
      listeners: [...listeners, metricsListener(settings)],
    },
  }
}

/**
 * How proxies call a cluster, in logs, metrics and tables: by its bare name while region, zone and group are the
 * defaults. A whole key has three slashes and a bare name has none, so no two clusters are called alike.
 */
export const shortKey = (clusterKey: string): string => clusterKey.replace(/^default\/default\/default\//, '')

export const isDnsName = (host: string): boolean => isIP(host) === 0
