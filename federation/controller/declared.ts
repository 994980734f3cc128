import type { Service } from '../../api/core.ts'
import type { McsExport } from '../../api/mcs.ts'
import type { KubeObject, ObjectMeta } from '../../api/meta.ts'
import type { ServiceExport } from '../../api/service-export.ts'
import { perObject } from '../../compiler/memo.ts'
import { changedKeys, sameItems } from '../differences.ts'
import { CLUSTER_MESH } from '../global-services.ts'
import { itemOf, withChanges } from '../sorted-list.ts'
import type { Observed } from './observed.ts'
import { asBefore, sameFields } from './same.ts'
import type { View } from './view.ts'

/** A view without endpoints. */
export type Declared = Pick<View, 'exports' | 'services' | 'mcsExports' | 'clusterMesh'>

/** What a member shows of that. */
type Shown = Pick<Observed, 'exports' | 'services' | 'mcsExports'>

/**
 * What a member declares. What has not changed since `before` is the very same value again, all of it when nothing has:
 * merging tells by identity what it has to do with. Sorted by namespace and name. Of exports that cannot be seen, those
 * before stand.
 * @param made what `before` was made of, where that is known: only what differs from it is looked at
 */
export function declaredOf(now: Shown, before: Declared | undefined, made?: Shown): Declared {
  const { exports, services } = now
  const isPart = before !== undefined && made?.mcsExports !== undefined && now.mcsExports !== undefined
  const standard = now.mcsExports ?? byKey(before?.mcsExports)
  const keys = isPart
    ? [
        ...changedKeys(made.exports, exports),
        ...changedKeys(made.services, services),
        ...changedKeys(made.mcsExports, standard),
      ]
    : [...exports.keys(), ...standard.keys(), ...annotatedIn(services)]

  function take<T extends Bare>(list: readonly T[] = [], find: (key: string) => T | undefined): readonly T[] {
    const known = isPart ? undefined : byKey(list)
    const changes = new Map(
      [...new Set(keys)].map((key) => {
        const found = find(key)
        return [key, found && asBefore(bareOf(found), known ? known.get(key) : itemOf(list, key, keyOf))]
      }),
    )
    const taken = withChanges(isPart ? list : [], changes, keyOf)
    return sameItems(taken, list) ? list : taken
  }

  const isDeclared = (key: string): boolean =>
    exports.has(key) || standard.has(key) || services.get(key)?.metadata.annotations !== undefined
  const offered = take(before?.mcsExports, (key) => standard.get(key))
  const declared: Declared = {
    exports: take(before?.exports, (key) => exports.get(key)),
    services: take(before?.services, (key) => (isDeclared(key) ? services.get(key) : undefined)),
    ...(offered.length === 0 ? {} : { mcsExports: offered }),
    ...(services.has(CLUSTER_MESH) ? { clusterMesh: true } : {}),
  }
  return before !== undefined && sameFields(declared, before) ? before : declared
}

/** Services that a member exports by the standard. */
export const standardIn = perObject(
  ({ mcsExports = [] }: Pick<View, 'mcsExports'>): ReadonlySet<string> => new Set(mcsExports.map(keyOf)),
)

/** Services that a member declares anything about. */
export const servicesIn = perObject(
  ({ exports, services, mcsExports = [] }: Declared): ReadonlySet<string> =>
    new Set([...exports, ...mcsExports, ...services].map(keyOf)),
)

const annotatedIn = perObject((services: ReadonlyMap<string, Service>): readonly string[] =>
  [...services].flatMap(([key, { metadata }]) => (metadata.annotations === undefined ? [] : [key])),
)

const keyOf = ({ metadata }: KubeObject): string => `${metadata.namespace}/${metadata.name}`

const byKey = <T extends KubeObject>(objects: readonly T[] = []): ReadonlyMap<string, T> =>
  new Map(objects.map((object) => [keyOf(object), object]))

type Bare = ServiceExport | McsExport | Service

const bareOf = perObject(<T extends Bare>({ apiVersion, kind, metadata, spec }: T) => ({
  apiVersion,
  kind,
  metadata: bareMeta(metadata),
  ...(spec === undefined ? {} : { spec }),
})) as <T extends Bare>(object: T) => T

/** Versions change with every status: they are left out. */
function bareMeta({
  name,
  namespace,
  uid,
  generation,
  creationTimestamp,
  deletionTimestamp,
  annotations,
}: ObjectMeta): ObjectMeta {
  return {
    name,
    ...(namespace === undefined ? {} : { namespace }),
    ...(uid === undefined ? {} : { uid }),
    ...(generation === undefined ? {} : { generation }),
    ...(creationTimestamp === undefined ? {} : { creationTimestamp }),
    ...(deletionTimestamp === undefined ? {} : { deletionTimestamp }),
    ...(annotations === undefined ? {} : { annotations }),
  }
}
