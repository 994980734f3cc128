/** Ports that are not HTTP, whose connections are passed on whole, and HTTP ports at an address that has such a port too. */
import { hostAndPort } from '../api/vip-range.ts'
import { spiffeIdOf } from './clients.ts'
import { serverName, TCP_PROTOCOL } from './protocol.ts'
import { ANYBODY } from './render-access.ts'
import {
  address,
  CIRCUIT_BREAKERS,
  extension,
  type Json,
  OURS,
  OUTLIER_DETECTION,
  ofEndpoint,
  typed,
} from './render-envoy.ts'
import { gatewaySocket, refusedLog } from './render-tls.ts'
import type { GatewayTcp, ServiceRoute } from './tables.ts'

const RAW = extension('raw', 'envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer')

/** To a listener of the proxy's own, with all filter state that is shared. */
const INWARD = extension(
  'inward',
  'envoy.extensions.transport_sockets.internal_upstream.v3.InternalUpstreamTransport',
  { transport_socket: RAW },
)

const inwardCluster = (name: string, statName: string, listener: string): Json => ({
  name,
  alt_stat_name: statName,
  connect_timeout: '1s',
  circuit_breakers: CIRCUIT_BREAKERS,
  transport_socket: INWARD,
  load_assignment: {
    cluster_name: '-',
    endpoints: [
      { lb_endpoints: [{ endpoint: { address: { envoy_internal_address: { server_listener_name: listener } } } }] },
    ],
  },
})

const inward = (name: string, statName: string, listener: string): Json =>
  typed('envoy.config.cluster.v3.Cluster', inwardCluster(name, statName, listener))

interface State {
  readonly key: string
  readonly value: string
  /** Of the object, when what reads it wants a certain one. */
  readonly factory?: string
  /** Goes along to a listener of the proxy's own. */
  readonly shared?: true
}

const state = ({ key, value, factory = 'envoy.string', shared }: State): Json => ({
  object_key: key,
  factory_key: factory,
  format_string: { text_format_source: { inline_string: value } },
  ...(shared ? { shared_with_upstream: 'ONCE' } : {}),
})

const setState = (value: Json): Json =>
  extension('portolan.state', 'envoy.extensions.filters.network.set_filter_state.v3.Config', value)

const CLUSTER = 'envoy.tcp_proxy.cluster'
/** The cluster that takes the connection, by name. One that does not exist closes it. */
const toCluster = (name: string): Json => state({ key: CLUSTER, value: name, factory: CLUSTER })

/** Of which only whole ones are told: what is said in them is nobody's business. */
const accessLog = (more: Json = {}, filter?: Json): Json => ({
  ...extension('envoy.access_loggers.stdout', 'envoy.extensions.access_loggers.stream.v3.StdoutAccessLog', {
    log_format: {
      json_format: {
        time: '%START_TIME%',
        protocol: 'tcp',
        client: '%DOWNSTREAM_PEER_URI_SAN%',
        export: '%REQUESTED_SERVER_NAME%',
        flags: '%RESPONSE_FLAGS%',
        service: '%UPSTREAM_CLUSTER%',
        cluster: ofEndpoint('clusterKey'),
        upstream: '%UPSTREAM_HOST%',
        failure: '%UPSTREAM_TRANSPORT_FAILURE_REASON%',
        tries: '%UPSTREAM_REQUEST_ATTEMPT_COUNT%',
        received: '%BYTES_RECEIVED%',
        sent: '%BYTES_SENT%',
        ms: '%DURATION%',
        ...more,
      },
    },
  }),
  ...(filter ? { filter } : {}),
})

/** @param expression in CEL, true of what is to be logged */
const where = (expression: string): Json => ({
  extension_filter: extension(
    'envoy.access_loggers.extension_filters.cel',
    'envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter',
    { expression },
  ),
})

const flagged = (...flags: readonly string[]): Json => ({ response_flag_filter: { flags } })

const NOWHERE = '-'

/** A connection may say nothing for days. Whoever is dead is found by its kernel. */
const tcpProxy = (statPrefix: string, logs: readonly Json[], value: Json = {}): Json =>
  extension('envoy.filters.network.tcp_proxy', 'envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy', {
    stat_prefix: statPrefix,
    cluster: NOWHERE,
    idle_timeout: '0s',
    ...(logs.length > 0 ? { access_log: logs } : {}),
    ...value,
  })

// At a sidecar.

/** Of the cluster that takes connections to an address of the range. HTTP's are named by the address alone. */
export const streamClusterName = (destination: string): string => `tcp ${destination}`

const WEB = 'web'
const DESTINATION = '%DOWNSTREAM_LOCAL_ADDRESS%'

/** Filter state: address of the pod that calls, where a listener of the proxy's own stands between. */
export const CALLER_STATE = `${OURS}.caller`
const CALLING_POD = `%FILTER_STATE(${CALLER_STATE}:PLAIN)%`

