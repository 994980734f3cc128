import type { Service } from '../api/core.ts'
import type { ServiceExport } from '../api/service-export.ts'
import type { ServiceImport } from '../api/service-import.ts'

/** The other objects that are known when one is judged. What is absent is unknown and gives no warning. */
export interface World {
  readonly services?: readonly Service[]
  readonly exports?: readonly ServiceExport[]
  readonly imports?: readonly ServiceImport[]
  /** Keys of the clusters that have an identity. */
  readonly clusters?: readonly string[]
  /** region/zone/group/name of the cluster the object is for. */
  readonly clusterKey?: string
  /** CIDR that addresses of imports come from. */
  readonly vipRange?: string
}
