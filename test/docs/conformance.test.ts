/** Each behaviour that the page lists has a test of that name. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const ROOT = join(import.meta.dirname, '../..')
const page = readFileSync(join(ROOT, 'docs/conformance.md'), 'utf8')
const rows = [...page.matchAll(/^\| [RO] \| (.*?) \| (.*) \|/gm)].map(([, behaviour = '', tests = '']) => ({
  behaviour,
  titles: [...tests.matchAll(/\(\.\.\/(test\/\S+) "([^"]+)"\)/g)].map(([, file = '', title = '']) => ({ file, title })),
}))

test('the page lists all 27', () => {
  expect(rows).toHaveLength(27)
})

test.each(rows)('$behaviour', ({ titles }) => {
  expect(titles.length).toBeGreaterThan(0)
  for (const { file, title } of titles) expect(readFileSync(join(ROOT, file), 'utf8')).toContain(title)
})