/**
 * Enough for two failures, which eject an endpoint, in each of three priorities. The pauses are for word of the ejection
 * to get through, and too short to be felt.
 */
const TRIES = { max_connect_attempts: 8, backoff_options: { base_interval: '0.01s', max_interval: '0.05s' } }

const ORIGINAL_DESTINATION = 'envoy.filters.listener.original_dst'

/**
 * Filters that pass a connection on to a cluster, which is told where the connection is for and who made it.
 *
 * @param destination `VIP:port`
 */
const passOn = (cluster: string, destination: string, logs: readonly Json[]): readonly Json[] => [
  setState({ on_new_connection: [toCluster(cluster), ...callOf(destination)] }),
  tcpProxy('outbound_tcp', logs, TRIES),
]

/** What a listener of the proxy's own is told of a connection. */
const callOf = (destination: string): readonly Json[] => [
  state({
    key: `${ORIGINAL_DESTINATION}.local_ip`,
    factory: `${ORIGINAL_DESTINATION}.local_ip`,
    value: destination,
    shared: true,
  }),
  state({ key: CALLER_STATE, value: '%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%', shared: true }),
]

/** Takes what goes to the range, by address alone: nobody waits for what the caller says first. */
export const sidecarTcpChain = (range: string, log: boolean): Json => {
  const [prefix = '', bits = ''] = range.split('/')
  return {
    name: 'tcp',
    filter_chain_match: { prefix_ranges: [{ address_prefix: prefix, prefix_len: Number(bits) }] },
    filters: passOn(streamClusterName(DESTINATION), DESTINATION, log ? [accessLog()] : []),
  }
}

// At an egress.

const ANY_WEB = 'web'
/** Leads to where HTTP goes, whatever it is for. Of the bootstrap. */
export const anyWebCluster: Json = inwardCluster(ANY_WEB, ANY_WEB, WEB)

/**
 * Filters for what comes in at the port of one service-port: all of it is for that.
 *
 * @param destination by which its cluster is known
 */
export const egressFilters = (destination: string, tcp: boolean, log: boolean): readonly Json[] =>
  tcp
    ? passOn(streamClusterName(destination), destination, log ? [accessLog({ caller: CALLING_POD })] : [])
    : [setState({ on_new_connection: callOf(destination) }), tcpProxy('outbound_tcp', [], { cluster: ANY_WEB })]

/** Where HTTP goes that was taken as a stream: it learns the address that was called, and does with it what is done with any other. */
export const webListener = (manager: Json): Json => ({
  name: WEB,
  stat_prefix: WEB,
  internal_listener: {},
  listener_filters: [
    extension(ORIGINAL_DESTINATION, `${ORIGINAL_DESTINATION.replace('filters', 'extensions.filters')}.v3.OriginalDst`),
  ],
  filter_chains: [{ filters: [manager] }],
})

/** Leads a port that is HTTP to where HTTP goes. */
export const webCluster = ({ service, vip, port }: ServiceRoute): Json =>
  inward(streamClusterName(hostAndPort(vip, port)), `web|${service}|${port}`, WEB)

/** What the cluster of a stream has beside its endpoints: each news of an endpoint's health is told at once, to those who are about to try the next. */
export const STREAM_CLUSTER: Json = {
  common_lb_config: { update_merge_window: '0s' },
  upstream_connection_options: {
    tcp_keepalive: { keepalive_time: 60, keepalive_interval: 10, keepalive_probes: 6 },
  },
}

/** Of the TLS handshake with a gateway. */
export const streamHandshake = ({ service, port }: ServiceRoute) => ({
  sni: serverName(service, port),
  protocol: TCP_PROTOCOL,
})

// At a gateway.

const HANDSHAKES = 'tcp-handshakes'
const PODS = 'tcp-pods'

/** Name of the filter state with all that a client's certificate calls it, with commas between. */
const CLIENT = `${OURS}.client`
const EXPORT = `${OURS}.export`
const SERVER_NAME = '%REQUESTED_SERVER_NAME%'

/** Clusters of an export, by the step that they lead to. */
const handshakeOf = (sni: string): string => `handshake ${sni}`
const gateOf = (sni: string): string => `gate ${sni}`
const podsOf = (sni: string): string => `tcp ${sni}`

/**
 * Before the handshake, by the name that the client asks for: of what nobody serves here, or not now, the handshake
 * fails. Only so does the client hear of it before its connection counts as made, and goes elsewhere.
 */
export const gatewayTcpChain = (log: boolean): Json => ({
  name: 'tcp',
  filter_chain_match: { transport_protocol: 'tls', application_protocols: [TCP_PROTOCOL] },
  filters: [
    setState({ on_new_connection: [toCluster(handshakeOf(SERVER_NAME))] }),
    tcpProxy(
      'gateway_tcp',
      log ? [accessLog({ why: 'no export with a ready pod has this name' }, flagged('NC', 'NR'))] : [],
    ),
  ],
})

