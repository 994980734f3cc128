/**
 * The sidecar as an HTTP proxy that applications are told of: no capture, so calls are routed by the name that they are
 * for. Names come as a file of their own, a filter's configuration, which changes without a listener changing.
 */

import { EXPLICIT_PORT } from '../api/names.ts'
import { ACROSS } from './names.ts'
import { accountFilter, ownAccount } from './render-callers.ts'
import {
  APPLICATION_IDLE_TIMEOUT,
  address,
  type BootstrapSettings,
  bootstrap,
  connectionManager,
  extension,
  fileSource,
  HTTP_OPTIONS,
  type Json,
  OURS,
  REPLAY_BUFFER_BYTES,
  RETRY_UNSEEN,
  response,
  router,
  typed,
} from './render-envoy.ts'
import { KEEPS_SESSIONS, SESSION, sessionFilters } from './render-sessions.ts'
import {
  DESTINATION,
  NO_CLUSTER,
  perTryFilters,
  REQUESTS_PER_LOCAL_CONNECTION,
  rememberFilter,
  routesTo,
} from './render-sidecar.ts'
import type { ImportName, ImportNames } from './tables.ts'

export interface ExplicitSettings extends BootstrapSettings {
  readonly explicitPort: number
}

/** Environment of the proxy's container: the pod's address, since callers are all on the loopback. */
export const POD_ADDRESS = 'POD_IP'

const NAMES = 'portolan.names'
const LUA = 'envoy.extensions.filters.http.lua.v3.Lua'
/** Everywhere that no import is at. */
const ELSEWHERE = 'elsewhere'
/** Where what comes out of a tunnel to an import is read as calls. */
const SELF = 'self'

const DNS_CACHE = {
  name: ELSEWHERE,
  dns_lookup_family: 'ALL',
  // A crawler calls more hosts than the default of 1024; each costs a few hundred bytes for five minutes.
  max_hosts: 16_384,
}

/**
 * Decides by the name in a call, as a resolver with the pod's search list would: to an import, to whoever has the name in
 * the cluster or beyond, or to nobody. A name that no import has says nothing, and the call is passed on.
 */
const BY_NAME = [
  'local function asked(n)',
  'for i,x in ipairs({ACROSS,DOMAIN,".svc"}) do',
  'if n:sub(-#x)==x then',
  'local s,k=n:sub(1,-#x-1):match("^([^.]+)%.([^.]+)$")',
  'return s,k,i==1',
  'end',
  'end',
  'local s,k=n:match("^([^.]+)%.([^.]+)$")',
  'if s then return s,k,false end',
  'if not n:find(".",1,true) then return n,OWN,false end',
  'end',
  'function envoy_on_request(r)',
  'local h=r:headers()',
  `h:remove("${DESTINATION}")`,
  'local a=(h:get(":authority") or ""):lower()',
  'local n,p=a:match("^%[([%x:.]+)%]:?(%d*)$")',
  'if not n then n,p=a:match("^([^:]+):?(%d*)$") end',
  'if not n then return end',
  'if p=="" then p="80" end',
  'n=n:gsub("%.$","")',
  'local v=VIPS[n] and n',
  'if not v then',
  'local s,k,across=asked(n)',
  'local e=s and IMPORTS[k.."/"..s]',
  'if not e then return end',
  'local plain=not across and e:sub(1,1)',
  'if plain=="l" then return end',
  'v=e:sub(2)',
  'if v=="" or plain=="x" then',
  'r:respond({[":status"]="503"},"portolan: "..k.."/"..s.." is imported, but not in this cluster, and no policy routes it\\n")',
  'return',
  'end',
  'end',
  'if v:find(":",1,true) then v="["..v.."]" end',
  `h:replace("${DESTINATION}",v..":"..p)`,
  'r:clearRouteCache()',
  'end',
].join('\n')

const LETTER = { routed: 'r', local: 'l', refused: 'x' } as const

/** As Lua: names and addresses are of letters that need no quoting. */
const importsTable = (names: readonly ImportName[]): string =>
  `{${names.map(({ service, vip = '', plain }) => `["${service}"]="${LETTER[plain]}${vip}"`).join(',')}}`

/** The same for all namespaces that know the same imports: whose namespace it is, the container's environment says. */
const namesProgram = ({ imports, domain }: ImportNames): string =>
  [
    `local IMPORTS=${importsTable(imports)}`,
    'local VIPS={} for _,e in pairs(IMPORTS) do VIPS[e:sub(2)]=true end VIPS[""]=nil',
    'local OWN=os.getenv("POD_NAMESPACE")',
    `local ACROSS="${ACROSS}"`,
    `local DOMAIN=".svc.${domain}"`,
    BY_NAME,
  ].join('\n')

/** `names.json`: the filter that knows what is imported. */
export const explicitNames = (version: string, names: ImportNames): string =>
  response(
    version,
    JSON.stringify(
      typed('envoy.config.core.v3.TypedExtensionConfig', {
        name: NAMES,
        typed_config: typed(LUA, { default_source_code: { inline_string: namesProgram(names) } }),
      }),
    ),
  )

