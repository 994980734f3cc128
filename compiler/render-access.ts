/** Who may call what at a gateway: nobody anything, but for what the routes say. */
import { spiffeIdOf } from './clients.ts'
import { extension, inWords, type Json, OURS, typed } from './render-envoy.ts'
import { type AccessibleRoute, policiesByRules } from './render-rules.ts'
import type { Client } from './tables.ts'

const RBAC = 'envoy.extensions.filters.http.rbac.v3.RBAC'
const SET_FILTER_STATE = 'envoy.extensions.filters.http.set_filter_state.v3.Config'

/** Name of the filter that routes configure. */
const ACCESS = `${OURS}.access`

/** All URIs of the caller's certificate, with commas between; nothing without one. */
const CLIENT_STATE = `${OURS}.client`

/**
 * RBAC by itself takes any one of a certificate's URIs and of its DNS names, and then its subject, for the caller's
 * name. But the roots of a trust domain have vouched for the first URI alone, so the URIs are matched as a whole.
 */
const rememberClient = extension(`${OURS}.client`, SET_FILTER_STATE, {
  on_request_headers: [
    {
      object_key: CLIENT_STATE,
      factory_key: 'envoy.string',
      skip_if_empty: true,
      format_string: { text_format_source: { inline_string: '%DOWNSTREAM_PEER_URI_SAN%' }, omit_empty_values: true },
    },
  ],
})

const ANY = [{ any: true }]

const named = (regex: string): Json => ({
  filter_state: { key: CLIENT_STATE, string_match: { safe_regex: { regex } } },
})

/** Any client of any cluster. */
export const ANYBODY: Client = {
  trustDomain: '[-a-z0-9._]+',
  namespace: '[-a-z0-9]+',
  serviceAccount: '[-a-z0-9.]+',
}

/** A certificate with more names than one, or with one that is not of our form, is good for nothing, not even where all may call. */
const ODD_NAMES = {
  action: 'DENY',
  policies: {
    'odd-certificate': {
      permissions: ANY,
      principals: [{ and_ids: { ids: [named('(?s).*'), { not_id: named(spiffeIdOf(ANYBODY)) }] } }],
    },
  },
}

/** In front of every filter that does something for a caller. */
export const ACCESS_FILTERS: readonly Json[] = [
  rememberClient,
  extension(`${OURS}.names`, RBAC, { rules: ODD_NAMES }),
  extension(ACCESS, RBAC, { rules: { action: 'ALLOW', policies: {} } }),
]

const allowing = (rbac: Json): Json => ({ [ACCESS]: typed(`${RBAC}PerRoute`, rbac) })

/** Filter configuration of a route that everybody may call: the filter is off. */
export const OPEN = allowing({})

/** What a route says of who may call it. */
export const accessOf = (route: AccessibleRoute): Json => {
  const { clients } = route
  if (clients === undefined) return OPEN
  const principals = clients.filter(({ rules }) => rules === undefined).map((client) => named(spiffeIdOf(client)))
  // A policy without principals would be refused; none at all lets nobody in.
  const policies = {
    ...(principals.length === 0 ? {} : { clients: { permissions: ANY, principals } }),
    ...policiesByRules(route, (client) => named(spiffeIdOf(client))),
  }
  // Allowing is what rules do by default, and what Envoy leaves out when it is asked what it runs.
  return allowing({ rbac: { rules: { policies } } })
}

const DENIED = 'response.code_details.startsWith("rbac_access_denied")'

/** What who is refused reads: whose call said nothing of the caller is told that this is what was missing. */
export const REFUSALS: readonly Json[] = [
  inWords(
    `${DENIED} && !connection.mtls`,
    'allowedClients of this export lets in certain clients only, and without a certificate nobody can tell who calls',
  ),
  inWords(`${DENIED} && connection.mtls`, 'allowedClients of this export does not let in this client'),
]
