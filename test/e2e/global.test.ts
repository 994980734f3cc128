/**
 * Services that are shared by annotation, on real pods: the truth table of global, shared and affinity, from both sides,
 * and what calls see while annotations and pods change. East is the hub and a member, west a member.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { chooseProvider } from '../lab/provider.ts'
import { until } from '../lab/run.ts'
import { CALLERS, expected, importsOf, LIVE, NS, PODS, ROWS, titleOf, world } from './global-world.ts'
import { loadAlone } from './load.ts'
import { documents } from './manifests.ts'
import { disband, memberOf } from './member.ts'
import { sites } from './mesh.ts'
import { apply, exec, get, kubectl, type Loose, rolledOut, type Site } from './site.ts'

const { east, west } = sites()
const both = [east, west] as const
const clusters = await chooseProvider()

type Name = 'east' | 'west'
/** How many calls of a Service each cluster answered; those that got no answer, as `failed`. */
type Count = Readonly<Record<string, number>>
const measured: Partial<Record<Name, Readonly<Record<string, Count>>>> = {}

/** Runs in a client pod: calls each name as often as asked, and tells who answered. */
const CALL = `
const [times, ...names] = process.argv.slice(1)
const counts = {}
const call = async (name) => {
  const who = await fetch('http://' + name + '.${NS}:8080/', { signal: AbortSignal.timeout(5000) }).then(
    async (answer) => (await answer.text(), answer.ok ? answer.headers.get('x-cluster') : 'failed'),
    () => 'failed',
  )
  counts[name] ??= {}
  counts[name][who] = (counts[name][who] ?? 0) + 1
}
const left = names.flatMap((name) => Array(Number(times)).fill(name))
await Promise.all(Array.from({ length: 12 }, async () => { while (left.length > 0) await call(left.shift()) }))
console.log(JSON.stringify(counts))
`
async function call(site: Site, times: number, names: readonly string[]): Promise<Readonly<Record<string, Count>>> {
  const command = ['node', '--input-type=module', '-e', CALL, String(times), ...names]
  const { code, stdout, stderr } = await exec(site, CALLERS, 'deploy/client', 'curl', ...command)
  if (code !== 0) throw new Error(`${site.name}: ${stderr}`)
  return JSON.parse(stdout)
}

const who = (count: Count = {}): readonly string[] => Object.keys(count).sort()
/** Calls to which nobody can answer fail. */
const wanted = (names: readonly string[]) => (names.length > 0 ? names : ['failed'])

const TIMES = 8

/** Calls every Service of the table until all answers are as they should be, or it takes too long. */
async function measure(site: Site): Promise<void> {
  const from = site.name as Name
  const started = performance.now()
  let wrong = ROWS
  let counts: Readonly<Record<string, Count>> = {}
  while (wrong.length > 0 && performance.now() - started < 60_000) {
    const names = wrong.map(({ name }) => name)
    counts = { ...counts, ...(await call(site, TIMES, names)) }
    wrong = ROWS.filter((row) => who(counts[row.name]).join() !== wanted(expected(row, from)).join())
    // Who has just been found not to answer is left alone for a while by the proxies.
    if (wrong.length > 0) await new Promise((resolve) => setTimeout(resolve, 2000))
  }
  measured[from] = counts
}

beforeAll(async () => {
  await apply(east, documents(await memberOf(clusters, east), await memberOf(clusters, west)))
  await Promise.all(both.map((site) => apply(site, documents(...world(site.name as Name)))))
  await Promise.all(
    both.map(async (site) => {
      await rolledOut(site, NS, 'healthy', 'none', LIVE)
      await rolledOut(site, CALLERS, 'client')
      await kubectl(site, '-n', NS, 'wait', '--for=condition=Ready', 'pod/terminating', '--timeout=150s')
      await kubectl(site, '-n', NS, 'scale', 'deploy/none', '--replicas=0')
      await kubectl(site, '-n', NS, 'delete', 'pod', 'terminating', '--wait=false')
      await until(
        `${site.name} imports what it should`,
        async () => {
          const { items } = await get(site, '-n', NS, 'serviceimports.flomesh.io')
          if (items.length === importsOf(site.name as Name)) return true
          throw new Error(`${items.length} of ${importsOf(site.name as Name)} are there`)
        },
        { every: 1000, timeout: 120_000 },
      )
    }),
  )
  await Promise.all(both.map(measure))
}, 480_000)