const namesFilter = (directory: string): Json => ({
  name: NAMES,
  config_discovery: {
    config_source: fileSource(directory, 'names.json'),
    type_urls: [`type.googleapis.com/${LUA}`],
  },
})

const AN_IMPORT = { name: DESTINATION, present_match: true }

const tunnelTo = (cluster: string, headers: readonly Json[]): Json => ({
  match: { connect_matcher: {}, headers },
  route: { cluster, timeout: '0s', upgrade_configs: [{ upgrade_type: 'CONNECT', connect_config: {} }] },
})

const ONWARD = { retry_on: RETRY_UNSEEN.retry_on, num_retries: 2 }

const routes = (): readonly Json[] => [
  tunnelTo(SELF, [AN_IMPORT]),
  tunnelTo(ELSEWHERE, []),
  ...routesTo([AN_IMPORT]),
  {
    match: { prefix: '/', headers: [{ name: ':scheme', string_match: { exact: 'https' } }] },
    direct_response: { status: 501, body: { inline_string: 'portolan: https goes through a tunnel, by CONNECT\n' } },
  },
  { match: { prefix: '/' }, route: { cluster: ELSEWHERE, timeout: '0s', retry_policy: ONWARD } },
]

const explicitListener = ({ explicitPort, accessLog, directory }: ExplicitSettings): Json => ({
  // Called as where calls are captured: metrics and their readers need not tell the two apart.
  name: 'outbound',
  stat_prefix: 'outbound',
  address: address({ host: '127.0.0.1', port: explicitPort }),
  filter_chains: [
    {
      filters: [
        connectionManager('outbound', accessLog, {
          skip_xff_append: true,
          upgrade_configs: [{ upgrade_type: 'websocket' }, { upgrade_type: 'CONNECT' }],
          early_header_mutation_extensions: [
            extension(
              'envoy.http.early_header_mutation.header_mutation',
              'envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation',
              {
                mutations: [
                  ownAccount,
                  ...[DESTINATION, KEEPS_SESSIONS, 'proxy-connection'].map((name) => ({ remove: name })),
                ],
              },
            ),
          ],
          local_reply_config: NO_CLUSTER,
          route_config: {
            name: 'outbound',
            validate_clusters: false,
            request_headers_to_remove: [DESTINATION, SESSION, KEEPS_SESSIONS],
            virtual_hosts: [
              {
                name: 'imports',
                domains: ['*'],
                request_body_buffer_limit: REPLAY_BUFFER_BYTES,
                routes: routes(),
              },
            ],
          },
          http_filters: [
            namesFilter(directory),
            rememberFilter,
            accountFilter,
            ...sessionFilters(DESTINATION, `${OURS}.sticky`),
            extension('portolan.elsewhere', 'envoy.extensions.filters.http.dynamic_forward_proxy.v3.FilterConfig', {
              dns_cache_config: DNS_CACHE,
            }),
            router({ upstream_http_filters: perTryFilters(`%ENVIRONMENT(${POD_ADDRESS})%`) }),
          ],
        }),
      ],
    },
  ],
})

const elsewhere: Json = {
  name: ELSEWHERE,
  connect_timeout: '10s',
  lb_policy: 'CLUSTER_PROVIDED',
  cluster_type: {
    name: 'envoy.clusters.dynamic_forward_proxy',
    typed_config: typed('envoy.extensions.clusters.dynamic_forward_proxy.v3.ClusterConfig', {
      dns_cache_config: DNS_CACHE,
      // About TLS, of which there is none here: what is encrypted goes through a tunnel.
      allow_insecure_cluster_options: true,
    }),
  },
  typed_extension_protocol_options: {
    [HTTP_OPTIONS]: typed(HTTP_OPTIONS, {
      common_http_protocol_options: {
        idle_timeout: APPLICATION_IDLE_TIMEOUT,
        max_requests_per_connection: REQUESTS_PER_LOCAL_CONNECTION,
      },
      use_downstream_protocol_config: {},
      // In place of what is done to each try of a call to an import.
      http_filters: [
        extension('envoy.filters.http.upstream_codec', 'envoy.extensions.filters.http.upstream_codec.v3.UpstreamCodec'),
      ],
    }),
  },
}

const self = (port: number): Json => ({
  name: SELF,
  connect_timeout: '1s',
  load_assignment: {
    cluster_name: SELF,
    endpoints: [{ lb_endpoints: [{ endpoint: { address: address({ host: '127.0.0.1', port }) } }] }],
  },
})

/** As in an injected pod. */
export const explicitSettings = (settings: BootstrapSettings): ExplicitSettings => ({
  ...settings,
  explicitPort: EXPLICIT_PORT,
})

/** The same for every sidecar of a cluster that is no captor. */
export const explicitBootstrap = (settings: ExplicitSettings): Json => {
  const plain = bootstrap(settings, [explicitListener(settings)]) as Json & { static_resources: { clusters: Json[] } }
  const { static_resources: resources } = plain
  const clusters = [...resources.clusters, elsewhere, self(settings.explicitPort)]
  return { ...plain, static_resources: { ...resources, clusters } }
}
