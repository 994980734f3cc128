import type { Namespace } from '../api/core.ts'
import type { Issue } from '../api/issue.ts'
import type { MeshConfigSpec } from '../api/mesh-config.ts'
import type { DeepReadonly } from '../api/meta.ts'

/** What injection knows beside the pod itself. */
export interface Mesh {
  readonly name: string
  readonly config: DeepReadonly<MeshConfigSpec>
  readonly proxyImage: string
  readonly initImage: string
  readonly imagePullPolicy: 'Always' | 'IfNotPresent' | 'Never'
  readonly vipRange: string
  readonly dns: {
    /** Address of mesh DNS. */
    readonly nameserver: string
    readonly clusterDomain: string
    /** What the node adds to the search list, in order. */
    readonly extraSearches: readonly string[]
  }
}

export interface InjectRequest {
  readonly pod: Pod
  readonly namespace: Namespace
  readonly mesh: Mesh
  /** Chooses the proxy's uid; the admission request's uid, or any string offline. */
  readonly seed: string
}

export type InjectDecision =
  | { readonly outcome: 'inject' }
  /** The pod is left as it is; `code` names the catalogue's reason. */
  | { readonly outcome: 'skip'; readonly code: string }
  /** The pod must not be created; all that is wrong is in the issues. */
  | { readonly outcome: 'refuse' }

export interface InjectResult {
  readonly decision: InjectDecision
  readonly issues: readonly Issue[]
  /** Built, never diffed; empty unless injected. */
  readonly patch: readonly { readonly op: 'add'; readonly path: string; readonly value: unknown }[]
  /** The pod with the patch applied. */
  readonly pod: Pod
}

/** A pod as the API server sends it; only what injection reads is typed. */
export interface Pod {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: {
    readonly name?: string
    readonly generateName?: string
    readonly namespace?: string
    readonly labels?: Readonly<Record<string, string>>
    readonly annotations?: Readonly<Record<string, string>>
  }
  readonly spec: Readonly<Record<string, unknown>> & {
    readonly hostNetwork?: boolean
    readonly dnsPolicy?: string
    readonly containers: readonly Container[]
    readonly initContainers?: readonly Container[]
    readonly volumes?: readonly (Readonly<Record<string, unknown>> & { readonly name: string })[]
  }
}

export type Container = Readonly<Record<string, unknown>> & { readonly name: string }