afterAll(async () => {
  await disband(east, both)
  for (const site of both) {
    await kubectl(site, '-n', NS, 'delete', 'pod', '--all', '--force', '--grace-period=0', '--wait=false')
    await kubectl(site, 'delete', 'namespace', NS, CALLERS, '--wait=false')
  }
})

describe.each(both.map((site) => site.name as Name))('calls from %s', (from) => {
  test.each(ROWS.map((row) => ({ row, title: titleOf(row, from) })))('$title', ({ row }) => {
    expect(who(measured[from]?.[row.name])).toEqual(wanted(expected(row, from)))
  })
})

test('without affinity each ready pod gets as many calls as any other', async () => {
  const { [LIVE]: even = {} } = await call(west, 120, [LIVE])
  expect(even['east']).toBeGreaterThan(40)
  expect(even['west']).toBeGreaterThan(40)
  const row = ROWS.find(({ name, ...sides }) =>
    Object.values(sides).every(({ affinity, shared, health }) => !affinity && !shared && health === 'healthy'),
  )?.name as string
  const { [row]: uneven = {} } = await call(west, 120, [row])
  const share = (120 * PODS.east) / (PODS.east + PODS.west)
  expect(uneven['failed']).toBeUndefined()
  expect(Math.abs((uneven['east'] ?? 0) - share)).toBeLessThan(16)
})

const annotate = (site: Site, ...words: readonly string[]) =>
  kubectl(site, '-n', NS, 'annotate', 'service', LIVE, '--overwrite', ...words)
const answered = (names: readonly string[]) =>
  until(
    `${LIVE} is answered by ${names.join(' and ')}`,
    async () => {
      const { [LIVE]: count } = await call(west, 12, [LIVE])
      return who(count).join() === names.join()
    },
    { every: 300, timeout: 60_000 },
  )

test('no call fails while annotations and pods change', async () => {
  const loop = await loadAlone(west, CALLERS, 'deploy/client', `http://${LIVE}.${NS}:8080/`, 50)
  const problem = await change().then(
    () => undefined,
    (error: unknown) => error,
  )
  const { failed, failures, total } = await loop.stop()
  if (problem !== undefined) throw problem
  expect({ failed, failures }).toEqual({ failed: 0, failures: {} })
  expect(total).toBeGreaterThan(0)

  async function change(): Promise<void> {
    await annotate(west, 'service.cilium.io/affinity=local')
    await answered(['west'])
    await kubectl(west, '-n', NS, 'scale', `deploy/${LIVE}`, '--replicas=0')
    await answered(['east'])
    await kubectl(west, '-n', NS, 'scale', `deploy/${LIVE}`, '--replicas=1')
    await answered(['west'])
    await annotate(west, 'service.cilium.io/affinity=remote')
    await answered(['east'])
    await annotate(east, 'service.cilium.io/shared=false')
    await answered(['west'])
    await annotate(east, 'service.cilium.io/shared-')
    await annotate(west, 'service.cilium.io/affinity-')
    await answered(['east', 'west'])
    await annotate(west, 'service.cilium.io/shared=false')
    await answered(['east', 'west'])
  }
})

test('a value that says nothing is told by an Event of the Service and in its place the default holds', async () => {
  await annotate(west, 'service.cilium.io/affinity=nearest')
  const event = await until('an Event of it', async () => {
    const { items } = await get(west, '-n', NS, 'events.events.k8s.io')
    return items.find((each: Loose) => each.reason === 'GlobalValueUnknown' && each.regarding.name === LIVE) ?? false
  })
  expect(event.note).toMatch(/"nearest" is none of none, local, remote, so none holds/)
  await answered(['east', 'west'])
})
