import type { ObjectStatus } from './tables.ts'

/** Kinds of which the compiler makes whole objects; ServiceImport is the standard's. */
export const OBJECT_KINDS = ['Service', 'EndpointSlice', 'ServiceImport', 'ClusterProperty'] as const
export type ObjectKind = (typeof OBJECT_KINDS)[number]

/**
 * An object that is the compiler's as a whole: made, kept as it is said here, and removed when it is no longer wanted.
 * What the API server fills in, and what others add, is left alone.
 */
export interface WantedObject {
  readonly kind: ObjectKind
  /** Absent for a kind that has none. */
  readonly namespace?: string
  readonly name: string
  /** Without the label that everything of ours has. */
  readonly labels?: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
  /**
   * Everything else but metadata and status, by top-level field: `spec`, or of a slice `addressType`, `endpoints`, `ports`.
   * The keys of list entries are spelled out, `protocol` of ports among them.
   */
  readonly fields: Readonly<Record<string, unknown>>
  /** Its status; observedGeneration is filled in. */
  readonly status?: WantedStatus
}

export interface WantedStatus {
  readonly conditions: readonly Omit<ObjectStatus['conditions'][number], 'observedGeneration'>[]
  /** The rest of it, by field. */
  readonly extra?: Readonly<Record<string, unknown>>
}
