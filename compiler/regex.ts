import { RE2JS } from 're2js'

/** Instructions that an expression may come to. 512 characters without counted repetitions stay below. */
const SIZE_MAX = 1_000

/** Product of counts within each other, which RE2 refuses to exceed. */
const NESTED_MAX = 1_000

/** What is wrong with an expression. */
export interface Fault {
  readonly code: 'RewriteInvalid' | 'RewriteTooLarge'
  readonly problem: string
}

const TOO_LARGE: Fault = { code: 'RewriteTooLarge', problem: 'written out, its repetitions are too many' }
const invalid = (problem: string): Fault => ({ code: 'RewriteInvalid', problem })

/**
 * The expression, or why proxies would not take it. What Envoy is given it reads byte by byte, so that RE2's own view of
 * characters beyond ASCII is none of Envoy's; and no path has them, they come as %xx.
 */
export const expressionOf = (from: string): RE2JS | Fault => {
  if (from === '') return invalid('it is empty')
  const beyond = /[^\x20-\x7e]|\\x\{0*[\dA-Fa-f]{3,}\}/.exec(from)?.[0]
  if (beyond !== undefined) return invalid(`it has ${JSON.stringify(beyond)}, which no path has unless as %xx`)
  const { size, nested } = extentOf(from)
  // What is repeated no time at all is nothing to this engine, but to Envoy's its counts count.
  if (size > 10 * SIZE_MAX || nested > NESTED_MAX) return TOO_LARGE
  try {
    const expression = RE2JS.compile(from)
    return expression.programSize() > SIZE_MAX ? TOO_LARGE : expression
  } catch (cause) {
    return invalid((cause instanceof Error ? cause.message : String(cause)).replace(/^error parsing regexp: /, ''))
  }
}

const TOKEN = /\\.|\[\^?\]?(?:\[:\w*:\]|\\.|[^\]\\])*\]|\{(\d+)(?:,(\d*))?\}|./g

interface Extent {
  /** About how many instructions it comes to. */
  readonly size: number
  /** The largest product of counts that stand within each other. */
  readonly nested: number
}

const ONE: Extent = { size: 1, nested: 1 }

const together = (a: Extent, b: Extent): Extent => ({ size: a.size + b.size, nested: Math.max(a.nested, b.nested) })

/** How large an expression is, told without making it: an answer must not take long. */
const extentOf = (from: string): Extent => {
  const groups: Extent[] = [{ size: 0, nested: 1 }]
  let last = ONE
  const grow = (by: Extent): void => {
    groups.push(together(groups.pop() ?? by, by))
  }
  for (const [token, least, most = least] of from.matchAll(TOKEN)) {
    if (token === '(') groups.push({ size: 0, nested: 1 })
    else if (token === ')' && groups.length > 1) {
      const { size, nested } = groups.pop() ?? ONE
      last = { size: size + 2, nested }
      grow(last)
    } else if (least !== undefined) {
      const times = Math.min(1_000, Math.max(Number(least), Number(most)))
      const { size, nested } = last
      last = { size: size * times, nested: nested * Math.max(1, times) }
      grow({ size: size * (times - 1), nested: last.nested })
    } else {
      last = ONE
      grow(ONE)
    }
  }
  return groups.reduce(together)
}

/** What is wrong with a rewrite rule, in words; undefined when proxies will take it. One bad rule would cost a proxy the whole file. */
export const rewriteProblem = ({ from, to }: { readonly from: string; readonly to: string }): string | undefined => {
  const expression = expressionOf(from)
  if ('problem' in expression) return `from is not an RE2 expression that proxies take (${expression.problem})`
  const groups = expression.groupCount()
  for (const [written, character] of to.matchAll(/\\(.?)/gs)) {
    if (character === '\\') continue
    if (!/\d/.test(character ?? '')) return `to has ${written}, which stands for nothing`
    if (Number(character) > groups) return `to uses group ${character}, but from has ${groups}`
  }
  return undefined
}

/** Every match replaced, `\1` standing for the first group: what Envoy does with regex_rewrite. */
export const rewritten = (path: string, { from, to }: { readonly from: string; readonly to: string }): string =>
  RE2JS.compile(from).matcher(path).replaceAll(dollars(to), true)

/** From `\1` to `$1`. A digit behind it is text, as RE2 has one-digit groups only, so it is escaped. */
const dollars = (to: string): string =>
  to.replace(/\\(\\|\d)(?=(\d?))|\$/g, (whole, escaped: string | undefined, next: string) => {
    if (escaped === undefined || escaped === '\\') return `\\${whole.at(-1)}`
    return `$${escaped}${next === '' ? '' : '\\'}`
  })

/** Text as an RE2 expression that matches nothing but itself. */
export const quoted = (text: string): string => text.replace(/[\\.+*?()|[\]{}^$]/g, '\\$&')

/** Whether text is an RE2 expression at all. */
export const isExpression = (text: string): boolean => {
  try {
    RE2JS.compile(text)
    return true
  } catch {
    return false
  }
}
