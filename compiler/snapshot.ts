import type { EndpointSlice, Namespace, Service } from '../api/core.ts'
import type { GlobalTrafficPolicy } from '../api/global-traffic-policy.ts'
import type { McsExport } from '../api/mcs.ts'
import type { MeshConfig } from '../api/mesh-config.ts'
import type { KubeObject } from '../api/meta.ts'
import { MCS_GROUP } from '../api/names.ts'
import type { ServiceExport } from '../api/service-export.ts'
import type { ServiceImport } from '../api/service-import.ts'
import type { HttpRouteGroup, TcpRoute, TrafficTarget } from '../api/smi.ts'
import { accountsOf, podsAmong } from './accounts.ts'
import { explicitNamespaces } from './controller/explicit.ts'
import type { LingeringRoute, Trust } from './tables.ts'
import type { Access } from './traffic-targets.ts'

/** Everything a compilation may look at: one cluster's objects at one moment, in any order. */
export interface Snapshot {
  readonly mesh: MeshSettings
  readonly namespaces: readonly Namespace[]
  /** Names of namespaces that lost the mesh's label while sidecars run there: these need their table until the last is gone. */
  readonly leaving?: readonly string[]
  /** Names of namespaces with pods, now or soon, that name their sidecar as a proxy instead of capturing calls. */
  readonly explicit?: readonly string[]
  readonly services: readonly Service[]
  readonly endpointSlices: readonly EndpointSlice[]
  readonly imports: readonly ServiceImport[]
  /** Imports that are gone, and whose addresses callers may hold for a moment more: this cluster's own Services answer there. */
  readonly withdrawn?: readonly ServiceImport[]
  readonly exports: readonly ServiceExport[]
  readonly mcsExports?: readonly McsExport[]
  /** Whether Services are shared by annotation. */
  readonly globalServices?: boolean
  /** Absent: the cluster is a member of none. */
  readonly membership?: Membership
  readonly policies: readonly GlobalTrafficPolicy[]
  /** Absent: proxies have no identity. */
  readonly trust?: Trust
  /** Absent while the mesh is permissive: everybody may call everything. */
  readonly access?: Access
  /** What gateways served a moment ago; of these, compilation serves on what nobody asks for any more and nobody else serves. */
  readonly served?: readonly LingeringRoute[]
}

/** That a hub has the cluster for a member. */
export interface Membership {
  /** Name of the set of clusters: the same in each of them, and for as long as they are members. Absent when the hub has not told. */
  readonly clusterset?: string
}

export interface MeshSettings {
  /** Value of the monitored-by label that makes a namespace ours. */
  readonly meshName: string
  /** region/zone/group/name of the cluster compiled for. */
  readonly clusterKey: string
  /** DNS suffix of cluster-local names, without dots at either end. */
  readonly clusterDomain: string
  /** CIDR that import addresses come from. */
  readonly vipRange: string
  /** Where proxies have an identity, a cluster without one gets no calls; otherwise it gets them in plain HTTP. */
  readonly requireIdentity?: boolean
  /** Namespace of the egress, by which pods without a sidecar call imports; absent = there is none. */
  readonly egressNamespace?: string
}

const isStandard = ({ apiVersion }: KubeObject): boolean => apiVersion.startsWith(`${MCS_GROUP}/`)

/** A snapshot out of a heap of objects, such as the documents of a folder of manifests. Kinds that routing ignores are left out. */
export const snapshotOf = (mesh: MeshSettings, objects: readonly KubeObject[]): Snapshot => {
  const ofKind = <T extends KubeObject>(kind: string): readonly T[] =>
    objects.filter((object): object is T => object.kind === kind && !isStandard(object))
  const namespaces = ofKind<Namespace>('Namespace')
  const configs = ofKind<MeshConfig>('MeshConfig')
  const permissive = configs.every(({ spec }) => spec?.traffic?.enablePermissiveTrafficPolicyMode !== false)
  const access = {
    targets: ofKind<TrafficTarget>('TrafficTarget'),
    httpGroups: ofKind<HttpRouteGroup>('HTTPRouteGroup'),
    tcpRoutes: ofKind<TcpRoute>('TCPRoute'),
    accounts: accountsOf(ofKind<Service>('Service'), podsAmong(objects)),
  }
  return {
    mesh,
    ...(permissive ? {} : { access }),
    namespaces,
    explicit: explicitNamespaces(namespaces, configs[0]?.spec, []),
    services: ofKind<Service>('Service'),
    endpointSlices: ofKind<EndpointSlice>('EndpointSlice'),
    imports: ofKind<ServiceImport>('ServiceImport'),
    exports: ofKind<ServiceExport>('ServiceExport'),
    mcsExports: objects.filter((object): object is McsExport => object.kind === 'ServiceExport' && isStandard(object)),
    globalServices: true,
    policies: ofKind<GlobalTrafficPolicy>('GlobalTrafficPolicy'),
  }
}
