import type { Service } from '../api/core.ts'
import { type Offer, type OfferedRule, offersOf } from './offers.ts'
import { by } from './order.ts'
import { isHttp2 } from './protocol.ts'
import type { GatewayRoute } from './tables.ts'
import { clusterAddress, keyOf, readyEndpoints, type World } from './world.ts'

export interface ServedExport extends Offer {
  readonly routes: readonly GatewayRoute[]
}

const routeOf = (
  world: World,
  { object }: Offer,
  service: Service,
  { port, path, pathType }: OfferedRule,
): GatewayRoute => {
  const key = keyOf(object)
  const own = clusterAddress(service)
  return {
    service: key,
    port: port.port,
    path,
    pathType,
    ...(object.spec.pathRewrite ? { rewrite: object.spec.pathRewrite } : {}),
    endpoints: readyEndpoints(world, key, port),
    ...(own === undefined ? {} : { fallback: { host: own, port: port.port } }),
    http2: isHttp2(port.appProtocol),
  }
}

/** All exports of the cluster, the oldest first, each with what the gateway does for it. */
export const serveExports = (world: World): readonly ServedExport[] =>
  offersOf(world).map((offer) => {
    const { service, rules } = offer
    return { ...offer, routes: service ? rules.map((rule) => routeOf(world, offer, service, rule)) : [] }
  })

const bySpecificity = by<GatewayRoute>(
  (route) => (route.pathType === 'Exact' ? 0 : 1),
  (route) => -route.path.length,
  (route) => route.path,
)

export const gatewayRoutes = (served: readonly ServedExport[]): readonly GatewayRoute[] =>
  served.flatMap((each) => each.routes).sort(bySpecificity)
