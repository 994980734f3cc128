import { RE2JS } from 're2js'

/** What is wrong with a rewrite rule, in words; undefined when proxies will take it. One bad rule would cost a proxy the whole file. */
export const rewriteProblem = ({ from, to }: { readonly from: string; readonly to: string }): string | undefined => {
  let groups: number
  try {
    groups = RE2JS.compile(from).groupCount()
  } catch (cause) {
    return `from is not an RE2 expression (${cause instanceof Error ? cause.message : String(cause)})`
  }
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
