import type { EndpointSlice, Namespace, Service } from '../api/core.ts'
import type { GlobalTrafficPolicy } from '../api/global-traffic-policy.ts'
import type { ServiceExport } from '../api/service-export.ts'
import type { ServiceImport } from '../api/service-import.ts'

/** Everything a compilation may look at: one cluster's objects at one moment, in any order. */
export interface Snapshot {
  readonly mesh: MeshSettings
  readonly namespaces: readonly Namespace[]
  readonly services: readonly Service[]
  readonly endpointSlices: readonly EndpointSlice[]
  readonly imports: readonly ServiceImport[]
  readonly exports: readonly ServiceExport[]
  readonly policies: readonly GlobalTrafficPolicy[]
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
}
