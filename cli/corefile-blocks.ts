/** A Corefile as CoreDNS splits it: words, and server blocks of plugins. */

/** What of ours goes into a Corefile is between these lines. */
export const BEGIN = '# portolan: begin. `portolan dns disable` removes this block.'
export const END = '# portolan: end'

export interface Word {
  readonly text: string
  readonly line: number
}

/** What a server block answers, of those that speak plain DNS. */
export interface Zone {
  /** In lower case without a final dot; empty = all. */
  readonly zone: string
  /** Absent = DNS's own. */
  readonly port?: string
}

export interface Block {
  readonly zones: readonly Zone[]
  /** Each as its words. */
  readonly directives: readonly (readonly string[])[]
}

export interface Corefile {
  readonly blocks: readonly Block[]
  readonly words: readonly Word[]
  /** Files that are taken in as a whole. */
  readonly imports: readonly string[]
}

/** What is wrong, and where. */
export interface Unread {
  readonly line: number
  readonly why: string
}

/** Without our block; nothing when that has only one end. */
export function withoutOurs(corefile: string): string | undefined {
  const [begins, ends] = [BEGIN, END].map((mark) => corefile.split(`${mark}\n`).length - 1)
  if (begins === 0 && ends === 0) return corefile
  const start = corefile.indexOf(`${BEGIN}\n`)
  const end = corefile.indexOf(`${END}\n`)
  if (begins !== 1 || ends !== 1 || end < start) return undefined
  return corefile.slice(0, start) + corefile.slice(end + END.length + 1)
}

export function readCorefile(corefile: string): Corefile | Unread {
  const words = wordsOf(corefile)
  if ('why' in words) return words
  const lines = [...Map.groupBy(words, ({ line }) => line).values()]
  const blocks: Block[] = []
  const imports: string[] = []
  let keys: string[] = []
  let open: string[][] | undefined
  let depth = 0
  for (const line of lines) {
    const texts = line.map(({ text }) => text)
    const number = line[0]?.line ?? 0
    if (depth === 0 && keys.length === 0 && texts[0] === 'import') {
      imports.push(...texts.slice(1))
      continue
    }
    if (depth === 1 && texts[0] !== '}') open?.push(texts.filter((text) => text !== '{'))
    for (const text of texts) {
      if (text === '{') {
        if (depth === 0 && keys.length === 0) return { line: number, why: 'a block has no name' }
        if (depth === 0) open = []
        depth += 1
      } else if (text === '}') {
        if (depth === 0) return { line: number, why: 'a block ends that never began' }
        depth -= 1
        if (depth === 0) {
          blocks.push({ zones: keys.flatMap(zoneOf), directives: open ?? [] })
          keys = []
          open = undefined
        }
      } else if (depth === 0) keys.push(...text.split(',').filter((key) => key !== ''))
    }
  }
  const last = words.at(-1)?.line ?? 1
  if (depth > 0) return { line: last, why: 'the last block does not end' }
  if (keys.length > 0) return { line: last, why: 'what is not between braces cannot be told from names' }
  return { blocks, words, imports }
}

/** Snippets, and servers of other protocols, are none. */
function zoneOf(key: string): readonly Zone[] {
  const found = /^(?:dns:\/\/)?(?<zone>[^()/]*?)\.?(?::(?<port>\d+))?$/.exec(key)?.groups
  if (found === undefined) return []
  const { zone = '', port } = found
  return [{ zone: zone.toLowerCase(), ...(port === undefined ? {} : { port }) }]
}

/** Quotes hold words together, also over lines; # begins a comment where a word would begin. */
function wordsOf(corefile: string): readonly Word[] | Unread {
  const words: Word[] = []
  let line = 1
  const pattern = /(?<space>\s+)|(?<comment>#[^\n]*)|(?<quoted>"(?:\\"|[^"])*")|(?<word>[^\s"][^\s]*)|(?<rest>")/g
  for (const { 0: text, groups } of corefile.matchAll(pattern)) {
    if (groups?.['rest'] !== undefined) return { line, why: 'a quote does not end' }
    if (groups?.['word'] !== undefined || groups?.['quoted'] !== undefined) words.push({ text, line })
    line += text.split('\n').length - 1
  }
  return words
}
