/** The parts of Kubernetes' own kinds that Portolan reads. Anything else an object carries passes through untouched. */
import type { KubeObject } from './meta.ts'

export interface Namespace extends KubeObject {
  readonly kind: 'Namespace'
}

export interface ServicePort {
  readonly name?: string
  readonly port: number
  readonly protocol?: 'TCP' | 'UDP' | 'SCTP'
  readonly appProtocol?: string
  readonly targetPort?: number | string
}

export interface Service extends KubeObject {
  readonly kind: 'Service'
  readonly spec: {
    readonly type?: 'ClusterIP' | 'NodePort' | 'LoadBalancer' | 'ExternalName'
    /** `None` for a headless Service. */
    readonly clusterIP?: string
    readonly clusterIPs?: readonly string[]
    readonly ports?: readonly ServicePort[]
    readonly selector?: Readonly<Record<string, string>>
    readonly sessionAffinity?: 'ClientIP' | 'None'
    readonly sessionAffinityConfig?: { readonly clientIP?: { readonly timeoutSeconds?: number } }
    readonly internalTrafficPolicy?: 'Cluster' | 'Local'
    readonly trafficDistribution?: string
    readonly ipFamilies?: readonly string[]
    readonly publishNotReadyAddresses?: boolean
  }
}

export interface EndpointSlice extends KubeObject {
  readonly kind: 'EndpointSlice'
  readonly addressType: 'IPv4' | 'IPv6' | 'FQDN'
  /** Slices name their Service in label kubernetes.io/service-name. */
  readonly endpoints: readonly {
    readonly addresses: readonly string[]
    readonly hostname?: string
    readonly conditions?: { readonly ready?: boolean; readonly serving?: boolean; readonly terminating?: boolean }
  }[]
  readonly ports?: readonly { readonly name?: string; readonly port?: number; readonly protocol?: string }[]
}
