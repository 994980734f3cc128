/** How many calls of an export a gateway lets through. */
import { extension, inWords, type Json, OURS, typed } from './render-envoy.ts'
import type { GatewayRoute } from './tables.ts'

const RATE_LIMIT = 'envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit'

/** Name of the filter that routes configure. */
const LIMITS = `${OURS}.limits`

/** Behind the one that says who may call: whoever is refused uses nothing up. */
export const LIMITS_FILTER = extension(LIMITS, RATE_LIMIT, { stat_prefix: 'limits' })

const ALWAYS = { default_value: { numerator: 100 } }

/** What a route says of it: nothing without a limit. */
export const limitOf = ({ rateLimit }: Pick<GatewayRoute, 'rateLimit'>): Json =>
  rateLimit === undefined
    ? {}
    : {
        [LIMITS]: typed(RATE_LIMIT, {
          stat_prefix: 'limits',
          token_bucket: {
            max_tokens: rateLimit.requests,
            tokens_per_fill: rateLimit.requests,
            fill_interval: `${rateLimit.seconds}s`,
          },
          filter_enabled: ALWAYS,
          filter_enforced: ALWAYS,
          rate_limited_as_resource_exhausted: true,
        }),
      }

export const USED_UP = inWords(
  'response.code_details == "local_rate_limited"',
  'rateLimit of this export lets no more requests through for now',
)
