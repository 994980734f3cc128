/**
 * The proxies that call for pods without a sidecar: a sidecar's clusters and its HTTP manager, and in place of capture a
 * listener for each service-port. HTTP is passed on inside the proxy to the one manager there is, which so never changes.
 */
import { ADMIN_PORT, METRICS_PORT, ROUTES_MOUNT } from '../api/names.ts'
import { hostAndPort } from '../api/vip-range.ts'
import { perObject } from './memo.ts'
import {
  anyAddress,
  type BootstrapSettings,
  bootstrap,
  fileSource,
  type Json,
  response,
  typed,
} from './render-envoy.ts'
import { GATEWAY_RUNTIME, KEEPALIVE, OVERLOAD } from './render-hygiene.ts'
import { outboundManager, plainSidecarCds, sidecarCds } from './render-sidecar.ts'
import { anyWebCluster, CALLER_STATE, egressFilters, webListener } from './render-tcp.ts'
import type { EgressListener, EgressTable, ServiceRoute } from './tables.ts'

/** As in a pod of the egress: files lie where a sidecar has them, so that clusters are the very same. */
export const egressSettings = (clusterKey: string): BootstrapSettings => ({
  clusterKey,
  directory: ROUTES_MOUNT,
  accessLog: true,
  adminPort: ADMIN_PORT,
  metricsPort: METRICS_PORT,
})

/** Without a sidecar a pod is known by its address alone, which the application would not see otherwise. */
const CALLED_FOR: Json = {
  request_headers_to_add: [
    {
      header: { key: 'x-forwarded-for', value: `%FILTER_STATE(${CALLER_STATE}:PLAIN)%` },
      append_action: 'APPEND_IF_EXISTS_OR_ADD',
    },
  ],
}

/** The same with an identity and without one: what needs it comes with the clusters. */
export const egressBootstrap = (settings: BootstrapSettings): Json => {
  const web = { ...webListener(outboundManager(settings.accessLog, CALLED_FOR)), ignore_global_conn_limit: true }
  const plain = bootstrap(settings, [web], GATEWAY_RUNTIME) as Json & {
    readonly dynamic_resources: Json
    readonly static_resources: Json & { readonly clusters: readonly Json[] }
  }
  const { dynamic_resources: dynamic, static_resources: resources } = plain
  return {
    ...plain,
    ...OVERLOAD,
    dynamic_resources: { ...dynamic, lds_config: fileSource(settings.directory, 'lds.json') },
    static_resources: { ...resources, clusters: [...resources.clusters, anyWebCluster] },
  }
}

/** Named by its port, and with nothing in it that changes with others: Envoy leaves alone what is the same. */
const listenerOf = ({ at, vip, port, tcp }: EgressListener, ipv6: boolean, log: boolean): Json =>
  typed('envoy.config.listener.v3.Listener', {
    name: `egress ${at}`,
    stat_prefix: 'egress',
    address: anyAddress(at, ipv6),
    ...KEEPALIVE,
    filter_chains: [{ filters: egressFilters(vip, port, tcp === true, log) }],
  })

/** The listeners: `lds.json`. */
export const egressLds = ({ version, listeners, ipv6 }: EgressTable, log = true): string =>
  response(version, listeners.map((each) => JSON.stringify(listenerOf(each, ipv6 === true, log))).join(','))

const clusterName = ({ vip, port, tcp }: ServiceRoute): string => `${hostAndPort(vip, port)} ${tcp === true}`

const namesOf = perObject((routes: readonly ServiceRoute[]) => new Set(routes.map(clusterName)))

/**
 * The clusters, as a sidecar has them: `cds.json`. Those that only `before` has are kept: a proxy may read the clusters a
 * moment before the listeners that lead to them are gone.
 */
export const egressCds = ({ version, routes, trust }: EgressTable, before: readonly ServiceRoute[] = []): string => {
  const names = namesOf(routes)
  const kept = before.filter((route) => !names.has(clusterName(route)))
  const all = kept.length === 0 ? routes : [...routes, ...kept]
  return trust ? sidecarCds({ version, routes: all }) : plainSidecarCds({ version, routes: all })
}
