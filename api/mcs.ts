/** Kubernetes' API for services of several clusters (KEP-1645), and a cluster's name in it (KEP-2149). */
import type { Condition, KubeObject } from './meta.ts'

export interface McsExport extends KubeObject {
  readonly kind: 'ServiceExport'
  readonly spec?: {
    readonly exportedLabels?: Readonly<Record<string, string>>
    readonly exportedAnnotations?: Readonly<Record<string, string>>
  }
  readonly status?: { readonly conditions?: readonly Condition[] }
}

export interface McsPort {
  readonly name?: string
  readonly port: number
  readonly protocol?: 'TCP' | 'UDP' | 'SCTP'
  readonly appProtocol?: string
}

export interface McsImport extends KubeObject {
  readonly kind: 'ServiceImport'
  readonly spec: {
    readonly type: 'ClusterSetIP' | 'Headless'
    readonly ports: readonly McsPort[]
    readonly ips?: readonly string[]
    readonly ipFamilies?: readonly string[]
    readonly sessionAffinity?: string
    readonly sessionAffinityConfig?: { readonly clientIP?: { readonly timeoutSeconds?: number } }
    readonly internalTrafficPolicy?: string
    readonly trafficDistribution?: string
  }
  readonly status?: {
    readonly clusters?: readonly { readonly cluster: string }[]
    readonly conditions?: readonly Condition[]
  }
}

export interface ClusterProperty extends KubeObject {
  readonly kind: 'ClusterProperty'
  readonly spec: { readonly value: string }
}
