import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { generated } from '../../docs/generate.ts'

test.each([...generated()])('%s is what `make generate` makes', (name, content) => {
  expect(readFileSync(join(import.meta.dirname, '../..', name), 'utf8')).toBe(`${content}\n`)
})
