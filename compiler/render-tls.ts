/** TLS between a sidecar and the gateways of other clusters: who each of them is, and whom it takes for whom. */
import { IDENTITY_MOUNT, TLS_FILES } from '../api/names.ts'
import { unique } from './order.ts'
import { extension, type Json, response, shortKey, typed } from './render-envoy.ts'
import type { Backend, Peer } from './tables.ts'

const TLS = 'envoy.extensions.transport_sockets.tls.v3'
const SOCKET = 'envoy.transport_sockets.tls'

/** Files beside the tables. Envoy takes one secret from each. */
const [TRUST_FILE, IDENTITY_FILE, VALIDATION_FILE] = TLS_FILES
const OWN_SECRET = { name: 'identity', file: IDENTITY_FILE }
const TRUST_SECRET = { name: 'trust', file: VALIDATION_FILE }

/** The files themselves never change, so nothing watches them; what they name does, and says where to watch. */
const secretFrom = ({ name, file }: { readonly name: string; readonly file: string }, directory: string): Json => ({
  name,
  sds_config: { path_config_source: { path: `${directory}/${file}` } },
})

const secret = (name: string, value: Json): string =>
  response('1', JSON.stringify(typed(`${TLS}.Secret`, { name, ...value })))

/**
 * What a proxy that speaks TLS reads beside its tables: its own certificate, from the Secret of its service account, and
 * the roots of the trust domains.
 * @param trust the SPIFFE bundle map
 * @param directory where the proxy has these files
 */
export const tlsFiles = (
  trust: string,
  directory: string,
  identity = IDENTITY_MOUNT,
): Readonly<Record<(typeof TLS_FILES)[number], string>> => ({
  [OWN_SECRET.file]: secret(OWN_SECRET.name, {
    tls_certificate: {
      certificate_chain: { filename: `${identity}/tls.crt` },
      private_key: { filename: `${identity}/tls.key` },
      watched_directory: { path: identity },
    },
  }),
  [TRUST_SECRET.file]: secret(TRUST_SECRET.name, {
    validation_context: {
      custom_validator_config: extension('envoy.tls.cert_validator.spiffe', `${TLS}.SPIFFECertValidatorConfig`, {
        // In the other form, by trust domain, files are never read again.
        trust_bundles: { filename: `${directory}/${TRUST_FILE}`, watched_directory: { path: directory } },
      }),
    },
  }),
  [TRUST_FILE]: trust,
})

const context = (directory: string, expected: Json, more: Json = {}): Json => ({
  tls_certificate_sds_secret_configs: [secretFrom(OWN_SECRET, directory)],
  combined_validation_context: {
    default_validation_context: expected,
    validation_context_sds_secret_config: secretFrom(TRUST_SECRET, directory),
  },
  ...more,
})

/**
 * How a gateway takes calls of other clusters' proxies: with a certificate that a root of its trust domain has signed.
 * @param protocols ALPN, the preferred first
 */
export const gatewaySocket = (directory: string, protocols: readonly string[]): Json =>
  extension(SOCKET, `${TLS}.DownstreamTlsContext`, {
    require_client_certificate: true,
    common_tls_context: context(directory, {}, { alpn_protocols: protocols }),
  })

/**
 * How a sidecar calls the gateway of one cluster: nobody else's certificate will do, whoever signed it. Without ALPN, as
 * the gateway would choose HTTP/2 by it, which the sidecar speaks only to whom its application does.
 */
const sidecarSocket = ({ gateway }: Peer, directory: string): Json =>
  extension(SOCKET, `${TLS}.UpstreamTlsContext`, {
    common_tls_context: context(directory, {
      match_typed_subject_alt_names: [{ san_type: 'URI', matcher: { exact: gateway } }],
    }),
  })

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

/** Envoy's own name for the metadata that an endpoint's socket is chosen by. */
const MATCHED = 'envoy.transport_socket_match'
const GATEWAY = 'gateway'

/** Metadata of an endpoint that is called with TLS; nothing for others. */
export const matchedSocket = ({ clusterKey, tls }: Backend): Json =>
  tls === undefined ? {} : { [MATCHED]: { [GATEWAY]: shortKey(clusterKey) } }

/** Of a cluster: one socket for each gateway that is called with TLS. All other endpoints are called without. */
export const sidecarSockets = (backends: readonly Backend[], directory: string): Json => {
  const peers = unique(
    backends.filter(({ tls }) => tls !== undefined),
    ({ clusterKey }) => clusterKey,
  )
  if (peers.length === 0) return {}
  return {
    transport_socket_matches: peers.flatMap(({ clusterKey, tls }) => {
      const name = shortKey(clusterKey)
      return tls ? [{ name, match: { [GATEWAY]: name }, transport_socket: sidecarSocket(tls, directory) }] : []
    }),
  }
}
