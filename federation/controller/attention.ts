import { changedKeys, listDifference } from '../differences.ts'

/** A thing that is wanted, or there, or both. */
export interface Matter<Wanted, There> {
  /** `ns/name` */
  readonly key: string
  readonly wanted: Wanted | undefined
  readonly there: There | undefined
}

/** Which of very many things have to be looked at: all that were not found to be as wanted, or have changed since. */
export interface Attention<Wanted, There> {
  /**
   * Sorted by key.
   * @param rest stands for all else that decides about any of them
   */
  readonly matters: (
    wanted: readonly Wanted[],
    there: ReadonlyMap<string, There>,
    rest: string,
  ) => readonly Matter<Wanted, There>[]
  /** It is as it is wanted, and stays so until it changes. */
  readonly settle: (key: string) => void
}

/** @param keyOf of what is wanted; no two have the same */
export function createAttention<Wanted, There>(keyOf: (wanted: Wanted) => string): Attention<Wanted, There> {
  const byKey = new Map<string, Wanted>()
  const open = new Set<string>()
  let last: { readonly wanted: readonly Wanted[]; readonly there: ReadonlyMap<string, There> } = {
    wanted: [],
    there: new Map(),
  }
  let lastRest: string | undefined

  function take(wanted: readonly Wanted[]) {
    const { gone, come } = listDifference(last.wanted, wanted)
    for (const item of gone) byKey.delete(keyOf(item))
    for (const item of come) byKey.set(keyOf(item), item)
    for (const item of [...gone, ...come]) open.add(keyOf(item))
  }

  return {
    matters: (wanted, there, rest) => {
      take(wanted)
      for (const key of changedKeys(last.there, there)) open.add(key)
      if (rest !== lastRest) for (const key of [...byKey.keys(), ...there.keys()]) open.add(key)
      last = { wanted, there }
      lastRest = rest
      return [...open].toSorted().map((key) => ({ key, wanted: byKey.get(key), there: there.get(key) }))
    },
    settle: (key) => void open.delete(key),
  }
}
