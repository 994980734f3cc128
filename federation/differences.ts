/** Items of two lists that are in one of them only, told by identity. */
export interface ListDifference<T> {
  readonly gone: readonly T[]
  readonly come: readonly T[]
}

/** Next to nothing to do where the lists begin and end alike, as two do of which one was made of the other. */
export function listDifference<T>(before: readonly T[], now: readonly T[]): ListDifference<T> {
  if (before === now) return NO_DIFFERENCE
  const shorter = Math.min(before.length, now.length)
  let start = 0
  while (start < shorter && before[start] === now[start]) start += 1
  let end = 0
  while (end < shorter - start && before[before.length - 1 - end] === now[now.length - 1 - end]) end += 1
  const [old, fresh] = [before.slice(start, before.length - end), now.slice(start, now.length - end)]
  const [was, is] = [new Set(old), new Set(fresh)]
  return { gone: old.filter((item) => !is.has(item)), come: fresh.filter((item) => !was.has(item)) }
}

const NO_DIFFERENCE = { gone: [], come: [] } as const

/** Keys under which two maps do not hold the very same value. */
export function changedKeys<T>(before: ReadonlyMap<string, T>, now: ReadonlyMap<string, T>): readonly string[] {
  if (before === now) return []
  const changed: string[] = []
  let both = 0
  for (const [key, value] of now) {
    const was = before.get(key)
    if (was !== undefined) both += 1
    if (was !== value) changed.push(key)
  }
  if (both < before.size) for (const key of before.keys()) if (!now.has(key)) changed.push(key)
  return changed
}

/** Whether two lists are of the very same items. */
export function sameItems(one: readonly unknown[], other: readonly unknown[]): boolean {
  if (one === other) return true
  if (one.length !== other.length) return false
  for (let index = 0; index < one.length; index++) if (one[index] !== other[index]) return false
  return true
}
