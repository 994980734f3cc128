/** Sessions at a sidecar, whose routes and filters are static: which services keep any, their clusters' metadata says. */
import { extension, type Json, METADATA, OURS } from './render-envoy.ts'
import type { ServiceRoute } from './tables.ts'

const YES = 'yes'

/** Metadata of a cluster that keeps sessions. */
export const STICKY: Json = { filter_metadata: { [METADATA.namespace]: { [METADATA.sticky]: YES } } }

/** Yields it where the cluster of a call is known. */
export const WHETHER_STICKY = `%CLUSTER_METADATA(${METADATA.namespace}:${METADATA.sticky})%`

/** Scratch header: the endpoint of a session, as the caller's cookie or the answer's has it. */
export const SESSION = 'x-portolan-session'
/** Scratch header: the call is one of a session, so that other routes take it. */
export const KEEPS_SESSIONS = 'x-portolan-keeps-sessions'

/** Name of the cookie that keeps a session with an endpoint: several services may be behind one host name of the caller's. */
export const sessionCookie = ({ vip, port }: Pick<ServiceRoute, 'vip' | 'port'>): string =>
  `portolan-${vip.replaceAll(':', '-')}-${port}`

/** @param state filter state that holds what WHETHER_STICKY yielded */
const whereSticky = (name: string, state: string, filter: Json): Json =>
  extension(name, 'envoy.extensions.common.matching.v3.ExtensionWithMatcher', {
    extension_config: filter,
    xds_matcher: {
      matcher_list: {
        matchers: [
          {
            predicate: {
              not_matcher: {
                single_predicate: {
                  input: extension('sticky', 'envoy.extensions.matching.common_inputs.network.v3.FilterStateInput', {
                    key: state,
                  }),
                  value_match: { exact: YES },
                },
              },
            },
            on_match: {
              action: extension('skip', 'envoy.extensions.filters.common.matcher.action.v3.SkipFilter'),
            },
          },
        ],
      },
    },
  })

/** A cookie is named after its service, which a static filter cannot do: that filter reads and writes a header instead. */
const moveCookies = (destination: string): string =>
  [
    'function envoy_on_request(r)',
    'local h=r:headers()',
    `local n="portolan-"..h:get("${destination}"):gsub("[%[%]]",""):gsub(":","-")`,
    'local v',
    'for k,c in (h:get("cookie") or ""):gmatch("([^=;, ]+)=([^;, ]*)") do if k==n then v=c end end',
    `h:remove("${SESSION}") if v then h:add("${SESSION}",v) end`,
    `r:streamInfo():dynamicMetadata():set("${OURS}","cookie",n)`,
    `h:replace("${KEEPS_SESSIONS}","${YES}")`,
    'r:clearRouteCache()',
    'end',
    'function envoy_on_response(r)',
    'local h=r:headers()',
    `local v=h:get("${SESSION}")`,
    `local m=r:streamInfo():dynamicMetadata():get("${OURS}")`,
    'if v and m then',
    `h:remove("${SESSION}")`,
    'h:add("set-cookie",m["cookie"].."="..v.."; Path=/; HttpOnly")',
    'end',
    'end',
  ].join('\n')

/**
 * Lead a call to the endpoint of its session while that is healthy, and tell the caller when it is another one than before.
 *
 * @param destination header with the name of the cluster, `VIP:port`
 * @param state filter state that holds what WHETHER_STICKY yielded
 */
export const sessionFilters = (destination: string, state: string): readonly Json[] => [
  whereSticky(
    'portolan.cookies',
    state,
    extension('envoy.filters.http.lua', 'envoy.extensions.filters.http.lua.v3.Lua', {
      default_source_code: { inline_string: moveCookies(destination) },
    }),
  ),
  whereSticky(
    'portolan.sessions',
    state,
    extension(
      'envoy.filters.http.stateful_session',
      'envoy.extensions.filters.http.stateful_session.v3.StatefulSession',
      {
        session_state: extension(
          'envoy.http.stateful_session.header',
          'envoy.extensions.http.stateful_session.header.v3.HeaderBasedSessionState',
          { name: SESSION },
        ),
      },
    ),
  ),
]