/** The handshake, and after it the gate; after that, the pods. */
export const gatewayTcpListeners = (directory: string, log: boolean): readonly Json[] => [
  {
    name: HANDSHAKES,
    stat_prefix: HANDSHAKES,
    internal_listener: {},
    // The connection is counted where it comes in.
    ignore_global_conn_limit: true,
    ...(log ? { access_log: [refusedLog()] } : {}),
    listener_filters: [
      extension(
        'envoy.filters.listener.tls_inspector',
        'envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector',
      ),
    ],
    filter_chains: [
      {
        transport_socket: gatewaySocket(directory, [TCP_PROTOCOL]),
        filters: [
          setState({
            on_new_connection: [toCluster(gateOf(SERVER_NAME))],
            // Hashable, so that no connection that was opened for one client is ever given to another.
            on_downstream_tls_handshake: [
              state({
                key: CLIENT,
                value: '%DOWNSTREAM_PEER_URI_SAN%',
                factory: 'envoy.hashable_string',
                shared: true,
              }),
              state({ key: EXPORT, value: SERVER_NAME, factory: 'envoy.hashable_string', shared: true }),
            ],
          }),
          tcpProxy('gateway_tcp_gate', log ? [accessLog({ why: NOT_ALLOWED }, flagged('UF'))] : [], {
            upstream_connect_mode: 'ON_DOWNSTREAM_TLS_HANDSHAKE',
            max_early_data_bytes: 0,
          }),
        ],
      },
    ],
  },
  {
    name: PODS,
    stat_prefix: PODS,
    internal_listener: {},
    // The connection is counted where it comes in.
    ignore_global_conn_limit: true,
    filter_chains: [
      {
        filters: [
          setState({ on_new_connection: [toCluster(podsOf(`%FILTER_STATE(${EXPORT}:PLAIN)%`))] }),
          tcpProxy('gateway_tcp_pods', log ? [accessLog(LET_IN, where(`filter_state['${EXPORT}'] != ''`))] : [], TRIES),
        ],
      },
    ],
  },
]

const NOT_ALLOWED = 'allowedClients of this export does not let in this client'

/** Of the far side of the gate, where the handshake is not known any more. */
const LET_IN = { client: `%FILTER_STATE(${CLIENT}:PLAIN)%`, export: `%FILTER_STATE(${EXPORT}:PLAIN)%` }

const SOCKET_MATCHING = 'envoy.extensions.matching.common_inputs.transport_socket.v3'

const useSocket = (name: string): Json => ({
  action: extension('socket', `${SOCKET_MATCHING}.TransportSocketNameAction`, { name }),
})

/** No id at all, not even the empty one. */
const NOBODY = '-'

/**
 * Who is let in gets there with the name of the export, which leads to its pods; who is not, without it, and nowhere.
 * Envoy's own filter for this judges a connection when the client first says something, and a server may say something first.
 */
const gate = ({ service, port, sni, clients = [ANYBODY] }: GatewayTcp): Json => {
  const { transport_socket: _, ...cluster } = inward(gateOf(sni), `gate|${service}|${port}`, PODS)
  return {
    ...cluster,
    transport_socket_matches: [
      { name: 'in', transport_socket: INWARD },
      { name: 'out', transport_socket: RAW },
    ],
    transport_socket_matcher: {
      matcher_list: {
        matchers: [
          {
            predicate: {
              single_predicate: {
                input: extension('client', `${SOCKET_MATCHING}.FilterStateInput`, { key: CLIENT }),
                value_match: { safe_regex: { google_re2: {}, regex: clients.map(spiffeIdOf).join('|') || NOBODY } },
              },
            },
            on_match: useSocket('in'),
          },
        ],
      },
      on_no_match: useSocket('out'),
    },
  }
}

const podsCluster = ({ service, port, sni, endpoints, fallback }: GatewayTcp): Json =>
  typed('envoy.config.cluster.v3.Cluster', {
    name: podsOf(sni),
    alt_stat_name: `in|${service}|${port}`,
    connect_timeout: '1s',
    outlier_detection: OUTLIER_DETECTION,
    circuit_breakers: CIRCUIT_BREAKERS,
    ...STREAM_CLUSTER,
    load_assignment: {
      cluster_name: '-',
      policy: { overprovisioning_factor: 10000 },
      endpoints: [endpoints, fallback ? [fallback] : []]
        .filter((group) => group.length > 0)
        .map((group, priority) => ({
          priority,
          lb_endpoints: group.map((to) => ({ endpoint: { address: address(to) } })),
        })),
    },
  })

/** The clusters of one export. Without a ready pod it has none. */
export const tcpClusters = (export_: GatewayTcp): readonly Json[] =>
  export_.endpoints.length === 0
    ? []
    : [
        inward(handshakeOf(export_.sni), `handshake|${export_.service}|${export_.port}`, HANDSHAKES),
        gate(export_),
        podsCluster(export_),
      ]
