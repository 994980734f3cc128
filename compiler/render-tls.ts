/** TLS between a sidecar and the gateways of other clusters: who each of them is, and whom it takes for whom. */
import { createHash } from 'node:crypto'
import { GATEWAY_MOUNT, IDENTITY_MOUNT, ROUTES_MOUNT, TLS_FILES } from '../api/names.ts'
import { unique } from './order.ts'
import { extension, fileSource, type Json, response, shortKey, typed } from './render-envoy.ts'
import type { Backend, Peer, Trust } from './tables.ts'

const TLS = 'envoy.extensions.transport_sockets.tls.v3'
const SOCKET = 'envoy.transport_sockets.tls'

/** Files beside the tables. Envoy takes one secret from each. */
const [TRUST_FILE, IDENTITY_FILE, VALIDATION_FILE] = TLS_FILES

interface Secret {
  readonly name: string
  readonly file: string
}

const OWN: Secret = { name: 'identity', file: IDENTITY_FILE }
const ANY_MEMBER: Secret = { name: 'trust', file: VALIDATION_FILE }

/** Before it, certificates went over the wire for everybody to read, and with them who calls whom. */
const NEWEST = 'TLSv1_3'

/** Named after what is in it, so that it never changes: a gateway with another name has another file. */
const peerSecret = (clusterKey: string, { gateway }: Peer): Secret => ({
  name: shortKey(clusterKey),
  file: `peer-${createHash('sha256').update(gateway).digest('hex').slice(0, 12)}.json`,
})

/**
 * Kubelets link a new file only after they have swapped the directory in which the table that names it is, and Envoy would
 * refuse that table for good. Beside the table itself it is there as soon as the table is.
 */
const inTheSameVersion = (file: string): string => `..data/${file}`

const secretFile = ({ name }: Secret, value: Json): string =>
  response('1', JSON.stringify(typed(`${TLS}.Secret`, { name, ...value })))

/** Believes whom a root of its own trust domain vouches for. In the form by trust domain, files would never be read again. */
const validation = (directory: string, names: Json = {}): Json => ({
  validation_context: {
    ...names,
    custom_validator_config: extension('envoy.tls.cert_validator.spiffe', `${TLS}.SPIFFECertValidatorConfig`, {
      trust_bundles: {
        filename: `${directory}/${inTheSameVersion(TRUST_FILE)}`,
        watched_directory: { path: directory },
      },
    }),
  },
})

/** Believes nobody: no certificate has this digest. */
const NOBODY: Json = { validation_context: { verify_certificate_hash: ['0'.repeat(64)] } }

const hasRoots = ({ bundle }: Trust): boolean => Object.keys(JSON.parse(bundle).trust_domains).length > 0

const ownFiles = (trust: Trust, identity: string): Readonly<Record<string, string>> => ({
  [TRUST_FILE]: trust.bundle,
  [OWN.file]: secretFile(OWN, {
    tls_certificate: {
      certificate_chain: { filename: `${identity}/tls.crt` },
      private_key: { filename: `${identity}/tls.key` },
      watched_directory: { path: identity },
    },
  }),
})

/**
 * What a gateway reads beside its tables to speak TLS: roots, where its own certificate is, and that any member may call.
 * As long as there are no roots that has to be said in another way: Envoy refuses a map without any, and would not look at
 * a file again that has not changed itself.
 * @param directory where the gateway has these files
 */
export const gatewayTlsFiles = (trust: Trust, directory = GATEWAY_MOUNT, identity = IDENTITY_MOUNT) => ({
  ...ownFiles(trust, identity),
  [ANY_MEMBER.file]: secretFile(ANY_MEMBER, hasRoots(trust) ? validation(directory) : NOBODY),
})

/** What a sidecar reads beside its tables to speak TLS: a file for each cluster says whom alone to take for its gateway. */
export const sidecarTlsFiles = (trust: Trust, directory = ROUTES_MOUNT, identity = IDENTITY_MOUNT) => ({
  ...ownFiles(trust, identity),
  ...Object.fromEntries(
    Object.entries(trust.clusters).map(([clusterKey, peer]) => {
      const secret = peerSecret(clusterKey, peer)
      const names = { match_typed_subject_alt_names: [{ san_type: 'URI', matcher: { exact: peer.gateway } }] }
      return [secret.file, secretFile(secret, validation(directory, names))]
    }),
  ),
})

/**
 * How a gateway takes calls of other clusters' proxies: with a certificate that a root of its trust domain has signed.
 * @param protocols ALPN, the preferred first
 */
