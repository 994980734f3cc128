import { isLabelValue, isWordName } from '../api/labels.ts'
import type { McsExport } from '../api/mcs.ts'
import { by } from '../compiler/order.ts'

/** Labels and annotations that an export asks for on every import, as far as an import can have them. */
export interface Words {
  /** Sorted by name. */
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
  /** Names of what no import can have, sorted, by why. */
  readonly unusable: readonly { readonly why: string; readonly names: readonly string[] }[]
}

/** Why words are left out that the API server would take. */
export const NO_ROOM = 'there is no room for them'
/** Of each kind; what the schema of an import takes. */
const MOST_WORDS = 64
const LONGEST_VALUE = 4096
/** Of both kinds together: an import has endpoints too, and etcd takes 1.5 MB. */
const MOST_BYTES = 65_536

export const wordsOf = ({ spec }: McsExport): Words => {
  const unusable = new Map<string, string[]>()
  let bytes = 0
  const fitting = (words: unknown, isValue: (value: string) => boolean): Readonly<Record<string, string>> => {
    const entries = typeof words === 'object' && words !== null ? Object.entries(words as Record<string, unknown>) : []
    const taken: [string, string][] = []
    for (const [name, value] of entries.toSorted(by(([each]) => each))) {
      const isWord = isWordName(name) && typeof value === 'string' && isValue(value)
      const size = name.length + (isWord ? Buffer.byteLength(value) : 0)
      const why = !isWord
        ? 'the API server does not take them'
        : taken.length >= MOST_WORDS || value.length > LONGEST_VALUE || bytes + size > MOST_BYTES
          ? NO_ROOM
          : undefined
      if (why === undefined && isWord) {
        bytes += size
        taken.push([name, value])
      } else if (why !== undefined) unusable.set(why, [...(unusable.get(why) ?? []), name])
    }
    return Object.fromEntries(taken)
  }
  const labels = fitting(spec?.exportedLabels, isLabelValue)
  const annotations = fitting(spec?.exportedAnnotations, () => true)
  return { labels, annotations, unusable: [...unusable].map(([why, names]) => ({ why, names })) }
}
