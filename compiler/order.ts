/** One order for everything: by code unit, so that it depends on no locale. */

export const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

/** Orders by the first key that differs. */
export const by =
  <T>(...keys: readonly ((item: T) => string | number)[]) =>
  (a: T, b: T): number => {
    for (const key of keys) {
      const [x, y] = [key(a), key(b)]
      if (x !== y) return x < y ? -1 : 1
    }
    return 0
  }

/** Of items with the same key the first. */
export const unique = <T>(items: readonly T[], key: (item: T) => string): readonly T[] => {
  const seen = new Set<string>()
  return items.filter((item) => {
    const found = seen.has(key(item))
    seen.add(key(item))
    return !found
  })
}
