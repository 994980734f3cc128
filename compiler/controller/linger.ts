import type { GatewayRoute, LingeringRoute } from '../tables.ts'

/**
 * What gateways serve now, each route with the time until which it is served should nobody ask for it any more. What is
 * over is left out. A time once given stays, also over a restart, as it is part of the table; but none is later than
 * what is granted now.
 * @param now milliseconds since 1970
 * @param seconds 0 = nothing is served on
 */
export function servedUntil(served: readonly GatewayRoute[], now: number, seconds: number): readonly LingeringRoute[] {
  if (seconds === 0) return []
  const granted = now + seconds * 1_000
  return served.flatMap((route) => {
    const until = Math.min(route.until === undefined ? granted : Date.parse(route.until), granted)
    return until > now ? [{ ...route, until: timeOf(until) }] : []
  })
}

/** When the first route that nobody asks for is over, in milliseconds since 1970. Undefined when there is none. */
export function firstEnd(routes: readonly GatewayRoute[]): number | undefined {
  const ends = routes.flatMap(({ until }) => (until === undefined ? [] : [Date.parse(until)]))
  return ends.length === 0 ? undefined : Math.min(...ends)
}

/** RFC 3339, of the next whole second. */
const timeOf = (time: number): string => new Date(Math.ceil(time / 1_000) * 1_000).toISOString().replace('.000Z', 'Z')
