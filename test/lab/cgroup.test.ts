/** Groups on the kernel's own trees: whichever version this machine runs, and version 2 where a hybrid set-up has it on the side. */
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { afterEach, describe, expect, test } from 'vitest'
import { say } from './cache.ts'
import { cgroupsAt } from './cgroup.ts'
import { until } from './run.ts'

const ROOTS = ['/sys/fs/cgroup', '/sys/fs/cgroup/unified']
const isRoot = process.getuid?.() === 0
const NAME = `ptl-cgroup-test-${process.pid}`
if (!isRoot) say('SKIPPED: control groups: this machine lacks root')

describe.each(ROOTS)('%s', (root) => {
  const usable = isRoot && (existsSync(`${root}/cgroup.procs`) || existsSync(`${root}/pids/cgroup.procs`))
  const groups = cgroupsAt(root)
  let child: ChildProcess | undefined

  afterEach(() => groups.remove(NAME))

  /** A process of the group that writes a dot every 20 ms. */
  async function member(): Promise<() => number> {
    const script = 'for file in $members; do echo 0 > "$file"; done; while :; do printf .; sleep 0.02; done'
    const env = { ...process.env, members: groups.create(NAME).join(' ') }
    let dots = 0
    child = spawn('sh', ['-ec', script], { env, stdio: ['ignore', 'pipe', 'inherit'] })
    child.stdout?.on('data', (data: Buffer) => {
      dots += data.length
    })
    await until('it lives', () => dots > 0, { every: 10 })
    return () => dots
  }
  const pause = () => new Promise((resolve) => setTimeout(resolve, 200))

  test.skipIf(!usable)('a process joins, is listed, and its group has a name', async () => {
    await member()
    expect(groups.processes(NAME)).toContain(child?.pid)
    expect(groups.names(NAME)).toEqual([NAME])
    expect(readFileSync(`/proc/${child?.pid}/cgroup`, 'utf8')).toContain(`/${NAME}/sys`)
  })

  test.skipIf(!usable)('frozen it stands still, thawed it goes on', async () => {
    const dots = await member()
    await groups.freeze(NAME, true)
    await pause()
    const before = dots()
    await pause()
    expect(dots()).toBe(before)
    await groups.freeze(NAME, false)
    await until('it goes on', () => dots() > before, { every: 10 })
  })

  test.skipIf(!usable)('removed while frozen: process and directories are gone; removed again: fine', async () => {
    await member()
    const ended = new Promise((resolve) => child?.once('exit', (_, signal) => resolve(signal)))
    await groups.freeze(NAME, true)
    await groups.remove(NAME)
    expect(await ended).toBe('SIGKILL')
    expect(groups.names(NAME)).toEqual([])
    await groups.remove(NAME)
  })

  test.skipIf(!usable)('removed while processes are on their way in: each is killed or finds no group', async () => {
    for (let round = 0; round < 15; round++) {
      const members = groups.create(NAME).join(' ')
      const script = 'for file in $members; do echo 0 > "$file" 2>/dev/null; done; exec sleep 60'
      const joiners = Array.from({ length: 4 }, () =>
        spawn('sh', ['-ec', script], { env: { ...process.env, members } }),
      )
      const ended = joiners.map((each) => new Promise((resolve) => each.once('exit', resolve)))
      await new Promise((resolve) => setTimeout(resolve, round % 10))
      await groups.remove(NAME)
      await Promise.all(ended)
    }
    expect(groups.names(NAME)).toEqual([])
  })
})
