import type { KubeObject } from '../api/meta.ts'
import type { Pod } from '../webhook/decision.ts'
import { isPod } from '../webhook/pod.ts'
import { isRecord } from './manifests.ts'

/** Where the pod stands in each kind that makes pods. */
const TEMPLATES: Readonly<Record<string, readonly string[]>> = {
  Pod: [],
  CronJob: ['spec', 'jobTemplate', 'spec', 'template'],
  DaemonSet: ['spec', 'template'],
  Deployment: ['spec', 'template'],
  Job: ['spec', 'template'],
  ReplicaSet: ['spec', 'template'],
  ReplicationController: ['spec', 'template'],
  StatefulSet: ['spec', 'template'],
}

export interface Workload {
  /** The pod as it would be created; undefined when what stands there is none. */
  readonly pod: Pod | undefined
  /** Field of the object that the pod's fields are below; empty for a Pod itself. */
  readonly path: string
  /** The object with another pod in its place. */
  readonly withPod: (pod: Pod) => KubeObject
}

/** The pod that an object is or makes; undefined for objects that make none. */
export function workloadOf(object: KubeObject): Workload | undefined {
  const steps = TEMPLATES[object.kind]
  if (steps === undefined) return undefined
  const path = steps.join('.')
  if (steps.length === 0) return { pod: isPod(object) ? object : undefined, path, withPod: (pod) => pod as KubeObject }
  const template = steps.reduce<unknown>((value, step) => (isRecord(value) ? value[step] : undefined), object)
  const made = { apiVersion: 'v1', kind: 'Pod', ...(isRecord(template) ? { metadata: {}, ...template } : {}) }
  return {
    pod: isRecord(template) && isPod(made) ? asCreated(made, object) : undefined,
    path,
    withPod: ({ metadata, spec }) => {
      const { namespace: _, generateName: __, ...kept } = metadata
      return replaceAt(object, steps, { ...(template as object), metadata: kept, spec }) as KubeObject
    },
  }
}

/** What a controller adds when it makes a pod of a template. */
function asCreated(pod: Pod, { metadata }: KubeObject): Pod {
  const { namespace, name } = metadata
  return {
    ...pod,
    metadata: { ...pod.metadata, ...(namespace === undefined ? {} : { namespace }), generateName: `${name}-` },
  }
}

function replaceAt(value: unknown, [step, ...rest]: readonly string[], replacement: unknown): unknown {
  if (step === undefined) return replacement
  const record = isRecord(value) ? value : {}
  return { ...record, [step]: replaceAt(record[step], rest, replacement) }
}
