/** `./demo` before it does anything. */
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { tryRun } from '../lab/run.ts'

const SCRIPT = join(import.meta.dirname, '../../demo')

test('-h says what the flags are', async () => {
  const { code, stdout } = await tryRun(SCRIPT, ['-h'])
  expect(code).toBe(0)
  for (const flag of ['-i', '-d', '-r', '-u', '-h']) expect(stdout).toMatch(new RegExp(`^  ${flag} `, 'm'))
})

test.each([
  [['-x']],
  [['install']],
  [['-d', 'now']],
  [['--down']],
  [['dapr', 'now']],
  [['dapr', 'global']],
  [['global', 'now']],
  [['-i', 'dapr']],
])('%j gets the usage and exit code 2', async (args) => {
  const { code, stdout, stderr } = await tryRun(SCRIPT, args)
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
  expect(stderr).toMatch(/^usage: /)
})
