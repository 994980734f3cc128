/** Kinds of the Service Mesh Interface that say who may call whom, as far as they are read. The API server has checked none of their names. */
import type { KubeObject } from './meta.ts'

export interface TrafficTarget extends KubeObject {
  readonly spec?: {
    readonly destination?: SmiIdentity
    readonly sources?: readonly SmiIdentity[]
    readonly rules?: readonly {
      readonly kind?: string
      readonly name?: string
      /** Names of matches; absent or empty = all of them. */
      readonly matches?: readonly string[]
    }[]
  }
}

export interface SmiIdentity {
  /** ServiceAccount */
  readonly kind?: string
  readonly name?: string
  /** Absent = that of the TrafficTarget. */
  readonly namespace?: string
}

export interface HttpRouteGroup extends KubeObject {
  readonly spec?: {
    readonly matches?: readonly HttpMatch[]
  }
}

export interface HttpMatch {
  readonly name?: string
  readonly pathRegex?: string
  /** `*` = any. */
  readonly methods?: readonly string[]
  /** Name → expression; a map, or a list of maps. */
  readonly headers?: Readonly<Record<string, string>> | readonly Readonly<Record<string, string>>[]
}

export interface TcpRoute extends KubeObject {
  readonly spec?: {
    readonly matches?: { readonly ports?: readonly number[] } | readonly { readonly ports?: readonly number[] }[]
  }
}
