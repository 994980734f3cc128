import {
  IDENTITY_VOLUME,
  INIT_CONTAINER,
  type Interception,
  PROXY_CONTAINER,
  ROUTES_VOLUME,
  STATUS_ANNOTATION,
} from '../api/names.ts'
import type { Container, Pod } from './decision.ts'
import type { ContainerList, Environment } from './inject-explicit.ts'
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
  /** Absent = iptables. */
  readonly interception?: 'explicit'
  /** Containers that were told of the proxy in their environment. */
  readonly environments?: readonly {
    readonly list: ContainerList
    readonly container: string
    readonly created: boolean
    /** Names of the variables. */
    readonly variables: readonly string[]
  }[]
}

interface Added {
  readonly uid: number
  /** Keys. */
  readonly annotations: readonly string[]
  readonly fields: Readonly<Record<string, unknown>>
  readonly environments: readonly Environment[]
  readonly interception: Interception
}

export const statusOf = (
  pod: Pod,
  { uid, annotations, fields, environments, interception }: Added,
): InjectionStatus => ({
  version: 1,
  proxyUid: uid,
  annotations,
  created: [
    ...(pod.metadata.annotations ? [] : (['annotations'] as const)),
    ...(pod.spec.initContainers ? [] : (['initContainers'] as const)),
    ...(pod.spec.volumes ? [] : (['volumes'] as const)),
  ],
  replaced: Object.fromEntries(Object.keys(fields).map((field) => [field, pod.spec[field] ?? null])),
  ...(interception === 'explicit'
    ? {
        interception,
        environments: environments.map(({ list, container, created, variables }) => ({
          list,
          container,
          created,
          variables: variables.map(({ name }) => name),
        })),
      }
    : {}),
})

export const readStatus = (pod: Pick<Pod, 'metadata'>): InjectionStatus | undefined => {
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
  const { version, annotations, created, replaced, environments = [] } = value
  return (
    version === 1 &&
    [annotations, created, environments].every(Array.isArray) &&
    (environments as unknown[]).every((each) => isRecord(each) && Array.isArray(each['variables'])) &&
    isRecord(replaced)
  )
}

/** The container without the variables that injection added behind its own. */
const untold = (container: Container, list: ContainerList, { environments = [] }: InjectionStatus): Container => {
  const told = environments.find((each) => each.list === list && each.container === container.name)
  const { env, ...rest } = container
  if (told === undefined || !Array.isArray(env)) return container
  const left = env.filter(
    (variable: unknown) => !isRecord(variable) || !told.variables.includes(String(variable['name'])),
  )
  return told.created && left.length === 0 ? (rest as Container) : { ...container, env: left }
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
  const keptInit = initContainers
    .filter(({ name }) => name !== INIT_CONTAINER && name !== PROXY_CONTAINER)
    .map((container) => untold(container, 'initContainers', status))
  const keptVolumes = volumes.filter(({ name }) => name !== ROUTES_VOLUME && name !== IDENTITY_VOLUME)
  const before = Object.entries(status.replaced).filter(([, value]) => value !== null)
  return {
    ...pod,
    metadata: { ...metadata, ...keep('annotations', keptAnnotations, Object.keys(keptAnnotations).length) },
    spec: {
      ...omit(spec as Pod['spec'], Object.keys(status.replaced)),
      ...(spec['containers'] === undefined
        ? {}
        : {
            containers: (spec['containers'] as Pod['spec']['containers']).map((each) =>
              untold(each, 'containers', status),
            ),
          }),
      ...keep('initContainers', keptInit, keptInit.length),
      ...keep('volumes', keptVolumes, keptVolumes.length),
      ...Object.fromEntries(before),
    },
  }
}
