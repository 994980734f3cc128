/** Rules for pathRewrite: an RE2 expression and what replaces its matches. */
import type { RE2JS } from 're2js'
import { expressionOf, type Fault, quoted, rewritten } from '../compiler/regex.ts'
import { type At, type Finding, field, found, text } from './validate-read.ts'

export function* rewriteRules(rewrite: At, rules: readonly At[]): Iterable<Finding> {
  const from = field(rewrite, 'from')
  const to = field(rewrite, 'to')
  const compiled = compile(text(from))
  if (compiled.fault !== undefined) yield found(compiled.fault.code, from, { problem: compiled.fault.problem })
  if (typeof to.value !== 'string') return
  const bad = [...replacementRules(to, to.value, compiled.expression)]
  yield* bad
  if (bad.length > 0 || compiled.expression === undefined) return
  yield* resultRules(from, { from: compiled.expression.pattern(), to: to.value }, rules)
}

interface Rewrite {
  readonly from: string
  readonly to: string
}

interface Compiled {
  readonly expression?: RE2JS
  readonly fault?: Fault
}

function compile(source: string | undefined): Compiled {
  if (source === undefined) return {}
  const expression = expressionOf(source)
  return 'problem' in expression ? { fault: expression } : { expression }
}

function* replacementRules(to: At, replacement: string, from: RE2JS | undefined): Iterable<Finding> {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
  if (/[\x00-\x20?#]/.test(replacement)) yield found('RewriteCharacters', to)
  for (const [, odd] of replacement.matchAll(/\\\\|\\\d|([$]\{?\d+\}?|\\(?:[^\d\\]|$))/g)) {
    if (odd === undefined) continue
    const digit = /^[$]\{?(\d)/.exec(odd)?.[1]
    yield found('RewriteEscape', to, {
      escape: odd,
      suggestion: digit === undefined ? '\\\\ for a backslash' : `\\${digit} for a group`,
    })
  }
  if (from === undefined) return
  const groups = from.groupCount()
  for (const group of new Set([...replacement.matchAll(/\\(\d)|\\\\/g)].map(([, digit]) => Number(digit ?? 0)))) {
    if (group > groups) yield found('RewriteGroupMissing', to, { group: `\\${group}`, groups: counted(groups) })
  }
}

function counted(groups: number): string {
  return groups === 0 ? 'no groups' : groups === 1 ? 'one group, \\1' : `${groups} groups, \\1 to \\${groups}`
}

/** What the gateway would make of the plainest calls: the path itself, and one element below it. */
function* resultRules(at: At, rewrite: Rewrite, rules: readonly At[]): Iterable<Finding> {
  for (const rule of rules) {
    const prefix = text(field(rule, 'path'))
    if (!prefix?.startsWith('/')) continue
    const below = `${prefix.replace(/\/$/, '')}/x`
    for (const path of field(rule, 'pathType').value === 'Exact' ? [prefix] : [prefix, below]) {
      const result = rewritten(path, rewrite)
      if (result.startsWith('/')) continue
      yield found('RewriteLosesSlash', at, { path, result: JSON.stringify(result), from: `^${quoted(prefix)}/?` })
      return
    }
  }
}
