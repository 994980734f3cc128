/** One order for everything: by code unit, so that it depends on no locale. */

export const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

export const by =
  <T>(...keys: readonly ((item: T) => string | number)[]) =>
  (a: T, b: T): number => {
    for (const key of keys) {
      const [x, y] = [key(a), key(b)]
      if (x !== y) return x < y ? -1 : 1
    }
    return 0
  }

export const unique = <T>(items: readonly T[], key: (item: T) => string): readonly T[] =>
  [...new Map([...items].reverse().map((item) => [key(item), item])).values()].reverse()
