import { expect, test } from 'vitest'
import { expressionOf, rewritten } from '../../compiler/regex.ts'

test.each([
  ['a group', '^/east/(reports.*)', '/api/\\1', '/east/reports/2026', '/api/reports/2026'],
  ['two groups, turned around', '^/(\\w+)/(\\w+)', '/\\2/\\1', '/a/b/c', '/b/a/c'],
  ['the whole match', '^/a', '/x\\0', '/a/b', '/x/a/b'],
  ['a digit behind a group', '^/(v)1', '/\\10', '/v1/x', '/v0/x'],
  ['a digit behind one of many groups', '(a)(b)(c)(d)(e)(f)(g)(h)(i)(j)', '\\10', '/abcdefghij', '/a0'],
  ['a group that matched nothing', '^/(a)?b', '/[\\1]', '/b', '/[]'],
  ['a backslash', '^/a', '/\\\\1', '/a', '/\\1'],
  ['a dollar', '^/a', '/$1$', '/a/b', '/$1$/b'],
  ['every match', 'a', 'b', '/a/a', '/b/b'],
  ['no match', '^/x', '/y', '/a', '/a'],
])('%s', (_, from, to, path, expected) => {
  expect(rewritten(path, { from, to })).toBe(expected)
})

test.each([
  ['a repetition of a few', '^/(\\w{1,64})/v\\d{1,3}', undefined],
  ['as long as one may be', 'a'.repeat(512), undefined],
  ['an address', '[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}', undefined],
  ['a byte', '\\x{ff}', undefined],
  ['braces that count nothing', '^/{x}{1', undefined],
  ['many repetitions', '(a{1,500}){2}', 'RewriteTooLarge'],
  ['repetitions in each other', '(((a{1,10}){1,10}){1,10})', 'RewriteTooLarge'],
  ['what would take long to write out', `(${'\\pL'.repeat(160)}){1000}`, 'RewriteTooLarge'],
  ['repetitions in each other, in what is repeated no time at all', '((a{400}){0}){3}', 'RewriteTooLarge'],
  ['repetitions beside each other', '(a{200}b{200}){2}', undefined],
  ['a repetition that no engine takes', 'a{1001}', 'RewriteInvalid'],
  ['nothing', '', 'RewriteInvalid'],
  ['a letter beyond ASCII', '/caf\u00e9', 'RewriteInvalid'],
  ['the same, escaped', '\\x{100}', 'RewriteInvalid'],
  ['half a character', '\ud800', 'RewriteInvalid'],
  ['a control character', 'a\u0000', 'RewriteInvalid'],
])('whether proxies take %s', (_, from, code) => {
  const made = expressionOf(from)
  expect('code' in made ? made.code : undefined).toBe(code)
})
