/** `./demo` before it does anything. */
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
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

test.each([
  [[], ['install', 'run']],
  [['-i'], ['install']],
  [['-d'], ['run']],
  [['-r'], ['clean']],
  [['-u'], ['remove']],
  [
    ['-i', '-d'],
    ['install', 'run'],
  ],
  [['-dru'], ['run', 'clean', 'remove']],
  [['dapr'], ['dapr', 'install', 'run']],
  [
    ['global', '-d', '-r'],
    ['global', 'run', 'clean'],
  ],
])('%j does %j', async (flags, parts) => {
  const dir = await mkdtemp(join(tmpdir(), 'portolan-script-'))
  onTestFinished(() => rm(dir, { recursive: true }))
  // A make that knows where node is, and a node that says what it was to run.
  const says = { make: `[ "$*" = '--silent node-path' ] && echo ${dir}; exit 0`, node: 'echo "$@"' }
  for (const [name, text] of Object.entries(says)) {
    await writeFile(join(dir, name), `#!/bin/sh\n${text}\n`)
    await chmod(join(dir, name), 0o755)
  }
  const { stdout } = await tryRun(SCRIPT, flags, { env: { PATH: [dir, process.env['PATH']].join(delimiter) } })
  expect(stdout.trim().split(' ')).toEqual(['test/demo/demo.ts', ...parts])
})
