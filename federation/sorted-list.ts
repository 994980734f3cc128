/** Sorted lists that are never changed: a change makes another list, of the very same items but for what has changed. */

/** Where an item is, or would be, in a list sorted by its key. */
function placeOf<T>(list: readonly T[], key: string, keyOf: (item: T) => string): number {
  let [from, to] = [0, list.length]
  while (from < to) {
    const middle = (from + to) >> 1
    if (keyOf(list[middle] as T) < key) from = middle + 1
    else to = middle
  }
  return from
}

/** @param list sorted by key, each once */
export function itemOf<T>(list: readonly T[], key: string, keyOf: (item: T) => string): T | undefined {
  const item = list[placeOf(list, key, keyOf)]
  return item !== undefined && keyOf(item) === key ? item : undefined
}

/**
 * The list itself when nothing changes.
 * @param list sorted by key, each once
 * @param changes item by key; undefined for one that goes
 */
export function withChanges<T>(
  list: readonly T[],
  changes: ReadonlyMap<string, T | undefined>,
  keyOf: (item: T) => string,
): readonly T[] {
  let changed: T[] | undefined
  for (const key of [...changes.keys()].toSorted()) {
    const item = changes.get(key)
    const place = placeOf(changed ?? list, key, keyOf)
    const there = (changed ?? list)[place]
    const isThere = there !== undefined && keyOf(there) === key
    if (isThere ? there === item : item === undefined) continue
    changed ??= [...list]
    changed.splice(place, isThere ? 1 : 0, ...(item === undefined ? [] : [item]))
  }
  return changed ?? list
}
