/** Where the API server keeps every kind that Portolan reads or writes, ready for `kube`'s client. */
import type { Cluster } from './cluster.ts'
import type { EndpointSlice, Namespace, Service } from './core.ts'
import type { GlobalTrafficPolicy } from './global-traffic-policy.ts'
import type { ClusterProperty, McsExport, McsImport } from './mcs.ts'
import type { MeshConfig } from './mesh-config.ts'
import type { KubeObject, ObjectMeta } from './meta.ts'
import { ABOUT_GROUP, ABOUT_VERSION, CONFIG_GROUP, GROUP, MCS_GROUP, MCS_VERSION, VERSION } from './names.ts'
import type { ServiceExport } from './service-export.ts'
import type { ServiceImport } from './service-import.ts'
import type { HttpRouteGroup, TcpRoute, TrafficTarget } from './smi.ts'

interface Served<T extends KubeObject> {
  /** Empty for the core group. */
  readonly group: string
  readonly version: string
  readonly plural: string
  readonly kind: string
  readonly namespaced: boolean
  /** Never set: carries the type. */
  readonly object?: T
}

export interface ConfigMap extends KubeObject {
  readonly data?: Readonly<Record<string, string>>
}

export interface Secret extends KubeObject {
  readonly type?: string
  /** Base64. */
  readonly data?: Readonly<Record<string, string>>
}

/** As the API server keeps it; only what Portolan reads is typed. */
export interface LivePod extends KubeObject {
  readonly metadata: ObjectMeta
  readonly spec: {
    readonly hostNetwork?: boolean
    readonly serviceAccountName?: string
    readonly containers: readonly { readonly name: string }[]
    readonly initContainers?: readonly { readonly name: string }[]
  }
  readonly status?: {
    readonly phase?: 'Pending' | 'Running' | 'Succeeded' | 'Failed' | 'Unknown'
    readonly podIP?: string
    readonly conditions?: readonly { readonly type: string; readonly status: string }[]
  }
}

const core = <T extends KubeObject>(plural: string, kind: string, namespaced = true): Served<T> => ({
  group: '',
  version: 'v1',
  plural,
  kind,
  namespaced,
})

const ours = <T extends KubeObject>(plural: string, kind: string, namespaced = true): Served<T> => ({
  group: GROUP,
  version: VERSION,
  plural,
  kind,
  namespaced,
})

export const NAMESPACES = core<Namespace>('namespaces', 'Namespace', false)
export const SERVICES = core<Service>('services', 'Service')
export const PODS = core<LivePod>('pods', 'Pod')
export const SERVICE_ACCOUNTS = core<KubeObject>('serviceaccounts', 'ServiceAccount')
export const CONFIGMAPS = core<ConfigMap>('configmaps', 'ConfigMap')
export const SECRETS = core<Secret>('secrets', 'Secret')
export const ENDPOINT_SLICES: Served<EndpointSlice> = {
  group: 'discovery.k8s.io',
  version: 'v1',
  plural: 'endpointslices',
  kind: 'EndpointSlice',
  namespaced: true,
}

export const CLUSTERS = ours<Cluster>('clusters', 'Cluster', false)
export const SERVICE_EXPORTS = ours<ServiceExport>('serviceexports', 'ServiceExport')
export const SERVICE_IMPORTS = ours<ServiceImport>('serviceimports', 'ServiceImport')
export const GLOBAL_TRAFFIC_POLICIES = ours<GlobalTrafficPolicy>('globaltrafficpolicies', 'GlobalTrafficPolicy')
export const MESH_CONFIGS: Served<MeshConfig> = {
  group: CONFIG_GROUP,
  version: VERSION,
  plural: 'meshconfigs',
  kind: 'MeshConfig',
  namespaced: true,
}

const standard = <T extends KubeObject>(plural: string, kind: string): Served<T> => ({
  group: MCS_GROUP,
  version: MCS_VERSION,
  plural,
  kind,
  namespaced: true,
})

export const MCS_EXPORTS = standard<McsExport>('serviceexports', 'ServiceExport')
/** As implementations of before v1beta1 have installed it. It is read; conditions of its objects are theirs, and cannot be shared. */
export const MCS_EXPORTS_OLDER: readonly Served<McsExport>[] = [{ ...MCS_EXPORTS, version: 'v1alpha1' }]
/** Whether something can be said in its status. */
export const isCurrent = ({ apiVersion }: Pick<McsExport, 'apiVersion'>): boolean =>
  apiVersion === `${MCS_GROUP}/${MCS_VERSION}`
export const MCS_IMPORTS = standard<McsImport>('serviceimports', 'ServiceImport')
export const CLUSTER_PROPERTIES: Served<ClusterProperty> = {
  group: ABOUT_GROUP,
  version: ABOUT_VERSION,
  plural: 'clusterproperties',
  kind: 'ClusterProperty',
  namespaced: false,
}

const smi = <T extends KubeObject>(group: string, version: string, plural: string, kind: string): Served<T> => ({
  group: `${group}.smi-spec.io`,
  version,
  plural,
  kind,
  namespaced: true,
})

export const TRAFFIC_TARGETS = smi<TrafficTarget>('access', 'v1alpha3', 'traffictargets', 'TrafficTarget')
export const HTTP_ROUTE_GROUPS = smi<HttpRouteGroup>('specs', 'v1alpha4', 'httproutegroups', 'HTTPRouteGroup')
export const TCP_ROUTES = smi<TcpRoute>('specs', 'v1alpha4', 'tcproutes', 'TCPRoute')
