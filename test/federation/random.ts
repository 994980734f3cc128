/** Chance that a seed repeats. */
export interface Chance {
  /** In [0, 1). */
  readonly next: () => number
  /** In [0, below). */
  readonly below: (below: number) => number
  readonly pick: <T>(items: readonly [T, ...T[]]) => T
  readonly shuffled: <T>(items: readonly T[]) => readonly T[]
}

/** Mulberry32. */
export function chance(seed: number): Chance {
  let state = seed
  const next = () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const below = (end: number) => Math.floor(next() * end)
  return {
    next,
    below,
    pick: (items) => items[below(items.length)] ?? items[0],
    shuffled: (items) => {
      const all = [...items]
      for (let end = all.length; end > 1; end--) {
        const from = below(end)
        const [last, other] = [all[end - 1], all[from]] as [(typeof all)[number], (typeof all)[number]]
        all[end - 1] = other
        all[from] = last
      }
      return all
    },
  }
}
