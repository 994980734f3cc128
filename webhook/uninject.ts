import { IDENTITY_VOLUME, INIT_CONTAINER, PROXY_CONTAINER, ROUTES_VOLUME, STATUS_ANNOTATION } from '../api/names.ts'
import type { Pod } from './decision.ts'
import { isRecord } from './validate-read.ts'

/** What the status annotation of an injected pod says: enough to take everything out again. */
export interface InjectionStatus {
  readonly version: 1
  readonly proxyUid: number
  /** Annotations added beside the status itself. */
  readonly annotations: readonly string[]
  /** Maps and lists that the pod did not have at all. */
  readonly created: readonly ('annotations' | 'initContainers' | 'volumes')[]
  /** Fields of spec that were set, with what they held; null = nothing. */
  readonly replaced: Readonly<Record<string, unknown>>
}

export const statusOf = (
  pod: Pod,
  proxyUid: number,
  annotations: readonly string[],
  fields: readonly string[],
): InjectionStatus => ({
  version: 1,
  proxyUid,
  annotations,
  created: [
    ...(pod.metadata.annotations ? [] : (['annotations'] as const)),
    ...(pod.spec.initContainers ? [] : (['initContainers'] as const)),
    ...(pod.spec.volumes ? [] : (['volumes'] as const)),
  ],
  replaced: Object.fromEntries(fields.map((field) => [field, pod.spec[field] ?? null])),
})

const readStatus = (pod: Pod): InjectionStatus | undefined => {
  const text = pod.metadata.annotations?.[STATUS_ANNOTATION]
  if (text === undefined) return undefined
  try {
    const status: unknown = JSON.parse(text)
    return isStatus(status) ? status : undefined
  } catch {
    return undefined
  }
}

const isStatus = (value: unknown): value is InjectionStatus => {
  if (!isRecord(value)) return false
  const { version, annotations, created, replaced } = value
  return version === 1 && Array.isArray(annotations) && Array.isArray(created) && isRecord(replaced)
}

const omit = <T extends object>(holder: T, keys: readonly string[]): T =>
  Object.fromEntries(Object.entries(holder).filter(([key]) => !keys.includes(key))) as T

/** The pod as it was before injection. A pod without a status annotation of ours is returned as it is. */
export const uninject = (pod: Pod): Pod => {
  const status = readStatus(pod)
  if (status === undefined) return pod
  const { annotations = {}, ...metadata } = pod.metadata
  const { initContainers = [], volumes = [], ...spec } = pod.spec
  const keep = <T extends object>(name: InjectionStatus['created'][number], left: T, size: number): object =>
    size === 0 && status.created.includes(name) ? {} : { [name]: left }

  const keptAnnotations = omit(annotations, [STATUS_ANNOTATION, ...status.annotations])
  const keptInit = initContainers.filter(({ name }) => name !== INIT_CONTAINER && name !== PROXY_CONTAINER)
  const keptVolumes = volumes.filter(({ name }) => name !== ROUTES_VOLUME && name !== IDENTITY_VOLUME)
  const before = Object.entries(status.replaced).filter(([, value]) => value !== null)
  return {
    ...pod,
    metadata: { ...metadata, ...keep('annotations', keptAnnotations, Object.keys(keptAnnotations).length) },
    spec: {
      ...omit(spec as Pod['spec'], Object.keys(status.replaced)),
      ...keep('initContainers', keptInit, keptInit.length),
      ...keep('volumes', keptVolumes, keptVolumes.length),
      ...Object.fromEntries(before),
    },
  }
}
