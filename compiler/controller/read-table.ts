import { MOST_REQUESTS } from '../../api/service-export.ts'
import { isExpression, rewriteProblem } from '../regex.ts'
import type { GatewayRoute, GatewayTable } from '../tables.ts'

/**
 * A gateway's `table.json` as it is in the cluster, where it may have been edited by hand: what is no route of ours, or
 * would cost a gateway the whole file, is left out. Undefined when it is no table at all.
 */
export function readGatewayTable(text: string | undefined): GatewayTable | undefined {
  const table = readTable(text)
  // Streams leave nothing behind that anybody would have to know.
  return table && { ...table, routes: table.routes.filter(isRoute), tcp: [] }
}

/** Any table of ours, as far as all are alike. */
export function readTable(
  text: string | undefined,
): { readonly version: string; readonly routes: readonly unknown[] } | undefined {
  try {
    const table: unknown = JSON.parse(text ?? '')
    return isRecord(table) && typeof table['version'] === 'string' && Array.isArray(table['routes'])
      ? { version: table['version'], routes: table['routes'] }
      : undefined
  } catch {
    return undefined
  }
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null

const isPort = (value: unknown): boolean => Number.isInteger(value) && Number(value) > 0 && Number(value) < 65_536

const isAddress = (value: unknown): boolean =>
  isRecord(value) && typeof value['host'] === 'string' && isPort(value['port'])

const isRewrite = (value: unknown): boolean => {
  if (!isRecord(value)) return false
  const { from, to } = value
  return typeof from === 'string' && typeof to === 'string' && rewriteProblem({ from, to }) === undefined
}

const isClient = (value: unknown): boolean =>
  isRecord(value) &&
  [value['trustDomain'], value['namespace'], value['serviceAccount']].every(
    (part) => typeof part === 'string' && isExpression(part),
  )

const isRateLimit = (value: unknown): boolean =>
  isRecord(value) &&
  [value['requests'], value['seconds']].every((number) => Number.isInteger(number) && Number(number) > 0) &&
  Number(value['requests']) <= MOST_REQUESTS

function isRoute(value: unknown): value is GatewayRoute {
  if (!isRecord(value)) return false
  const { service, port, path, pathType, rewrite, clients, rateLimit, endpoints, fallback, http2, until } = value
  return (
    typeof service === 'string' &&
    isPort(port) &&
    typeof path === 'string' &&
    path.startsWith('/') &&
    (pathType === 'Prefix' || pathType === 'Exact') &&
    (rewrite === undefined || isRewrite(rewrite)) &&
    (clients === undefined || (Array.isArray(clients) && clients.every(isClient))) &&
    (rateLimit === undefined || isRateLimit(rateLimit)) &&
    Array.isArray(endpoints) &&
    endpoints.every(isAddress) &&
    (fallback === undefined || isAddress(fallback)) &&
    typeof http2 === 'boolean' &&
    (until === undefined || !Number.isNaN(Date.parse(String(until))))
  )
}
