/** What a gateway takes from whoever reaches it, and how much of it. Ordinary use meets none of the limits. */
import { extension, inWords, type Json, metricsLimit, typed } from './render-envoy.ts'

/** Connections at once, idle ones too, of all clients together. One takes some 30 kB, with TLS. */
export const MOST_CONNECTIONS = 10_000

/** How long after the last call a connection stays. Sidecars give up theirs after an hour, so that they are the first. */
const IDLE_TIMEOUT = '3900s'

/**
 * Then a connection takes no more calls; those under way end as they will. Who calls is known from the time of the
 * handshake: so long a member that has left, or a certificate that has run out, may go on calling what is open to it.
 */
const LONGEST_CONNECTION = '3600s'

/** The headers of a request have to come within this time once they have begun to. */
const HEADERS_TIMEOUT = '10s'

const MOST_HEADER_KILOBYTES = 60
const MOST_HEADERS = 100

/** Of one HTTP/2 connection. Callers open another one for more. */
const MOST_STREAMS = 1_024
const STREAM_WINDOW_BYTES = 1024 * 1024
const CONNECTION_WINDOW_BYTES = 16 * STREAM_WINDOW_BYTES

/** Of the requests that come at once on one connection, as many are read before the other connections have their turn. */
const REQUESTS_PER_TURN = 8

/** A dash or an underscore: to many frameworks they are the same. */
const D = '[-_]'

/**
 * Headers that a caller cannot give, whatever stands in them; all others reach the application.
 * - Ours and Envoy's: proxies and applications take them for the proxies' own word.
 * - Who calls, in headers that no proxy corrects. X-Forwarded-For stays: the gateway appends the address that it saw.
 * - Another path or method than that of the request, which applications prefer to it: the export's path would mean nothing.
 * - What proxies set, spelled with underscores.
 */
const NOT_THE_CALLERS = [
  `x${D}(portolan|envoy)${D}.*`,
  'forwarded',
  `x${D}(real|client)${D}ip`,
  `(x${D})?(true|cluster)${D}client${D}ip`,
  `x${D}original${D}.*`,
  `x${D}rewrite${D}(url|uri|path)`,
  `x${D}forwarded${D}(uri|path|method)`,
  `x_forwarded${D}.*`,
  'x-forwarded_.*',
  'x-forwarded-client_cert',
  '(content|transfer)_(length|encoding)',
].join('|')

/** Behind all filters that read one of these headers. */
export const CLEAN_HEADERS = extension(
  'envoy.filters.http.header_mutation',
  'envoy.extensions.filters.http.header_mutation.v3.HeaderMutation',
  {
    mutations: {
      request_mutations: [{ remove_on_match: { key_matcher: { safe_regex: { regex: NOT_THE_CALLERS } } } }],
    },
  },
)

/** Of the connection manager. There is no limit to how long a stream may be silent: WebSockets and gRPC streams are. */
export const HYGIENE: Json = {
  use_remote_address: true,
  // Who the client is goes to the application in this header, which nobody else can set.
  forward_client_cert_details: 'SANITIZE_SET',
  set_current_client_cert_details: { uri: true },
  preserve_external_request_id: true,
  normalize_path: true,
  merge_slashes: true,
  path_with_escaped_slashes_action: 'REJECT_REQUEST',
  request_headers_timeout: HEADERS_TIMEOUT,
  max_request_headers_kb: MOST_HEADER_KILOBYTES,
  http1_safe_max_connection_duration: true,
  common_http_protocol_options: {
    idle_timeout: IDLE_TIMEOUT,
    max_connection_duration: LONGEST_CONNECTION,
    max_headers_count: MOST_HEADERS,
    // Applications have such headers of their own.
    headers_with_underscores_action: 'ALLOW',
  },
  http2_protocol_options: {
    max_concurrent_streams: MOST_STREAMS,
    initial_stream_window_size: STREAM_WINDOW_BYTES,
    initial_connection_window_size: CONNECTION_WINDOW_BYTES,
    // A client that is gone without a word would keep its streams.
    connection_keepalive: { interval: '60s', timeout: '20s' },
  },
}

/** CONNECT is one, and so is h2c. */
export const NO_UPGRADE = inWords(
  'response.code_details == "upgrade_failed"',
  'gateways pass on no upgrade but that to websocket',
)

/** Of the listener: the kernel asks a silent client whether it is there. SO_KEEPALIVE, TCP_KEEPIDLE, _KEEPINTVL, _KEEPCNT. */
export const KEEPALIVE: Json = {
  socket_options: [
    { level: 1, name: 9, int_value: 1 },
    { level: 6, name: 4, int_value: 60 },
    { level: 6, name: 5, int_value: 20 },
    { level: 6, name: 6, int_value: 3 },
  ],
}

/** Of the bootstrap. Probes and statistics are not counted, nor refused. */
export const OVERLOAD: Json = {
  overload_manager: {
    resource_monitors: [
      {
        name: 'envoy.resource_monitors.global_downstream_max_connections',
        typed_config: typed(
          'envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig',
          { max_active_downstream_connections: MOST_CONNECTIONS },
        ),
      },
    ],
  },
}

/** The kubelet asks them whether they are ready: more than others can they afford, and so many are harder to keep busy. */
export const GATEWAY_RUNTIME = {
  'http.max_requests_per_io_cycle': REQUESTS_PER_TURN,
  [metricsLimit]: MOST_CONNECTIONS,
}
