/** What `./demo` runs, where no clusters are up. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { tryRun } from '../lab/run.ts'

const DEMO = join(import.meta.dirname, 'demo.ts')
let lab: string
beforeAll(async () => {
  lab = await mkdtemp(join(tmpdir(), 'portolan-demo-'))
})
afterAll(() => rm(lab, { recursive: true, force: true }))

const demo = (...args: readonly string[]) =>
  tryRun(process.execPath, [DEMO, ...args], { env: { PORTOLAN_LAB: join(lab, 'none') } })

test.each([
  ['run', 'control-plane, cluster-1, cluster-2, cluster-3: not up; ./demo -i makes the clusters'],
  ['clean', 'control-plane, cluster-1, cluster-2, cluster-3: not up; ./demo -i makes the clusters'],
])('%s says how to make them', async (part, why) => {
  const { code, stdout, stderr } = await demo(part)
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
  expect(stderr.trim().split('\n').at(-1)).toBe(why)
})

test('each walkthrough names its own', async () => {
  expect((await demo('dapr', 'run')).stderr).toContain('./demo dapr -i makes the clusters')
  expect((await demo('global', 'clean')).stderr).toContain('./demo global -i makes the clusters')
})

test('remove has nothing to do, and says that they are gone', async () => {
  const { code, stdout } = await demo('remove')
  expect({ code, told: stdout.includes('The clusters are gone.') }).toEqual({ code: 0, told: true })
})
