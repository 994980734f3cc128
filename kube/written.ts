import type { Informer } from './informer.ts'
import { type KubeObject, keyOf } from './object.ts'

/**
 * What an informer shows, with our own writes put over it for as long as it has not got that far. A plan made in between
 * would otherwise write everything again, with a later time in it.
 */
export interface Written<T extends KubeObject> {
  /** By `ns/name`. */
  readonly store: () => ReadonlyMap<string, T>
  /** Takes note of an object as the API server answered a write. */
  readonly remember: (object: T) => void
}

/** Kubernetes 1.35 made it a promise that versions of one resource can be compared; etcd's always could. */
const isNewer = (a: string, b: string): boolean => (a.length === b.length ? a > b : a.length > b.length)

export function withWrites<T extends KubeObject>(informer: Pick<Informer<T>, 'store' | 'reached'>): Written<T> {
  const pending = new Map<string, T>()
  /** Asked much more often than it changes. */
  let last:
    | { readonly base: ReadonlyMap<string, T>; readonly count: number; readonly all: ReadonlyMap<string, T> }
    | undefined
  return {
    remember: (object) => {
      pending.set(keyOf(object.metadata), object)
      last = undefined
    },
    store: () => {
      const reached = informer.reached() ?? '0'
      // Judged by how far the informer is, not by what it shows: what has been deleted since is shown no more.
      for (const [key, { metadata }] of pending)
        if (!isNewer(metadata.resourceVersion ?? '0', reached)) pending.delete(key)
      const base = informer.store()
      if (pending.size === 0) return base
      if (last?.base !== base || last.count !== pending.size)
        last = { base, count: pending.size, all: merged(base, pending) }
      return last.all
    },
  }
}

function merged<T>(base: ReadonlyMap<string, T>, more: ReadonlyMap<string, T>): ReadonlyMap<string, T> {
  const all = new Map(base)
  for (const [key, object] of more) all.set(key, object)
  return all
}