export const gatewaySocket = (directory: string, protocols: readonly string[]): Json => {
  const from = ({ name, file }: Secret): Json => ({ name, sds_config: fileSource(directory, file) })
  return extension(SOCKET, `${TLS}.DownstreamTlsContext`, {
    require_client_certificate: true,
    // Resuming a session shows no certificate, so whoever has one could go on when it has run out, or its root is gone.
    disable_stateless_session_resumption: true,
    disable_stateful_session_resumption: true,
    common_tls_context: {
      tls_certificate_sds_secret_configs: [from(OWN)],
      validation_context_sds_secret_config: from(ANY_MEMBER),
      alpn_protocols: protocols,
      tls_params: { tls_minimum_protocol_version: NEWEST },
    },
  })
}

/** Written out for each gateway of each service-port, hence as short as it can be. */
const briefly = ({ name, file }: Secret): Json => ({
  name,
  sds_config: { path_config_source: { path: `${ROUTES_MOUNT}/${inTheSameVersion(file)}` } },
})

/**
 * How a sidecar calls the gateways of one cluster: nobody else's certificate will do, whoever signed it. Without ALPN, as
 * the gateway would choose HTTP/2 by it, which the sidecar speaks only to whom its application does.
 */
const sidecarSocket = (clusterKey: string, peer: Peer, stream?: Stream): Json =>
  extension('tls', `${TLS}.UpstreamTlsContext`, {
    ...(stream ? { sni: stream.sni } : {}),
    common_tls_context: {
      tls_certificate_sds_secret_configs: [briefly(OWN)],
      validation_context_sds_secret_config: briefly(peerSecret(clusterKey, peer)),
      ...(stream ? { alpn_protocols: [stream.protocol] } : {}),
      // As a client Envoy would go no further than 1.2.
      tls_params: { tls_maximum_protocol_version: NEWEST },
    },
  })

/** What a handshake says of the connection that follows, when that is no HTTP. */
interface Stream {
  readonly sni: string
  readonly protocol: string
}

/**
 * Of a listener that takes both: a client that says nothing for a while is one without TLS, as one that had connected in
 * advance was before.
 */
export const EITHER: Json = {
  listener_filters: [
    extension(
      'envoy.filters.listener.tls_inspector',
      'envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector',
    ),
  ],
  continue_on_listener_filters_timeout: true,
}

/**
 * A line for each handshake that fails: who called, what the certificate said, and why it would not do. What the inspector
 * has against plain HTTP is no failure.
 */
export const refusedLog = (): Json => ({
  ...extension('envoy.access_loggers.stdout', 'envoy.extensions.access_loggers.stream.v3.StdoutAccessLog', {
    log_format: {
      json_format: {
        time: '%START_TIME%',
        refused: 'TLS',
        why: '%DOWNSTREAM_TRANSPORT_FAILURE_REASON%',
        client: '%DOWNSTREAM_PEER_URI_SAN%',
        issuer: '%DOWNSTREAM_PEER_ISSUER%',
        valid_from: '%DOWNSTREAM_PEER_CERT_V_START%',
        valid_until: '%DOWNSTREAM_PEER_CERT_V_END%',
        from: '%DOWNSTREAM_REMOTE_ADDRESS%',
      },
    },
  }),
  filter: {
    extension_filter: extension('portolan.refused', 'envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter', {
      expression: `has(connection.transport_failure_reason) && xds.filter_chain_name != "${PLAIN}"`,
    }),
  },
})

/** Name of the filter chain for what comes without TLS. */
export const PLAIN = 'plain'

/** Envoy's own name for the metadata that an endpoint's socket is chosen by. */
const MATCHED = 'envoy.transport_socket_match'
const GATEWAY = 'gateway'

/** Metadata of an endpoint that is called with TLS; nothing for others. */
export const matchedSocket = ({ clusterKey, tls }: Backend): Json =>
  tls === undefined ? {} : { [MATCHED]: { [GATEWAY]: shortKey(clusterKey) } }

/** Of a cluster: one socket for each gateway that is called with TLS. All other endpoints are called without. */
export const sidecarSockets = (backends: readonly Backend[], stream?: Stream): Json => {
  const sockets = unique(backends, ({ clusterKey }) => clusterKey).flatMap(({ clusterKey, tls }) => {
    const name = shortKey(clusterKey)
    return tls ? [{ name, match: { [GATEWAY]: name }, transport_socket: sidecarSocket(clusterKey, tls, stream) }] : []
  })
  return sockets.length > 0 ? { transport_socket_matches: sockets } : {}
}
