/** All objects of the walkthrough, created and deleted in any order: the outcome is the same to the byte. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import type { Clusters } from './clusters.ts'
import { type EndState, reaches, settled, versions } from './end-state.ts'
import { perform } from './performed.ts'
import { chance } from './random.ts'
import { HUB, MEMBERS, type Placed } from './walkthrough.ts'
import { clear, place } from './write.ts'

vi.setConfig({ testTimeout: 400_000 })

const SEEDS = 20

let clusters: Clusters
let objects: readonly Placed[]
/** Of clusters with nothing in them, and with everything. */
let nothing: EndState
let everything: EndState

beforeAll(async () => {
  ;({ clusters, objects, nothing, everything } = await perform())
})
afterAll(() => clusters?.stop())

test('in the order of the walkthrough the outcome is the one printed', () => {
  const { spec } = JSON.parse(everything['cluster-2 ServiceImport httpbin/httpbin'] ?? '{}') as {
    spec: { ips: string[] }
  }
  const { ips, ...rest } = spec
  const printed = readFileSync(join(import.meta.dirname, '../golden/seeds/000-import-spec.json'), 'utf8')
  expect(rest).toEqual(JSON.parse(printed))
  expect(ips).toEqual([expect.stringMatching(/^240\.240\./)])
  for (const name of MEMBERS) expect(everything[`${HUB} Cluster ${name}`]).toContain('"reason": "Connected"')
  expect(Object.keys(nothing).filter((key) => !/ ConfigMap portolan-system\//.test(key))).toEqual([])
})

test.each(Array.from({ length: SEEDS }, (_, seed) => seed))(
  'seed %i: deleted in one order and created in another',
  async (seed) => {
    const { shuffled } = chance(seed)
    await clear(clusters, shuffled(objects))
    await reaches(clusters, nothing)
    for (const each of shuffled(objects)) await place(clusters, each)
    await reaches(clusters, everything)
  },
)

test('hub and compilers are started anew: nothing is written', async () => {
  const before = await versions(clusters)
  for (const each of clusters.processes) await each.kill()
  for (const each of clusters.processes) each.start()
  await Promise.all(clusters.processes.map((each) => each.leads()))
  await settled(clusters)
  expect(await versions(clusters)).toEqual(before)
})
