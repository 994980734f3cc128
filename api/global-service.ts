/** Services that are shared among clusters by annotation, as Cilium Cluster Mesh has them. */
import type { Service } from './core.ts'
import type { Issue } from './issue.ts'

/** The first spelling wins, whatever it says: the second is then not looked at. */
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
  /** Whether other clusters may call its pods; of a Service that is not global they may not. */
  readonly shared: boolean
  /** Whose pods are called first from here; of a Service that is not global it says nothing. */
  readonly affinity: Affinity
  /** Values that say nothing, and what holds in their place. */
  readonly faults: readonly GlobalFault[]
  /** Annotations without effect, as the Service is not global. */
  readonly idle: readonly string[]
}

export interface GlobalFault {
  readonly annotation: string
  readonly value: string
  readonly known: readonly string[]
  readonly instead: string
}

const BOOLEANS = ['true', 'false'] as const

/** Nothing for a Service without any of the annotations. Values are compared in lower case, and not trimmed. */
export function globalService({ metadata }: Pick<Service, 'metadata'>): GlobalService | undefined {
  const { annotations = {} } = metadata
  const faults: GlobalFault[] = []
  const written = (names: readonly string[]) => names.find((name) => annotations[name] !== undefined)
  function read<T extends string>(names: readonly string[], known: readonly T[], otherwise: T, empty?: T): T {
    const annotation = written(names)
    if (annotation === undefined) return otherwise
    const value = annotations[annotation] ?? ''
    const found = value === '' ? empty : known.find((each) => each === value.toLowerCase())
    if (found === undefined) faults.push({ annotation, value, known, instead: otherwise })
    return found ?? otherwise
  }
  if (Object.values(GLOBAL_ANNOTATIONS).every((names) => written(names) === undefined)) return undefined
  const global = read(GLOBAL_ANNOTATIONS.global, BOOLEANS, 'false') === 'true'
  const shared = read(GLOBAL_ANNOTATIONS.shared, BOOLEANS, 'true') === 'true'
  const affinity = read(GLOBAL_ANNOTATIONS.affinity, AFFINITIES, 'none', 'none')
  const idle = [GLOBAL_ANNOTATIONS.shared, GLOBAL_ANNOTATIONS.affinity].flatMap((names) => written(names) ?? [])
  return {
    global,
    shared: global && shared,
    affinity: global ? affinity : 'none',
    faults,
    idle: global ? [] : idle,
  }
}

/** What is to be said about the annotations of a Service: at admission, by Events and by `portolan validate` alike. */
export function globalServiceIssues(
  service: Pick<Service, 'metadata'>,
): readonly Issue<'GlobalValueUnknown' | 'GlobalAnnotationIdle'>[] {
  const said = globalService(service)
  if (said === undefined) return []
  const { namespace = 'default', name } = service.metadata
  const object = { kind: 'Service', namespace, name }
  const path = (annotation: string) => `metadata.annotations[${annotation}]`
  return [
    ...said.faults.map(({ annotation, value, known, instead }) => ({
      code: 'GlobalValueUnknown' as const,
      object,
      path: path(annotation),
      value,
      params: { known: known.join(', '), instead },
    })),
    ...said.idle.map((annotation) => ({ code: 'GlobalAnnotationIdle' as const, object, path: path(annotation) })),
  ]
}
