import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { compile } from '../../compiler/compile.ts'
import type { Snapshot } from '../../compiler/snapshot.ts'
import type { SidecarTable } from '../../compiler/tables.ts'
import * as build from '../compiler/build.ts'
import { freePort } from '../lab/ports.ts'
import { until } from '../lab/run.ts'
import { type Backend, startBackend } from './backend.ts'
import { call, startLoad } from './call.ts'
import { type Sidecar, startSidecar, VIP_RANGE } from './site.ts'

/** Remote clusters are played by applications that answer at any path: what a sidecar does needs no gateway. */
let west: Backend
let east: Backend
let north: Backend
let port: number
const stops: (() => Promise<void>)[] = []

beforeAll(async () => {
  port = await freePort()
  west = await startBackend('west', '127.43.0.7', port)
  east = await startBackend('east', '127.50.0.1')
  north = await startBackend('north', '127.50.0.2')
})

afterAll(async () => {
  await Promise.all([west, east, north].map((each) => each.kill()))
})

afterEach(async () => {
  await Promise.all(stops.splice(0).map((stop) => stop()))
  for (const each of [west, east, north]) {
    each.seen.length = 0
    each.behaviour = () => 'answer'
  }
})

const exporters = () => [
  { cluster: 'east', host: east.host, port: east.port, path: '/e/x' },
  { cluster: 'north', host: north.host, port: north.port, path: '/n/x' },
]

const tableOf = (parts: Partial<Snapshot>): SidecarTable => {
  const [table] = compile(build.snapshot({ mesh: { ...build.mesh, vipRange: VIP_RANGE }, ...parts })).sidecars
  if (!table) throw new Error('no table')
  return table
}

const local = () => ({
  services: [build.service('shop/web', { clusterIP: west.host, ports: [{ port }] })],
  endpointSlices: [build.pods('shop/web', ['10.0.0.1'], 80)],
})

const failOver = (): SidecarTable =>
  tableOf({
    ...local(),
    imports: [build.serviceImport('shop/web', exporters(), [{ port }])],
    policies: [build.policy('shop/web', 'FailOver', ['east', 'north'])],
  })

const activeActive = (weights: readonly number[]): SidecarTable =>
  tableOf({
    ...local(),
    imports: [build.serviceImport('shop/web', exporters(), [{ port }])],
    policies: [
      build.policy(
        'shop/web',
        'ActiveActive',
        ['west', 'east', 'north'].map((cluster, index) => ({ cluster, weight: weights[index] ?? 0 })),
      ),
    ],
  })

const start = async (table: SidecarTable): Promise<{ sidecar: Sidecar; host: string }> => {
  const sidecar = await startSidecar(table, build.mesh.clusterKey)
  stops.push(sidecar.stop)
  return { sidecar, host: table.routes[0]?.vip ?? '' }
}

const share = async (host: string, calls: number): Promise<Record<string, number>> => {
  const counts: Record<string, number> = {}
  for (let i = 0; i < calls; i++) {
    const { status, seen } = await call({ host, port })
    const name = seen?.name ?? String(status)
    counts[name] = (counts[name] ?? 0) + 1
  }
  return counts
}

describe('FailOver', () => {
  test('kills under load cost no idempotent call', async () => {
    const { host } = await start(failOver())
    const load = startLoad({ host, port, path: '/q?x=1' })
    await load.meets('west', 40)
    for (let kill = 0; kill < 3; kill++) {
      await west.kill()
      await load.meets('east', 40)
      await load.meets('north', 40)
      await west.revive()
    }
    const counts = await load.stop()
    expect(Object.keys(counts).sort()).toEqual(['east', 'north', 'west'])
  })

  test('a POST is sent again when it was refused, and never once it was sent', async () => {
    const { host } = await start(failOver())
    west.behaviour = () => 'reset'
    expect((await call({ host, port, method: 'POST', body: 'order' })).status).toBe(503)
    expect([west, east, north].map((each) => each.seen.length)).toEqual([1, 0, 0])
    await west.kill()
    const answer = await call({ host, port, path: '/pay', method: 'POST', body: 'order' })
    expect(answer).toMatchObject({ status: 200, seen: { method: 'POST', body: 'order' } })
    expect(answer.seen?.path).toMatch(/^\/[en]\/x\/pay$/)
    await west.revive()
  })

  test.each(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE'])('%s is sent again after a reset', async (method) => {
    const { host } = await start(failOver())
    west.behaviour = () => 'reset'
    expect((await call({ host, port, method })).status).toBe(200)
    expect(west.seen.length).toBe(1)
  })

  test('the path prefix is that of the cluster that is tried, however many were tried before', async () => {
    const { host } = await start(failOver())
    for (const each of [west, east, north]) each.behaviour = () => 503
    let tries = 0
    north.behaviour = () => (++tries < 2 ? 503 : 'answer')
    for (let i = 0; i < 5; i++) await call({ host, port, path: '/a?b=/c' })
    expect(new Set(west.seen.map((seen) => seen.path))).toEqual(new Set(['/a?b=/c']))
    expect(new Set(east.seen.map((seen) => seen.path))).toEqual(new Set(['/e/x/a?b=/c']))
    expect(new Set(north.seen.map((seen) => seen.path))).toEqual(new Set(['/n/x/a?b=/c']))
  })
})

