import type { KubeObject } from '../../api/meta.ts'
import { GATEWAY_CONFIGMAP } from '../../api/names.ts'
import {
  CONFIGMAPS,
  ENDPOINT_SLICES,
  GLOBAL_TRAFFIC_POLICIES,
  NAMESPACES,
  SERVICE_EXPORTS,
  SERVICE_IMPORTS,
  SERVICES,
} from '../../api/resources.ts'
import { observeTable } from '../../compiler/controller/observed.ts'
import type { MeshSettings, Snapshot } from '../../compiler/snapshot.ts'
import type { GatewayRoute, LingeringRoute } from '../../compiler/tables.ts'
import type { Scope } from '../../kube/client.ts'
import type { Resource } from '../../kube/object.ts'
import { UsageError } from '../io.ts'
import { type Live, must, mustOrMissing } from './connect.ts'

/** All that the compiler would look at, as it is now. */
export async function readSnapshot(
  cluster: Live,
  { meshName, clusterKey, clusterDomain, vipRange }: MeshSettings,
): Promise<Snapshot> {
  const [namespaces, services, endpointSlices, imports, exports, policies, gateway] = await Promise.all([
    listAll(cluster, NAMESPACES),
    listAll(cluster, SERVICES),
    listAll(cluster, ENDPOINT_SLICES),
    listAll(cluster, SERVICE_IMPORTS),
    listAll(cluster, SERVICE_EXPORTS),
    listAll(cluster, GLOBAL_TRAFFIC_POLICIES),
    cluster.client.get(CONFIGMAPS, { namespace: cluster.portolanNamespace, name: GATEWAY_CONFIGMAP }),
  ])
  const written = mustOrMissing(gateway, cluster.name)
  return {
    mesh: { meshName, clusterKey, clusterDomain, vipRange },
    namespaces,
    services,
    // A slice without endpoints carries null.
    endpointSlices: endpointSlices.map((slice) => ({ ...slice, endpoints: slice.endpoints ?? [] })),
    imports,
    exports,
    policies,
    served: written === undefined ? [] : lingering(observeTable(written).gateway?.table.routes ?? [], new Date()),
  }
}

/** What gateways serve on for now, as the compiler decided it when it was withdrawn. */
function lingering(routes: readonly GatewayRoute[], now: Date): readonly LingeringRoute[] {
  return routes.flatMap(({ until, ...route }) =>
    until === undefined || new Date(until) <= now ? [] : [{ ...route, until }],
  )
}

/**
 * Every object of a kind.
 * @throws UsageError when the cluster does not have the kind, or the user may not see it
 */
export async function listAll<T extends KubeObject>(
  cluster: Live,
  resource: Resource<T>,
  scope: Scope = {},
): Promise<readonly T[]> {
  const listing = await cluster.client.list<T>(resource, scope)
  if (!listing.ok && listing.failure.reason === 'NotFound')
    throw new UsageError(
      `${cluster.name}: the API server knows no ${resource.plural} of ${resource.group}; portolan install brings them`,
    )
  return must(listing, cluster.name).items
}
