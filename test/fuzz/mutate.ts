/** Small steps away from something that works: most of what goes wrong is next to what goes right. */
import type { Chance } from '../federation/random.ts'

type Json = unknown
type Holder = Record<string, Json> | Json[]

/** What has tripped programs before: names that every object has, edges of numbers, texts that other formats read. */
const ODD: readonly [Json, ...Json[]] = [
  null,
  ...[null, true, false, 0, -0, 1, -1, 80, 65_535, 65_536, 2 ** 31, 2 ** 53, -(2 ** 63), 1e308, 0.1],
  ...[
    '',
    ' ',
    '0',
    '*',
    '/',
    '//',
    '/a',
    'a/b/c/d',
    '..',
    '%2e',
    '%00',
    '~',
    '~1',
    '$1',
    '\\1',
    '#{x}',
    '-',
    '{}',
    'null',
  ],
  ...[
    'toString',
    '__proto__',
    'constructor',
    'hasOwnProperty',
    'length',
    '%REQ(:path)%',
    '\u0000',
    '\n',
    '\ud800',
    'é',
    '‮',
  ],
  ...[
    '127.0.0.1',
    '::1',
    '240.240.0.1',
    '255.255.255.255',
    'localhost',
    '2026-01-01T00:00:00Z',
    'yes',
    '1e3',
    '&a [*a]',
  ],
  ...[[], {}, [null], [[]], [{}], { toString: {} }, { length: -1 }, { __proto__: null, a: 1 }],
  ...['a'.repeat(64), 'a'.repeat(254), 'a.'.repeat(127), '9'.repeat(40), 'x'.repeat(5_000)],
]

export const odd = (chance: Chance): Json => structuredClone(chance.pick(ODD))

const oddText = (chance: Chance): string => {
  const value = odd(chance)
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? '')
}

const LETTERS: readonly [string, ...string[]] = [...'abz019-_./:*\\%?#[]{}()^$+|,;=@"\'<> \n\t\u0000é'] as [
  string,
  ...string[],
]

const noise = (chance: Chance, most: number): string =>
  Array.from({ length: chance.below(most) }, () => chance.pick(LETTERS)).join('')

/** A text a few characters away. */
export const mutatedText = (chance: Chance, text: string): string => {
  const at = chance.below(text.length + 1)
  const to = Math.min(text.length, at + 1 + chance.below(chance.next() < 0.1 ? text.length + 1 : 8))
  const cut = text.slice(at, to)
  const without = text.slice(0, at) + text.slice(to)
  switch (chance.below(8)) {
    case 0:
      return without
    case 1:
      return text.slice(0, at) + noise(chance, 6) + text.slice(at)
    case 2:
      return text.slice(0, to) + cut + text.slice(to)
    case 3: {
      const there = chance.below(without.length + 1)
      return without.slice(0, there) + cut + without.slice(there)
    }
    case 4:
      return (
        text.slice(0, at) + String.fromCharCode(chance.below(chance.next() < 0.2 ? 65_536 : 128)) + text.slice(at + 1)
      )
    case 5:
      return text.slice(0, at) + oddText(chance) + text.slice(to)
    case 6:
      return cut.length > 0 && text.length < 20_000 ? text.replaceAll(cut, noise(chance, 4)) : text
    default:
      return text.slice(0, at)
  }
}

/** Bytes that differ from a text's in a few places, so that they may be no text any more. */
export const mutatedBytes = (chance: Chance, text: string): Buffer => {
  const bytes = Buffer.from(text)
  for (let left = 1 + chance.below(4); left > 0 && bytes.length > 0; left--) {
    bytes[chance.below(bytes.length)] = chance.below(256)
  }
  return bytes.subarray(0, chance.next() < 0.2 ? chance.below(bytes.length + 1) : bytes.length)
}

interface Place {
  readonly holder: Holder
  readonly key: string | number
}

const placesOf = (value: Json, places: Place[] = []): readonly Place[] => {
  if (typeof value !== 'object' || value === null) return places
  for (const key of Array.isArray(value) ? value.keys() : Object.keys(value)) {
    const holder = value as Holder
    places.push({ holder, key })
    placesOf((holder as Record<string | number, Json>)[key], places)
  }
  return places
}

/** Not by `=`, which a key named `__proto__` would take for something else. */
const put = (holder: Holder, key: string | number, value: Json): void => {
  Object.defineProperty(holder, key, { value, writable: true, enumerable: true, configurable: true })
}

/** A copy of a JSON value with some of its parts changed, moved, doubled or gone. The value itself is never part of it. */
export const mutatedValue = (chance: Chance, value: Json, steps: number): Json => {
  const root = { value: structuredClone(value) }
  for (let step = 0; step < steps; step++) {
    const [first, ...rest] = placesOf(root)
    if (first === undefined) break
    // The root itself is of little use most of the time.
    const { holder, key } = rest.length > 0 && chance.next() < 0.99 ? chance.pick(rest as [Place, ...Place[]]) : first
    const here = (holder as Record<string | number, Json>)[key]
    const elsewhere = chance.pick([first, ...rest])
    switch (chance.below(9)) {
      case 0:
        if (Array.isArray(holder)) holder.splice(Number(key), 1)
        else delete holder[key as string]
        break
      case 1:
        put(holder, key, structuredClone((elsewhere.holder as Record<string | number, Json>)[elsewhere.key]))
        break
      case 2:
        if (Array.isArray(holder)) holder.push(structuredClone(here))
        else put(holder, noise(chance, 8), here)
        break
      case 3:
        if (Array.isArray(here)) here.reverse()
        else put(holder, key, [here])
        break
      case 4:
      case 5:
      case 6:
        if (typeof here === 'string') put(holder, key, mutatedText(chance, here))
        else if (typeof here === 'number') put(holder, key, here + chance.pick([-1, 1, 0.5, 65_535, -2 * here]))
        else put(holder, key, odd(chance))
        break
      default:
        put(holder, key, odd(chance))
    }
  }
  return root.value
}
