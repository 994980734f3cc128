/** The walkthrough while everything that has a part in it is killed again and again: the outcome is the same to the byte. */
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import type { Clusters } from './clusters.ts'
import { type EndState, reaches } from './end-state.ts'
import { perform } from './performed.ts'
import { type Chance, chance } from './random.ts'
import type { Placed } from './walkthrough.ts'
import { clear, place, remove } from './write.ts'

vi.setConfig({ testTimeout: 400_000 })

let clusters: Clusters
let objects: readonly Placed[]
let nothing: EndState
let everything: EndState

beforeAll(async () => {
  ;({ clusters, objects, nothing, everything } = await perform())
})
afterAll(() => clusters?.stop())

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

/** Kills the processes while `work` is done, and starts each again. Returns how often. */
async function killing(random: Chance, work: () => Promise<void>): Promise<number> {
  let kills = 0
  const returning = new Set<Promise<void>>()
  // What a process says it says between two things that it does: there it dies.
  const offs = clusters.processes.map((victim) => {
    let dying = false
    return victim.onOutput(() => {
      if (dying || random.next() > 0.15) return
      dying = true
      kills += 1
      const back = victim.kill().then(async () => {
        await pause(random.below(300))
        victim.start()
        dying = false
        returning.delete(back)
      })
      returning.add(back)
    })
  })
  await work()
  for (const off of offs) off()
  await Promise.all(returning)
  return kills
}

/** Kills API servers, one at a time, while `work` is done, and starts each again. */
async function killingServers(random: Chance, work: () => Promise<void>): Promise<void> {
  let done = false
  const killer = async () => {
    while (!done) {
      await pause(random.below(1_500))
      const { api } = random.pick(clusters.all as [Clusters['hub'], ...Clusters['members']])
      await api.kill()
      await pause(random.below(1_500))
      await api.start()
    }
  }
  const killed = killer()
  await work()
  done = true
  await killed
}

/** Takes its time, so that others can come between. */
async function unhurried(random: Chance, items: readonly Placed[], act: (placed: Placed) => Promise<void>) {
  for (const each of random.shuffled(items)) {
    await act(each)
    await pause(random.below(200))
  }
}

/** Seeds, more of them where there is time. */
const seeds = (...some: readonly number[]) =>
  process.env['PORTOLAN_LONG'] === undefined
    ? some
    : [...some, ...Array.from({ length: 8 }, (_, n) => 10 * (n + 1) + (some[0] ?? 0))]

test.each(seeds(1, 2))('seed %i: hub and compilers are killed while objects come and go', async (seed) => {
  const random = chance(seed)
  const kills = await killing(random, async () => {
    await unhurried(random, objects, (each) => remove(clusters, each))
  })
  await clear(clusters, [])
  await reaches(clusters, nothing)
  expect(kills).toBeGreaterThan(0)
  await killing(random, () => unhurried(random, objects, (each) => place(clusters, each)))
  await reaches(clusters, everything)
})

test.each(seeds(3))('seed %i: API servers are killed while objects come and go', async (seed) => {
  const random = chance(seed)
  await killingServers(random, () => unhurried(random, objects, (each) => remove(clusters, each)))
  await clear(clusters, [])
  await reaches(clusters, nothing)
  await killingServers(random, () => unhurried(random, objects, (each) => place(clusters, each)))
  await reaches(clusters, everything)
})
