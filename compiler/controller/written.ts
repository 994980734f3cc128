import type { KubeObject } from '../../api/meta.ts'

/**
 * What we wrote and an informer has not shown yet. A plan made in between would otherwise write everything again, with
 * a later time in it.
 */
export interface Written<T extends KubeObject> {
  readonly remember: (key: string, object: T) => void
  /** The objects with our own writes put over those that are older. */
  readonly over: (objects: ReadonlyMap<string, T>) => ReadonlyMap<string, T>
}

/** Kubernetes 1.35 made it a promise that versions of one resource can be compared; etcd's always could. */
const isNewer = (a: KubeObject, b: KubeObject): boolean => {
  const [left, right] = [a.metadata.resourceVersion ?? '0', b.metadata.resourceVersion ?? '0']
  return left.length === right.length ? left > right : left.length > right.length
}

export function rememberWrites<T extends KubeObject>(): Written<T> {
  const pending = new Map<string, T>()
  return {
    remember: (key, object) => {
      pending.set(key, object)
    },
    over: (objects) => {
      if (pending.size === 0) return objects
      const merged = new Map(objects)
      for (const [key, ours] of pending) {
        const shown = objects.get(key)
        const recreated = shown !== undefined && shown.metadata.uid !== ours.metadata.uid
        if (shown !== undefined && (recreated || !isNewer(ours, shown))) pending.delete(key)
        else merged.set(key, ours)
      }
      return merged
    },
  }
}
