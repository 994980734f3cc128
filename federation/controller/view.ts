import type { Service } from '../../api/core.ts'
import type { KubeObject, ObjectMeta } from '../../api/meta.ts'
import type { ServiceExport } from '../../api/service-export.ts'
import { perObject } from '../../compiler/memo.ts'
import type { Member } from '../constituent.ts'

/** What a member exports, bare of all that merging does not look at. */
export type View = Pick<Member, 'exports' | 'services'>

/**
 * The view of what a member holds. What has not changed since `before` is the very same value again, all of it when
 * nothing has: merging tells by identity what it has to do with. Sorted by namespace and name.
 */
export function viewOf(
  exports: ReadonlyMap<string, ServiceExport>,
  services: ReadonlyMap<string, Service>,
  before: View | undefined,
): View {
  const keys = [...exports.keys()].toSorted()
  const bare = keys.flatMap((key) => exports.get(key) ?? []).map(bareOf)
  const needed = keys.flatMap((key) => services.get(key) ?? []).map(bareOf)
  const view = { exports: keep(bare, before?.exports), services: keep(needed, before?.services) }
  return before !== undefined && view.exports === before.exports && view.services === before.services ? before : view
}

function keep<T extends KubeObject>(now: readonly T[], before: readonly T[] = []): readonly T[] {
  const known = new Map(before.map((object) => [keyOf(object), object]))
  const kept = now.map((object) => {
    const old = known.get(keyOf(object))
    return old !== undefined && (old === object || JSON.stringify(old) === JSON.stringify(object)) ? old : object
  })
  return kept.length === before.length && kept.every((object, index) => object === before[index]) ? before : kept
}

const keyOf = ({ metadata }: KubeObject): string => `${metadata.namespace}/${metadata.name}`

const bareOf = perObject(<T extends ServiceExport | Service>({ apiVersion, kind, metadata, spec }: T) => ({
  apiVersion,
  kind,
  metadata: bareMeta(metadata),
  spec,
})) as <T extends ServiceExport | Service>(object: T) => T

/** Versions change with every status: they are left out. */
function bareMeta({ name, namespace, uid, generation, creationTimestamp, deletionTimestamp }: ObjectMeta): ObjectMeta {
  return {
    name,
    ...(namespace === undefined ? {} : { namespace }),
    ...(uid === undefined ? {} : { uid }),
    ...(generation === undefined ? {} : { generation }),
    ...(creationTimestamp === undefined ? {} : { creationTimestamp }),
    ...(deletionTimestamp === undefined ? {} : { deletionTimestamp }),
  }
}
