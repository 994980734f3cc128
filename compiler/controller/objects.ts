import type { Code } from '../../api/diagnostics.ts'
import type { Issue, ObjectRef } from '../../api/issue.ts'
import type { KubeObject } from '../../api/meta.ts'
import { FIELD_MANAGER, MANAGED_BY } from '../../api/names.ts'
import { CLUSTER_PROPERTIES, ENDPOINT_SLICES, MCS_IMPORTS, SERVICES } from '../../api/resources.ts'
import { isApplied } from '../../kube/applied.ts'
import { keyOf, type Resource } from '../../kube/object.ts'
import { fieldsOf } from '../../kube/owned.ts'
import { changedStatus } from '../../kube/status.ts'
import { perObject } from '../memo.ts'
import { OBJECT_KINDS, type ObjectKind, type WantedObject } from '../objects.ts'
import { by } from '../order.ts'
import type { Action } from './plan.ts'
import type { Finding } from './report.ts'

export const OBJECT_RESOURCES: Readonly<Record<ObjectKind, Resource<KubeObject>>> = {
  Service: SERVICES,
  EndpointSlice: ENDPOINT_SLICES,
  ServiceImport: MCS_IMPORTS,
  ClusterProperty: CLUSTER_PROPERTIES,
}

/** All objects of a kind, whoever made them, by `ns/name` or name; of managedFields they carry the compiler's own. Nothing for a kind that the cluster has not. */
export type ObservedObjects = Readonly<Partial<Record<ObjectKind, ReadonlyMap<string, KubeObject>>>>

interface There {
  readonly objects: ObservedObjects
  /** Namespaces being deleted. */
  readonly terminating: ReadonlySet<string>
}

type ObjectAction = Extract<Action, { do: 'applyObject' | 'removeObject' | 'applyStatus' }>

/** What of an object is applied, its name left out. */
export const applied = ({ labels, annotations, fields }: WantedObject) => ({
  metadata: { labels: { ...labels, ...MANAGED_BY }, ...(annotations === undefined ? {} : { annotations }) },
  ...fields,
})

/**
 * The writes that make, mend and remove whole objects, and what is then to be said in their statuses. An object that
 * the compiler has never applied is somebody else's, whatever its labels; one without the label of ours is not removed.
 * @param now for lastTransitionTime, RFC 3339
 */
export function planObjects(wanted: readonly WantedObject[], there: There, now: string): readonly ObjectAction[] {
  return [
    ...wanted.flatMap((object) => planObject(object, there, now)),
    ...OBJECT_KINDS.flatMap((kind) => planRemovals(kind, wanted, there)),
  ]
}

function planObject(object: WantedObject, { objects, terminating }: There, now: string): readonly ObjectAction[] {
  const all = objects[object.kind]
  if (all === undefined || terminating.has(object.namespace ?? '')) return []
  const present = all.get(keyOf(object))
  if (present === undefined) return [{ do: 'applyObject', object }]
  if (present.metadata.deletionTimestamp !== undefined || !isOurs(present)) return []
  const { uid = '', generation = 0 } = present.metadata
  // What is mended has another generation: its status follows when that is known.
  if (!isApplied(present, applied(object), FIELD_MANAGER.compiler)) return [{ do: 'applyObject', object, uid }]
  if (object.status === undefined) return []
  const conditions = object.status.conditions.map((condition) => ({ ...condition, observedGeneration: generation }))
  const status = changedStatus({ ...object.status, conditions }, present, FIELD_MANAGER.compiler, now)
  if (status === undefined) return []
  const { namespace, name, kind } = object
  const before = (present as { readonly status?: unknown }).status
  return [{ do: 'applyStatus', resource: OBJECT_RESOURCES[kind], namespace, name, uid, status, before }]
}

function planRemovals(kind: ObjectKind, wanted: readonly WantedObject[], there: There): readonly ObjectAction[] {
  const all = there.objects[kind]
  if (all === undefined) return []
  const keys = new Set(wanted.filter((object) => object.kind === kind).map(keyOf))
  return madeByUs(all).flatMap(({ metadata }): readonly ObjectAction[] => {
    const { namespace, name, uid = '' } = metadata
    if (keys.has(keyOf(metadata)) || there.terminating.has(namespace ?? '')) return []
    return [{ do: 'removeObject', kind, namespace, name, uid }]
  })
}

const isOurs = (object: KubeObject): boolean => fieldsOf(object, FIELD_MANAGER.compiler) !== undefined

/** Those that may be removed, sorted. */
const madeByUs = perObject((objects: ReadonlyMap<string, KubeObject>): readonly KubeObject[] =>
  [...objects.values()].filter(isRemovable).sort(by(({ metadata }) => keyOf(metadata))),
)

const isRemovable = (object: KubeObject): boolean => {
  const { labels, deletionTimestamp } = object.metadata
  const isLabelled = Object.entries(MANAGED_BY).every(([label, value]) => labels?.[label] === value)
  return isLabelled && deletionTimestamp === undefined && isOurs(object)
}

/** Objects of somebody else where ours are wanted. */
export function takenNames(wanted: readonly WantedObject[], { objects }: Pick<There, 'objects'>): readonly Finding[] {
  return wanted.flatMap((object) => {
    const present = objects[object.kind]?.get(keyOf(object))
    if (present === undefined || isOurs(present)) return []
    const issue: Issue<Code> = { code: 'ObjectTaken', object: referenceTo(object), path: '' }
    return [{ issue, uid: present.metadata.uid }]
  })
}

function referenceTo({ kind, namespace, name }: WantedObject): ObjectRef {
  const { group } = OBJECT_RESOURCES[kind]
  return { kind, ...(group === '' ? {} : { group }), ...(namespace === undefined ? {} : { namespace }), name }
}
