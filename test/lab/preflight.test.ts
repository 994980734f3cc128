import { mkdtemp, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { lacks, REQUIREMENTS } from './preflight.ts'
import { tryRun } from './run.ts'

const MAIN = join(import.meta.dirname, 'main.ts')
let bare: string

/** A PATH with node alone. */
beforeAll(async () => {
  bare = await mkdtemp(join(tmpdir(), 'portolan-bare-'))
  await symlink(process.execPath, join(bare, 'node'))
})
afterAll(() => rm(bare, { recursive: true }))

test('what is there is not mentioned, what is lacking gets one line with its remedy', async () => {
  const lines = await lacks([
    { what: 'salt', remedy: 'buy some', met: () => true },
    { what: 'pepper', remedy: 'grow some', met: async () => false },
    { what: 'oil', remedy: 'press some', met: () => false },
  ])
  expect(lines).toEqual(['this machine lacks pepper: grow some', 'this machine lacks oil: press some'])
})

test('every requirement and remedy is one line', () => {
  for (const { what, remedy } of REQUIREMENTS) expect(`${what}: ${remedy}`).toMatch(/^.{10,200}$/)
})

test('with no programs in PATH, up tells all of them at once and starts nothing', async () => {
  const lab = join(bare, 'lab')
  const { code, stderr } = await tryRun(process.execPath, [MAIN, 'up', '--n', '1'], {
    env: { PATH: bare, PORTOLAN_LAB: lab },
  })
  expect(code).toBe(1)
  const lines = stderr.trim().split('\n')
  for (const needed of ['apt-get', 'Go 1.21', 'pip', 'ip', 'unshare'])
    expect(lines.some((line) => line.startsWith('this machine lacks') && line.includes(needed))).toBe(true)
  expect(lines.every((line) => line.startsWith('this machine lacks'))).toBe(true)
})

test('a wrong command line is told how it goes', async () => {
  const { code, stderr } = await tryRun(process.execPath, [MAIN, 'sideways'])
  expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining('main.ts up') })
})

test('a name that cannot be a cluster is refused', async () => {
  const { code, stderr } = await tryRun(process.execPath, [MAIN, 'up', '--names', 'East,_'])
  expect(code).toBe(1)
  expect(stderr.match(/cluster name/g)).toHaveLength(2)
})