describe('a sidecar', () => {
  test('sends a large body again when it was refused', async () => {
    const { host } = await start(failOver())
    await west.kill()
    const body = 'x'.repeat(3 * 1024 * 1024)
    const answer = await call({ host, port, method: 'POST', body })
    expect(answer.seen?.body.length).toBe(body.length)
    await west.revive()
  })

  test('passes on a body that is larger than it keeps for another try', async () => {
    const { host } = await start(failOver())
    const body = 'x'.repeat(20 * 1024 * 1024)
    const { seen } = await call({ host, port, method: 'POST', body })
    expect([seen?.name, seen?.body.length]).toEqual(['west', body.length])
  })

  test('opens a connection to the Service’s own address every few calls, so that kube-proxy can spread them', async () => {
    const { sidecar, host } = await start(failOver())
    for (let i = 0; i < 50; i++) await call({ host, port })
    const [connections] = Object.values(await sidecar.stats('out.shop/web.*upstream_cx_total'))
    expect(Number(connections)).toBeGreaterThanOrEqual(5)
    expect(Number(connections)).toBeLessThan(10)
  })

  test('calls a gateway that has a name by its name, and the others as the caller wrote it', async () => {
    const named = await startBackend('named', '127.0.0.1')
    const { host } = await start(
      tableOf({
        imports: [
          build.serviceImport(
            'shop/web',
            [{ cluster: 'east', host: 'localhost', port: named.port, path: '/by/name' }, ...exporters().slice(1)],
            [{ port }],
          ),
        ],
        policies: [build.policy('shop/web', 'ActiveActive')],
      }),
    )
    const met = new Set<string>()
    for (let i = 0; i < 10; i++) {
      const { seen } = await call({ host, port, headers: { host: 'web.shop' } })
      met.add(`${seen?.name} ${seen?.path} ${seen?.headers['host']}`)
    }
    expect([...met].sort()).toEqual(['named /by/name/ localhost', 'north /n/x/ web.shop'])
    await named.kill()
  })

  test('tells clusters apart that are reached at the same address', async () => {
    const shared = exporters().map((each) => ({ ...each, host: east.host, port: east.port }))
    const { host } = await start(
      tableOf({
        imports: [build.serviceImport('shop/web', shared, [{ port }])],
        policies: [build.policy('shop/web', 'ActiveActive')],
      }),
    )
    for (let i = 0; i < 20; i++) await call({ host, port })
    expect(east.seen.filter((seen) => seen.path === '/e/x/').length).toBe(10)
    expect(east.seen.filter((seen) => seen.path === '/n/x/').length).toBe(10)
  })

  test('ejects what cannot be reached, not what answers with errors', async () => {
    const { sidecar, host } = await start(failOver())
    const ejected = async () => Number(Object.values(await sidecar.stats('ejections_active'))[0])
    west.behaviour = () => 500
    for (let i = 0; i < 10; i++) expect((await call({ host, port })).status).toBe(500)
    expect(await ejected()).toBe(0)
    await west.kill()
    for (let i = 0; i < 3; i++) expect((await call({ host, port })).status).toBe(200)
    expect(await ejected()).toBe(1)
    await west.revive()
  })

  test('goes on calling the only endpoint there is: broken connections are no outage', async () => {
    const only = tableOf({
      imports: [build.serviceImport('shop/web', exporters().slice(0, 1), [{ port }])],
      policies: [build.policy('shop/web', 'FailOver', ['east'])],
    })
    const { sidecar, host } = await start(only)
    await east.kill()
    for (let i = 0; i < 3; i++) expect((await call({ host, port })).status).toBe(503)
    expect(Number(Object.values(await sidecar.stats('ejections_active'))[0])).toBe(1)
    await east.revive()
    for (let i = 0; i < 10; i++) expect((await call({ host, port })).status).toBe(200)
  })

  test('sends nothing to what is ejected, were it most of all there is', async () => {
    const { sidecar, host } = await start(activeActive([1, 1, 1]))
    await Promise.all([west.kill(), east.kill()])
    const retries = async () => Number(Object.values(await sidecar.stats('shop/web.*upstream_rq_retry$'))[0])
    for (let i = 0; i < 12; i++) await call({ host, port })
    expect(await retries()).toBeGreaterThan(0)
    // Envoy tells its workers of a second change of health within a second when that second is over.
    await until('no call is tried elsewhere first', async () => {
      const before = await retries()
      for (let i = 0; i < 30; i++) expect((await call({ host, port })).seen?.name).toBe('north')
      return (await retries()) === before
    })
    await Promise.all([west.revive(), east.revive()])
  })
})

describe('ActiveActive', () => {
  test('a dead cluster costs no call, and the others share its part by weight', async () => {
    const { host } = await start(activeActive([100, 50, 50]))
    await west.kill()
    const counts = await share(host, 200)
    expect(Object.keys(counts).sort()).toEqual(['east', 'north'])
    expect(Math.abs((counts['east'] ?? 0) - 100)).toBeLessThanOrEqual(10)
    await west.revive()
  })

  test.each([
    { weights: [100, 100, 100], calls: 300 },
    { weights: [100, 50, 25], calls: 350 },
    { weights: [0, 90, 10], calls: 200 },
  ])('calls are shared by weight $weights', async ({ weights, calls }) => {
    const { host } = await start(activeActive(weights))
    const counts = await share(host, calls)
    const sum = weights.reduce((a, b) => a + b)
    ;[west, east, north].forEach(({ name }, index) => {
      const expected = (calls * (weights[index] ?? 0)) / sum
      expect(Math.abs((counts[name] ?? 0) - expected)).toBeLessThanOrEqual(expected === 0 ? 0 : 3)
    })
  })
})
