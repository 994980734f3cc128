import type { AllowedClients } from './clients.ts'
import { shortKey } from './render-envoy.ts'
import type { ServiceRoute } from './tables.ts'

/** Lists and decisions in a line, for the columns of `kubectl get`: of a list they show only the first entry. */

const MOST_LISTED = 6

export const listed = (items: readonly (string | number)[]): string => {
  const more = items.length - MOST_LISTED
  // Counting one would take as much room as naming it.
  return more > 1 ? `${items.slice(0, MOST_LISTED).join(', ')}, ${more} more` : items.join(', ')
}

export const clustersListed = (keys: readonly string[]): string => listed(keys.map(shortKey))

const braced = (patterns: readonly string[] = ['*']): string =>
  patterns.length === 1 ? (patterns[0] ?? '') : `{${listed(patterns)}}`

/** `shop/curl of east; bar/{web, api}`: namespace and service account of those who may call, and their cluster. */
export const clientsListed = (allowed: AllowedClients | undefined): string => {
  if (allowed === undefined) return 'anyone'
  if (allowed.length === 0) return NOBODY
  return listed(allowed.map(clientsOfEntry))
}

const clientsOfEntry = ({ clusters, namespaces, serviceAccounts }: AllowedClients[number]): string => {
  const who = `${braced(namespaces)}/${braced(serviceAccounts)}${clusters ? ` of ${braced(clusters.map(shortKey))}` : ''}`
  return who === '*/* of *' ? 'anyone with a certificate' : who
}

/** `west 100, east 50; then north`: who takes calls, and who takes over. Ports that agree are told once; none, nothing. */
export const callsListed = (routes: readonly ServiceRoute[]): string => {
  const lines = Map.groupBy(routes, callsOf)
  const [only] = lines.keys()
  if (only === undefined || lines.size === 1) return only ?? ''
  return [...lines].map(([line, ports]) => `${listed(ports.map(({ port }) => port))}: ${line}`).join(' | ')
}

interface Ruled {
  readonly policy: ServiceRoute['policy']
  readonly decided?: ServiceRoute['decided'] | undefined
  readonly affinity?: ServiceRoute['affinity'] | undefined
}

/** By what a call is routed: `FailOver`; `global service, local first`; `clusterset`. */
export const ruleOf = ({ policy, decided, affinity }: Ruled): string => {
  if (decided === undefined) return policy
  if (decided === 'ClusterSet') return 'clusterset'
  return affinity === undefined ? 'global service' : `global service, ${affinity} first`
}

/** The same in words. */
export const RULES = {
  none: 'every ready pod of all clusters gets as many calls as any other',
  local: 'pods of this cluster come first, and while none is ready here, those of the others',
  remote: 'pods of other clusters come first, and while none is ready there, those of this one',
  clusterset: 'to the ready pods of all clusters that export it, each as many calls as any other',
} as const

const NOBODY = 'nobody'

/** Service accounts whose calls TrafficTargets let through. */
export const sourcesListed = (sources: readonly string[]): string => (sources.length === 0 ? NOBODY : listed(sources))

/** The same for the backends of an import: `anyone`, or where that differs, by cluster: `cluster-2: curl/curl; cluster-1, cluster-3: nobody`. */
export const callersListed = (routes: readonly ServiceRoute[]): string => {
  const backends = routes.flatMap((route) => route.backends)
  const by = Map.groupBy(backends, ({ callers }) => (callers === undefined ? 'anyone' : sourcesListed(callers)))
  const [only] = by.keys()
  if (only === undefined || by.size === 1) return only ?? ''
  return [...by]
    .map(([who, some]) => `${clustersListed([...new Set(some.map(({ clusterKey }) => clusterKey))].sort())}: ${who}`)
    .join('; ')
}

const callsOf = ({ backends }: ServiceRoute): string => {
  if (backends.length === 0) return NOBODY
  const steps = Map.groupBy(backends, ({ priority }) => priority)
  return [...steps.values()]
    .map((step) => {
      const shared = step.length > 1
      return listed(step.map(({ clusterKey, weight }) => shortKey(clusterKey) + (shared ? ` ${weight}` : '')))
    })
    .join('; then ')
}
