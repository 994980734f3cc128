/** Services that are shared among clusters by annotation, as Cilium Cluster Mesh has them. */
import type { Service } from './core.ts'

/** The first spelling wins. */
export const GLOBAL_ANNOTATIONS = {
  global: ['service.cilium.io/global', 'io.cilium/global-service'],
  shared: ['service.cilium.io/shared', 'io.cilium/shared-service'],
  affinity: ['service.cilium.io/affinity', 'io.cilium/service-affinity'],
} as const

export const AFFINITIES = ['none', 'local', 'remote'] as const
export type Affinity = (typeof AFFINITIES)[number]

/** What the annotations of a Service ask for, with all that they leave out, or say in no known way, filled in. */
export interface GlobalService {
  readonly global: boolean
  /** Whether other clusters may call its pods. */
  readonly shared: boolean
  /** Whose pods are called first from here. */
  readonly affinity: Affinity
  /** Values that say nothing, and what holds in their place. */
  readonly faults: readonly GlobalFault[]
}

export interface GlobalFault {
  readonly annotation: string
  readonly value: string
  readonly instead: string
}

/** Nothing for a Service without any of the annotations. */
export function globalService({ metadata }: Pick<Service, 'metadata'>): GlobalService | undefined {
  const { annotations = {} } = metadata
  const faults: GlobalFault[] = []
  function read<T extends string>(names: readonly string[], known: readonly T[], otherwise: T): T {
    const annotation = names.find((name) => annotations[name] !== undefined)
    if (annotation === undefined) return otherwise
    const value = annotations[annotation] ?? ''
    const found = known.find((each) => each === value.toLowerCase())
    if (found === undefined) faults.push({ annotation, value, instead: otherwise })
    return found ?? otherwise
  }
  if (
    !Object.values(GLOBAL_ANNOTATIONS)
      .flat()
      .some((name) => annotations[name] !== undefined)
  )
    return undefined
  return {
    global: read(GLOBAL_ANNOTATIONS.global, ['true', 'false'], 'false') === 'true',
    shared: read(GLOBAL_ANNOTATIONS.shared, ['true', 'false'], 'true') === 'true',
    affinity: read(GLOBAL_ANNOTATIONS.affinity, AFFINITIES, 'none'),
    faults,
  }
}
