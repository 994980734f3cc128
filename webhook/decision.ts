import type { Namespace } from '../api/core.ts'
import type { InjectionCode } from '../api/diagnostics/injection.ts'
import type { Issue, ObjectRef } from '../api/issue.ts'
import type { MeshConfigSpec } from '../api/mesh-config.ts'
import type { DeepReadonly } from '../api/meta.ts'

/** Reasons to leave a pod alone, in the order in which they are looked for. */
export const SKIP_CODES = [
  'AlreadyInjected',
  'MirrorPod',
  'SystemNamespace',
  'NamespaceNotInMesh',
  'HostNetwork',
  'OtherOperatingSystem',
  'NoContainers',
  'InjectionDisabled',
  'InjectionNotEnabled',
] as const satisfies readonly InjectionCode[]
export type SkipCode = (typeof SKIP_CODES)[number]

/** Findings for which a pod is refused. */
export type RefusalCode = Extract<
  InjectionCode,
  'InjectionValueUnknown' | 'SettingInvalid' | 'RequestExceedsLimit' | 'ReservedNameTaken'
>

/** What injection knows beside the pod itself. */
export interface Mesh {
  /** Value of the monitored-by label that makes a namespace ours. */
  readonly name: string
  /** Where Portolan itself runs: never injected. */
  readonly ownNamespace: string
  readonly config: DeepReadonly<MeshConfigSpec>
  /** The MeshConfig that `config` comes from, for messages. */
  readonly configRef: ObjectRef
  readonly proxyImage: string
  readonly initImage: string
  readonly imagePullPolicy: 'Always' | 'IfNotPresent' | 'Never'
  readonly vipRange: string
  /** Proxies get the certificate of their pod's service account, and wait for it. */
  readonly mtls: boolean
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
  | { readonly outcome: 'skip'; readonly code: SkipCode }
  /** The pod must not be created; all that is wrong is in the issues. */
  | { readonly outcome: 'refuse'; readonly code: RefusalCode }

export interface InjectResult {
  readonly decision: InjectDecision
  readonly issues: readonly Issue[]
  /** Built, never diffed; empty unless injected. */
  readonly patch: readonly Add[]
  /** The pod with the patch applied. */
  readonly pod: Pod
}

/** One operation of a JSON Patch (RFC 6902). */
export interface Add {
  readonly op: 'add'
  readonly path: string
  readonly value: unknown
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
