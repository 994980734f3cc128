import { format } from '../../api/diagnostics.ts'
import type { KubeObject } from '../../api/meta.ts'
import { GATEWAY_CONFIGMAP, IDENTITY_CONFIGMAP, TRUST_CONFIGMAP } from '../../api/names.ts'
import {
  CONFIGMAPS,
  type ConfigMap,
  ENDPOINT_SLICES,
  GLOBAL_TRAFFIC_POLICIES,
  MCS_EXPORTS,
  MCS_EXPORTS_OLDER,
  NAMESPACES,
  SERVICE_EXPORTS,
  SERVICE_IMPORTS,
  SERVICES,
} from '../../api/resources.ts'
import { observeTable } from '../../compiler/controller/observed.ts'
import type { Snapshot } from '../../compiler/snapshot.ts'
import type { GatewayRoute, LingeringRoute } from '../../compiler/tables.ts'
import { readTrust } from '../../compiler/trust.ts'
import type { Scope } from '../../kube/client.ts'
import type { Resource } from '../../kube/object.ts'
import { UsageError } from '../io.ts'
import { type Live, must, mustOrMissing } from './connect.ts'
import type { Mesh } from './mesh.ts'

/** All that the compiler would look at, as it is now. */
export async function readSnapshot(
  cluster: Live,
  {
    meshName,
    clusterKey,
    clusterDomain,
    vipRange,
    requireIdentity = false,
    egressNamespace,
    mtls,
    identity: { globalServices },
  }: Omit<Mesh, 'meshConfig' | 'joined'>,
): Promise<Snapshot> {
  const [namespaces, services, endpointSlices, imports, exports, mcsExports, policies, gateway] = await Promise.all([
    listAll(cluster, NAMESPACES),
    listAll(cluster, SERVICES),
    listAll(cluster, ENDPOINT_SLICES),
    listAll(cluster, SERVICE_IMPORTS),
    listAll(cluster, SERVICE_EXPORTS),
    listIfServed(cluster, [MCS_EXPORTS, ...MCS_EXPORTS_OLDER]),
    listAll(cluster, GLOBAL_TRAFFIC_POLICIES),
    cluster.client.get(CONFIGMAPS, { namespace: cluster.portolanNamespace, name: GATEWAY_CONFIGMAP }),
  ])
  const written = mustOrMissing(gateway, cluster.name)
  return {
    mesh: {
      ...{ meshName, clusterKey, clusterDomain, vipRange, requireIdentity },
      ...(egressNamespace === undefined ? {} : { egressNamespace }),
    },
    ...(mtls ? await readTrusted(cluster, clusterKey) : {}),
    namespaces,
    services,
    // A slice without endpoints carries null.
    endpointSlices: endpointSlices.map((slice) => ({ ...slice, endpoints: slice.endpoints ?? [] })),
    imports,
    exports,
    mcsExports,
    globalServices,
    policies,
    served: written === undefined ? [] : lingering(observeTable(written).gateway?.table.routes ?? [], new Date()),
  }
}

/** @throws UsageError when it cannot be told whom the cluster's proxies believe */
async function readTrusted(cluster: Live, clusterKey: string): Promise<Pick<Snapshot, 'trust'>> {
  const namespace = cluster.portolanNamespace
  const word = async (name: string) =>
    mustOrMissing(await cluster.client.get<ConfigMap>(CONFIGMAPS, { namespace, name }), cluster.name)
  const [identity, told] = await Promise.all([IDENTITY_CONFIGMAP, TRUST_CONFIGMAP].map(word))
  const { trust, issues } = readTrust({ identity, told, clusterKey, namespace })
  if (trust === undefined) throw new UsageError(`${cluster.name}: ${issues.map(format).join(' ')}`)
  return { trust }
}

/** What gateways serve on for now, as the compiler decided it when it was withdrawn. */
function lingering(routes: readonly GatewayRoute[], now: Date): readonly LingeringRoute[] {
  return routes.flatMap(({ until, ...route }) =>
    until === undefined || new Date(until) <= now ? [] : [{ ...route, until }],
  )
}

/** Every object of a kind that a cluster need not have, in the first of the versions that it serves. */
async function listIfServed<T extends KubeObject>(
  cluster: Live,
  versions: readonly Resource<T>[],
): Promise<readonly T[]> {
  for (const resource of versions) {
    const listing = await cluster.client.list<T>(resource, {})
    if (listing.ok || listing.failure.reason !== 'NotFound') return must(listing, cluster.name).items
  }
  return []
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
