import type { Add, Container, Pod } from './decision.ts'
import { type ContainerList, type Environment, withEnvironment } from './inject-explicit.ts'

type Volume = NonNullable<Pod['spec']['volumes']>[number]

/** What injection adds to a pod, before any notation. */
export interface Additions {
  readonly annotations: Readonly<Record<string, string>>
  /** Go in front of the pod's own, in this order. */
  readonly initContainers: readonly Container[]
  readonly volumes: readonly Volume[]
  readonly environments: readonly Environment[]
  /** Set in place of what the pod has. */
  readonly fields: Readonly<Record<string, unknown>>
}

const escaped = (key: string): string => key.replaceAll('~', '~0').replaceAll('/', '~1')
const add = (path: string, value: unknown): Add => ({ op: 'add', path, value })

/** The additions as JSON Patch. */
export const toPatch = (pod: Pod, additions: Additions): readonly Add[] => {
  const { annotations, initContainers, volumes, environments, fields } = additions
  const present = <T>(parent: T | null | undefined): parent is T => parent !== undefined && parent !== null
  return [
    ...(present(pod.metadata.annotations)
      ? Object.entries(annotations).map(([key, value]) => add(`/metadata/annotations/${escaped(key)}`, value))
      : [add('/metadata/annotations', annotations)]),
    // Before anything is put in front of the containers, so that their indexes are the author's.
    ...environments.flatMap(({ list, index, created, variables }) => {
      const path = `/spec/${list}/${index}/env`
      return created ? [add(path, variables)] : variables.map((variable) => add(`${path}/-`, variable))
    }),
    ...(present(pod.spec.initContainers)
      ? initContainers.map((container, i) => add(`/spec/initContainers/${i}`, container))
      : [add('/spec/initContainers', initContainers)]),
    ...(present(pod.spec.volumes)
      ? volumes.map((volume) => add('/spec/volumes/-', volume))
      : [add('/spec/volumes', volumes)]),
    ...Object.entries(fields).map(([key, value]) => add(`/spec/${escaped(key)}`, value)),
  ]
}

/** The pod with the additions in it. */
export const withAdditions = (pod: Pod, additions: Additions): Pod => {
  const told = (list: ContainerList) =>
    pod.spec[list]?.map((container, i) => {
      const environment = additions.environments.find((each) => each.list === list && each.index === i)
      return environment === undefined ? container : withEnvironment(container, environment)
    })
  return {
    ...pod,
    metadata: { ...pod.metadata, annotations: { ...pod.metadata.annotations, ...additions.annotations } },
    spec: {
      ...pod.spec,
      containers: told('containers') ?? [],
      initContainers: [...additions.initContainers, ...(told('initContainers') ?? [])],
      volumes: [...(pod.spec.volumes ?? []), ...additions.volumes],
      ...additions.fields,
    },
  }
}
