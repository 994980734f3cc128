import { spawn } from 'node:child_process'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { tryRun, until } from './run.ts'

let cache: string
beforeEach(async () => {
  cache = await mkdtemp(join(tmpdir(), 'portolan-cache-'))
})
afterEach(() => rm(cache, { recursive: true }))

/** A process that makes `thing`: writes one file, waits, writes the other; `body` may end it in between. */
function maker(body: string) {
  const script = `
    import { cached } from ${JSON.stringify(join(import.meta.dirname, 'cache.ts'))}
    import { appendFileSync, readdirSync, writeFileSync } from 'node:fs'
    const dir = await cached('thing', { title: 'a thing', expect: '1 s' }, async (dir) => {
      appendFileSync(${JSON.stringify(join(cache, 'made'))}, 'x')
      writeFileSync(dir + '/first', '')
      ${body}
      writeFileSync(dir + '/second', '')
    })
    console.log(readdirSync(dir).sort().join())`
  return ['--input-type=module', '-e', script] as const
}
const env = () => ({ ...process.env, PORTOLAN_CACHE: cache })
const pause = 'await new Promise((resolve) => setTimeout(resolve, 300))'
const visible = async () => (await readdir(cache)).filter((name) => !name.startsWith('.'))

test('two at once make it once, and both have all of it', async () => {
  const both = await Promise.all([1, 2].map(() => tryRun(process.execPath, maker(pause), { env: env() })))
  expect(both.map(({ stdout }) => stdout)).toEqual(['first,second\n', 'first,second\n'])
  const { stdout } = await tryRun('cat', [join(cache, 'made')])
  expect(stdout).toBe('x')
})

test('one that fails leaves nothing, and the next makes it', async () => {
  const failed = await tryRun(process.execPath, maker('throw new Error("no disk")'), { env: env() })
  expect(failed.stderr).toContain('no disk')
  expect(await visible()).toEqual(['made'])
  expect((await tryRun(process.execPath, maker(''), { env: env() })).stdout).toBe('first,second\n')
})

test('one that is killed leaves nothing half, and does not hold the lock', async () => {
  const child = spawn(process.execPath, maker('await new Promise((resolve) => setTimeout(resolve, 60_000))'), {
    env: env(),
  })
  await until('it has begun', async () => (await visible()).includes('made'))
  child.kill('SIGKILL')
  const next = await tryRun(process.execPath, maker(''), { env: env(), timeout: 60_000 })
  expect(next.stdout).toBe('first,second\n')
  expect((await readdir(cache)).filter((name) => name.startsWith('.draft'))).toEqual([])
})

test('what is there is not made again', async () => {
  await tryRun(process.execPath, maker(''), { env: env() })
  await writeFile(join(cache, 'made'), '')
  const again = await tryRun(process.execPath, maker('throw new Error("made again")'), { env: env() })
  expect({ out: again.stdout, said: again.stderr }).toEqual({ out: 'first,second\n', said: '' })
})
