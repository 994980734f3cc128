import type { Add, Container, Pod } from './decision.ts'

type Volume = NonNullable<Pod['spec']['volumes']>[number]

/** What injection adds to a pod, before any notation. */
export interface Additions {
  readonly annotations: Readonly<Record<string, string>>
  /** Go in front of the pod's own, in this order. */
  readonly initContainers: readonly Container[]
  readonly volumes: readonly Volume[]
  /** Set in place of what the pod has. */
  readonly fields: Readonly<Record<string, unknown>>
}

const escaped = (key: string): string => key.replaceAll('~', '~0').replaceAll('/', '~1')
const add = (path: string, value: unknown): Add => ({ op: 'add', path, value })

/** The additions as JSON Patch. */
export const toPatch = (pod: Pod, additions: Additions): readonly Add[] => {
  const { annotations, initContainers, volumes, fields } = additions
  const present = <T>(parent: T | null | undefined): parent is T => parent !== undefined && parent !== null
  return [
    ...(present(pod.metadata.annotations)
      ? Object.entries(annotations).map(([key, value]) => add(`/metadata/annotations/${escaped(key)}`, value))
      : [add('/metadata/annotations', annotations)]),
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
export const withAdditions = (pod: Pod, additions: Additions): Pod => ({
  ...pod,
  metadata: { ...pod.metadata, annotations: { ...pod.metadata.annotations, ...additions.annotations } },
  spec: {
    ...pod.spec,
    initContainers: [...additions.initContainers, ...(pod.spec.initContainers ?? [])],
    volumes: [...(pod.spec.volumes ?? []), ...additions.volumes],
    ...additions.fields,
  },
})
