/**
 * Which pods may call which endpoints, where calls need a TrafficTarget. All pods of a namespace read one table: each
 * endpoint lists whom it is for, and a pod finds those that list its own service account. Without such lists, as while
 * the mesh is permissive, none of this is in the table.
 */
import { address, extension, type Json, METADATA } from './render-envoy.ts'
import type { Backend, ServiceRoute } from './tables.ts'

/** Scratch header: overwritten before anything reads it, so that a caller cannot set it. */
const ACCOUNT = 'x-portolan-account'

/** Metadata by which Envoy chooses among the endpoints of a cluster. */
const CHOICE = 'envoy.lb'
const CALLER_KEY = 'caller'
const REFUSAL_KEY = 'refused'

/** Writes down who the pod is, by the environment of the proxy's container. An early header mutation. */
export const ownAccount: Json = {
  append: {
    header: { key: ACCOUNT, value: '%ENVIRONMENT(POD_NAMESPACE)%/%ENVIRONMENT(POD_SERVICE_ACCOUNT)%' },
    append_action: 'OVERWRITE_IF_EXISTS_OR_ADD',
  },
}

/** Moves who the pod is to where endpoints are chosen by. */
export const accountFilter = extension(
  'portolan.account',
  'envoy.extensions.filters.http.header_to_metadata.v3.Config',
  {
    request_rules: [
      {
        header: ACCOUNT,
        on_header_present: { metadata_namespace: CHOICE, key: CALLER_KEY, type: 'STRING' },
        remove: true,
      },
    ],
  },
)

/** Metadata of an endpoint that not everybody may call. */
export const callersOf = ({ callers }: Backend): Json =>
  callers === undefined ? {} : { [CHOICE]: { [CALLER_KEY]: callers } }

const isRestricted = ({ backends }: ServiceRoute): boolean => backends.some(({ callers }) => callers !== undefined)

/** Of a cluster: each pod sees the endpoints that are for it, and where there is none, the one that refuses. */
export const choiceByCaller = (route: ServiceRoute): Json =>
  isRestricted(route)
    ? {
        lb_subset_config: {
          fallback_policy: 'DEFAULT_SUBSET',
          default_subset: { [REFUSAL_KEY]: true },
          subset_selectors: [{ keys: [CALLER_KEY] }],
          list_as_any: true,
        },
      }
    : {}

/** Begins and ends the words of a refusal, which come in place of a path prefix. */
const MARK = '!'

/** Never connected to: Lua answers in its place. */
const NOWHERE = { host: '127.0.0.1', port: 1 }

/** The endpoint of those who may call nobody. */
export const refusal = (route: ServiceRoute): readonly Json[] => {
  if (!isRestricted(route)) return []
  const path = `${MARK}call ${route.service}: enablePermissiveTrafficPolicyMode is false, and no TrafficTarget names it as a source${MARK}`
  return [
    {
      locality: { zone: '-' },
      lb_endpoints: [
        {
          endpoint: { address: address(NOWHERE) },
          metadata: {
            filter_metadata: {
              [METADATA.namespace]: { [METADATA.pathPrefix]: path },
              [CHOICE]: { [REFUSAL_KEY]: true },
            },
          },
        },
      ],
    },
  ]
}

/** In Lua, before the path `p` is used. */
export const ANSWER_REFUSAL = [
  `if p and p:byte()==${MARK.charCodeAt(0)} then`,
  'local n=(os.getenv("POD_NAMESPACE") or "?").."/"..(os.getenv("POD_SERVICE_ACCOUNT") or "?")',
  `r:respond({[":status"]="403"},"portolan: service account "..n.." may not "..p:match("^${MARK}(.-)${MARK}").."\\n") return end`,
].join('\n')
