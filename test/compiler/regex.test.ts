import { expect, test } from 'vitest'
import { rewritten } from '../../compiler/regex.ts'

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
