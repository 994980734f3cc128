/** A claim about security is worth what shows it: each link of the page to a test names one that is there. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const ROOT = join(import.meta.dirname, '../..')
const page = readFileSync(join(ROOT, 'docs/threat-model.md'), 'utf8')
const links = [...page.matchAll(/\]\(\.\.\/(test\/[^\s)]+)(?: "([^"]*)")?\)/g)].map(([, file = '', title]) => [
  file,
  title,
])

test('the page has claims', () => {
  expect(links.length).toBeGreaterThan(30)
})

test.each(links)('%s has %s', (file = '', title) => {
  expect(title, 'name the test in quotes behind the link').toBeDefined()
  expect(readFileSync(join(ROOT, file), 'utf8')).toContain(title)
})
