/** Sessions: west calls through a sidecar and has pods of its own, east and north serve through gateways, east through two. */

import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { compile } from '../../compiler/compile.ts'
import type { Snapshot } from '../../compiler/snapshot.ts'
import type { GatewayTable, SidecarTable, Tables } from '../../compiler/tables.ts'
import { whereTo } from '../../compiler/where-to.ts'
import * as build from '../compiler/build.ts'
import { freePort } from '../lab/ports.ts'
import { type Backend, startBackend, startH2Backend } from './backend.ts'
import { type Answer, call, callH2, type Load, startLoad } from './call.ts'
import { countNames, type Session, setCookies, startSession } from './sessions.ts'
import { type Gateway, type Sidecar, startGateway, startSidecar, VIP_RANGE } from './site.ts'

type Cluster = 'west' | 'east' | 'north'

let port: number
let pods: Readonly<Record<Cluster, readonly Backend[]>>
let service: Backend
let grpc: Awaited<ReturnType<typeof startH2Backend>>
let gateways: { readonly east: readonly [Gateway, Gateway]; north: Gateway }
let sidecar: Sidecar

const meshOf = (cluster: Cluster) => ({ ...build.mesh, clusterKey: build.clusterKey(cluster), vipRange: VIP_RANGE })

/** Of how many pods a cluster knows. */
const READY = 2

const gatewayTables = (cluster: 'east' | 'north', sticky = true, ready = READY): Tables =>
  compile(
    build.snapshot({
      mesh: meshOf(cluster),
      services: ['web', 'other', 'plain', 'grpc'].map((name) =>
        build.service(`shop/${name}`, {
          clusterIP: service.host,
          ports: [{ port, ...(name === 'grpc' ? { appProtocol: 'grpc' } : {}) }],
        }),
      ),
      endpointSlices: [
        ...['web', 'other', 'plain'].map((name) =>
          build.pods(
            `shop/${name}`,
            pods[cluster].slice(0, ready).map(({ host }) => host),
            port,
          ),
        ),
        build.pods('shop/grpc', [grpc.host], grpc.port),
      ],
      exports: ['web', 'other', 'plain', 'grpc'].map((name) =>
        build.serviceExport(`shop/${name}`, {
          rules: [{ portNumber: port, path: `/${cluster}/${name}` }],
          sessionSticky: sticky && name !== 'plain',
        }),
      ),
    }),
  )

const gatewayTable = (...shape: Parameters<typeof gatewayTables>): GatewayTable => gatewayTables(...shape).gateway

interface Shape {
  readonly weights?: Readonly<Partial<Record<Cluster, number>>>
  readonly failOver?: boolean
  /** Pods of west that the table knows. */
  readonly ready?: number
  readonly sticky?: boolean
}

const sidecarTables = ({ weights = {}, failOver = false, ready = READY, sticky = true }: Shape = {}): Tables => {
  const exporters = (name: string) => [
    { cluster: 'east', host: '127.0.0.1', port: gateways.east[0].port, path: `/east/${name}` },
    { cluster: 'north', host: '127.0.0.1', port: gateways.north.port, path: `/north/${name}` },
  ]
  const imported = (name: string, sessionSticky: boolean): Snapshot['imports'][number] => {
    const object = build.serviceImport(`shop/${name}`, exporters(name), [{ port }])
    return { ...object, spec: { ...object.spec, ...(sessionSticky ? { sessionSticky } : {}) } }
  }
  const targets = (['west', 'east', 'north'] as const).map((cluster) => ({ cluster, weight: weights[cluster] ?? 100 }))
  const type = failOver ? 'FailOver' : 'ActiveActive'
  return compile(
    build.snapshot({
      mesh: meshOf('west'),
      services: ['web', 'plain'].map((name) =>
        build.service(`shop/${name}`, { clusterIP: service.host, ports: [{ port }] }),
      ),
      endpointSlices: ['web', 'plain'].map((name) =>
        build.pods(
          `shop/${name}`,
          pods.west.slice(0, ready).map(({ host }) => host),
          port,
        ),
      ),
      imports: [imported('web', sticky), imported('other', sticky), imported('plain', false), imported('grpc', sticky)],
      policies: ['web', 'other', 'plain', 'grpc'].map((name) => build.policy(`shop/${name}`, type, targets)),
    }),
  )
}

const sidecarTable = (shape: Shape = {}): SidecarTable => sidecarTables(shape).sidecars[0] ?? expect.unreachable()

const start = (cluster: 'east' | 'north', at?: number) =>
  startGateway(gatewayTable(cluster), build.clusterKey(cluster), at)

const restore = async (): Promise<void> => {
  await Promise.all([
    ...gateways.east.map((gateway) => gateway.swap(gatewayTable('east'))),
    gateways.north.swap(gatewayTable('north')),
    sidecar.swap(sidecarTable()),
  ])
}

beforeAll(async () => {
  port = await freePort()
  const podsOf = (cluster: Cluster, net: number) =>
    Promise.all([1, 2, 3].map((n) => startBackend(`${cluster} ${n}`, `127.93.${net}.${n}`, port)))
  pods = { west: await podsOf('west', 0), east: await podsOf('east', 1), north: await podsOf('north', 2) }
  service = await startBackend('service', '127.93.9.9', port)
  grpc = await startH2Backend('grpc', '127.93.3.1')
  gateways = { east: [await start('east'), await start('east')], north: await start('north') }
  sidecar = await startSidecar(sidecarTable(), build.clusterKey('west'))
})
afterAll(async () => {
  await Promise.all([sidecar, ...gateways.east, gateways.north].map((proxy) => proxy.stop()))
  await Promise.all([...Object.values(pods).flat(), service, grpc].map((app) => app.kill()))
})
afterEach(async () => {
  for (const app of [...Object.values(pods).flat(), service]) {
    app.seen.length = 0
    app.behaviour = () => 'answer'
  }
  await restore()
})

const vipOf = (name: string): string =>
  sidecarTable().routes.find((route) => route.service === `shop/${name}`)?.vip ?? expect.unreachable()
const to = (name: string, path = '/x') => ({ host: vipOf(name), port, path })
const atEast = (gateway: 0 | 1, name: string) => ({
  host: '127.0.0.1',
  port: gateways.east[gateway].port,
  path: `/east/${name}/x`,
})

const repeat = async (count: number, one: (index: number) => Promise<Answer>): Promise<readonly Answer[]> => {
  const answers: Answer[] = []
  for (let index = 0; index < count; index++) answers.push(await one(index))
  return answers
}

const nameOf = ({ seen, status }: Answer): string => seen?.name ?? String(status)
const clusterOf = (name: string): string => name.split(' ')[0] ?? ''

/** Calls without cookies, until stopped or until the test ends. */
const loaded = (where: Parameters<typeof startLoad>[0]): Load => {
  const load = startLoad(where)
  onTestFinished(async () => void (await load.stop()))
  return load
}

/** Sessions that have met their pod, by session. */
const begun = async (count: number, where = to('web')): Promise<ReadonlyMap<Session, string>> => {
  const met = new Map<Session, string>()
  for (let index = 0; index < count; index++) {
    const session = startSession()
    met.set(session, nameOf(await session.call(where)))
  }
  return met
}

const countValues = (names: Iterable<string>): Readonly<Record<string, number>> =>
  Object.fromEntries([...Map.groupBy(names, (name) => name)].map(([name, all]) => [name, all.length]))

/** Sessions that meet another pod than before, and which. */
const movedOf = async (before: ReadonlyMap<Session, string>, where = to('web')): Promise<readonly string[]> => {
  const moved: string[] = []
  for (const [session, name] of before) {
    const now = nameOf(await session.call(where))
    if (now !== name) moved.push(`${name} → ${now}`)
  }
  return moved
}

const clustersOf = (names: Iterable<string>) => countValues([...names].map(clusterOf))

describe('at gateways', () => {
  test('a session meets one pod, at whichever gateway', async () => {
    const sessions = await begun(20, atEast(0, 'web'))
    expect(new Set(sessions.values()).size).toBe(READY)
    expect(await movedOf(sessions, atEast(1, 'web'))).toEqual([])
    expect(await movedOf(sessions, atEast(0, 'web'))).toEqual([])
  })

  test('calls without cookies are spread as ever', async () => {
    const answers = await repeat(20, () => call(atEast(0, 'web')))
    expect(countNames(answers)).toEqual({ 'east 1': 10, 'east 2': 10 })
  })

  test('the cookie is one for the session, out of reach of scripts; set once', async () => {
    const session = startSession()
    const [cookie, ...more] = setCookies(await session.call(atEast(0, 'web')))
    expect(cookie).toMatch(/^portolan-[0-9a-f]{8}="[^"]+"; Path=\/; HttpOnly$/)
    expect(more).toEqual([])
    expect(setCookies(await session.call(atEast(0, 'web')))).toEqual([])
  })

  test('each service has a cookie of its own, in each cluster', async () => {
    const names = await Promise.all(
      [
        atEast(0, 'web'),
        atEast(0, 'other'),
        { ...atEast(0, 'web'), port: gateways.north.port, path: '/north/web' },
      ].map(async (where) => {
        const session = startSession()
        await session.call(where)
        return [...session.cookies.keys()]
      }),
    )
    expect(new Set(names.flat()).size).toBe(3)
  })

  test('cookies of the application pass, in both directions', async () => {
    const { seen } = await call({ ...atEast(0, 'web'), headers: { cookie: 'mine=1; theirs="2"' } })
    expect(seen?.headers['cookie']).toBe('mine=1; theirs="2"')
  })

  test.each([
    ['garbage', 'garbage'],
    ['an address elsewhere', Buffer.from('\n\x0b127.0.0.1:1').toString('base64')],
    ['nothing', ''],
  ])('a cookie that names %s is served, and replaced', async (_, value) => {
    const session = startSession()
    const [, name] = /^([^=]+)/.exec(setCookies(await session.call(atEast(0, 'web')))[0] ?? '') ?? []
    const answer = await call({ ...atEast(0, 'web'), headers: { cookie: `${name}=${value}` } })
    expect(nameOf(answer)).toMatch(/^east /)
    expect(setCookies(answer)).toHaveLength(1)
  })

  test('another pod takes no session away', async () => {
    const sessions = await begun(30, atEast(0, 'web'))
    await gateways.east[0].swap(gatewayTable('east', true, READY + 1))
    expect(await movedOf(sessions, atEast(0, 'web'))).toEqual([])
    expect([...(await begun(30, atEast(0, 'web'))).values()]).toContain('east 3')
  })

  test('a pod that is taken out loses its sessions, and no other does', async () => {
    await gateways.east[0].swap(gatewayTable('east', true, READY + 1))
    const sessions = await begun(30, atEast(0, 'web'))
    await gateways.east[0].swap(gatewayTable('east'))
    const moved = await movedOf(sessions, atEast(0, 'web'))
    expect(new Set(moved.map((each) => each.split(' → ')[0]))).toEqual(new Set(['east 3']))
    expect(await movedOf(new Map(await begun(10, atEast(0, 'web'))), atEast(0, 'web'))).toEqual([])
  })

  test('sessions of a pod that dies go on with another, without a failed call, and stay there', async () => {
    const sessions = await begun(20, atEast(0, 'web'))
    await pods.east[0]?.kill()
    for (const pod of pods.east.slice(0, 1)) await gateways.east[0].leaves(pod)
    const moved = await movedOf(sessions, atEast(0, 'web'))
    expect(new Set(moved)).toEqual(new Set(['east 1 → east 2']))
    await pods.east[0]?.revive()
    for (const [session] of sessions) expect(nameOf(await session.call(atEast(0, 'web')))).toBe('east 2')
  })

  test('a session that met the Service’s address comes back to a pod', async () => {
    const session = startSession()
    await Promise.all(pods.east.map((pod) => pod.kill()))
    for (const pod of pods.east) await gateways.east[0].leaves(pod)
    expect(nameOf(await session.call(atEast(0, 'web')))).toBe('service')
    await Promise.all(pods.east.map((pod) => pod.revive()))
    await expect.poll(async () => nameOf(await session.call(atEast(0, 'web')))).toMatch(/^east /)
  })

  test('stickiness that comes and goes costs no call', async () => {
    const load = loaded(atEast(0, 'web'))
    for (let step = 0; step < 20; step++) await gateways.east[0].swap(gatewayTable('east', step % 2 === 0))
    expect(Object.keys(await load.stop()).sort()).toEqual(['east 1', 'east 2'])
  })
})

describe('through the sidecar, ActiveActive', () => {
  test('a session stays in one cluster and with one pod', async () => {
    const sessions = await begun(60)
    expect(new Set([...sessions.values()].map(clusterOf))).toEqual(new Set(['west', 'east', 'north']))
    for (let round = 0; round < 3; round++) expect(await movedOf(sessions)).toEqual([])
  })

  test('sessions are shared by weight', async () => {
    await sidecar.swap(sidecarTable({ weights: { west: 50, east: 100, north: 50 } }))
    expect(clustersOf((await begun(80)).values())).toEqual({ west: 20, east: 40, north: 20 })
  })

  test('calls without cookies are shared by weight as well', async () => {
    await sidecar.swap(sidecarTable({ weights: { west: 0, east: 300, north: 100 } }))
    const answers = await repeat(80, () => call(to('web')))
    expect(clustersOf(answers.map(nameOf))).toEqual({ east: 60, north: 20 })
  })

  test('the sidecar’s cookie is of the service, out of reach of scripts, and set once', async () => {
    const session = startSession()
    const cookies = setCookies(await session.call(to('web')))
    const [cookie, ...more] = cookies.filter((each) => each.startsWith(`portolan-${vipOf('web')}-${port}=`))
    expect(cookie).toMatch(/^[^=]+=[A-Za-z0-9+/=]+; Path=\/; HttpOnly$/)
    expect(more).toEqual([])
    expect(setCookies(await session.call(to('web')))).toEqual([])
  })

  test('a service without sessions sets no cookie, and heeds none', async () => {
    const session = startSession()
    await session.call(to('web'))
    const answers = await repeat(30, () => session.call(to('plain')))
    expect(answers.flatMap(setCookies)).toEqual([])
    expect(clustersOf(answers.map(nameOf))).toEqual({ service: 10, east: 10, north: 10 })
  })

  test('cookies of the application pass, in both directions; no header of ours does, nor can a caller set one', async () => {
    const headers = { 'x-portolan-session': 'mine', 'x-portolan-keeps-sessions': 'yes', cookie: 'a=1; b="2"' }
    for (const name of ['web', 'plain']) {
      for (let index = 0; index < 6; index++) {
        const answer = await call({ ...to(name), headers })
        expect(answer.seen?.headers['cookie']).toBe('a=1; b="2"')
        const all = [...Object.keys(answer.seen?.headers ?? {}), ...Object.keys(answer.headers)]
        expect(all.filter((each) => each.startsWith('x-portolan'))).toEqual([])
      }
    }
  })

  test.each(['web', 'plain'])('%s: cookies are those that whereTo names', async (name) => {
    const answer = whereTo(
      sidecarTables(),
      { fromNamespace: 'app', to: `${name}.shop`, port, path: '/x' },
      new Map([gatewayTables('east'), gatewayTables('north')].map((tables) => [tables.cluster.key, tables])),
    )
    if (answer.outcome !== 'routed') return expect.unreachable(answer.outcome)
    const there = answer.backends.flatMap(({ gateway }) => (gateway?.status === 'served' ? gateway : []))
    const said = [answer, ...there].flatMap(({ sessionCookie = [] }) => sessionCookie)
    const answers = await repeat(9, () => call(to(name)))
    const set = answers.flatMap(setCookies).map((cookie) => cookie.slice(0, cookie.indexOf('=')))
    expect([...new Set(set)].sort()).toEqual(said.sort())
  })

  test('two services behind one host name keep their sessions side by side', async () => {
    for (let index = 0; index < 10; index++) {
      const session = startSession()
      const [web, other] = [nameOf(await session.call(to('web'))), nameOf(await session.call(to('other')))]
      for (let round = 0; round < 3; round++) {
        expect([nameOf(await session.call(to('web'))), nameOf(await session.call(to('other')))]).toEqual([web, other])
      }
    }
  })

  test('another pod here, or another weight, takes no session away', async () => {
    const sessions = await begun(30)
    await sidecar.swap(sidecarTable({ ready: READY + 1, weights: { east: 1 } }))
    expect(await movedOf(sessions)).toEqual([])
    expect([...(await begun(30)).values()]).toContain('west 3')
  })

  test('a drained cluster gives its sessions away, and no other does', async () => {
    const sessions = await begun(60)
    await sidecar.swap(sidecarTable({ weights: { north: 0 } }))
    const moved = await movedOf(sessions)
    expect(moved).toHaveLength(20)
    expect(new Set(moved.map(clusterOf))).toEqual(new Set(['north']))
  })

  test('sessions of a pod here that dies go on without a failed call, and no other moves', async () => {
    const sessions = await begun(60)
    await pods.west[0]?.kill()
    const moved = await movedOf(sessions)
    expect(new Set(moved.map((each) => each.split(' → ')[0]))).toEqual(new Set(['west 1']))
    expect(moved.filter((each) => each.includes('503'))).toEqual([])
    await pods.west[0]?.revive()
  })

  test('sessions of a cluster that fails go elsewhere without a failed call and stay there, others do not notice', async () => {
    const sessions = await begun(60)
    const load = loaded(to('web'))
    await gateways.north.stop()
    const away = await movedOf(sessions)
    expect(new Set(away.map(clusterOf))).toEqual(new Set(['north']))
    expect(away.filter((each) => each.includes('503'))).toEqual([])
    gateways.north = await start('north', gateways.north.port)
    const moved = (await movedOf(sessions)).toSorted()
    await expect.poll(async () => clusterOf(nameOf(await call(to('web'))))).toBe('north')
    expect((await movedOf(sessions)).toSorted()).toEqual(moved)
    expect(Object.keys(await load.stop()).filter((name) => !/^(west|east|north) \d$/.test(name))).toEqual([])
  })

  test('a POST is not sent twice for the sake of a session', async () => {
    const sessions = await begun(20)
    for (const pod of Object.values(pods).flat()) pod.behaviour = () => 'reset'
    for (const pod of Object.values(pods).flat()) pod.seen.length = 0
    let posts = 0
    for (const [session] of sessions) {
      expect((await session.call({ ...to('web'), method: 'POST', body: 'x' })).status).toBe(503)
      posts++
    }
    expect(Object.values(pods).flatMap((all) => all.flatMap((pod) => pod.seen)).length).toBe(posts)
  })

  test('gRPC without cookies', async () => {
    for (let index = 0; index < 10; index++) {
      const { host } = to('grpc')
      const answer = await callH2(host, port, '/pkg.Service/Method', 'message', { 'content-type': 'application/grpc' })
      expect(answer).toMatchObject({ status: 200, body: 'message', trailers: { 'grpc-status': '0' } })
    }
  })

  test('stickiness that comes and goes costs no call', async () => {
    const load = loaded(to('web'))
    for (let step = 0; step < 20; step++) await sidecar.swap(sidecarTable({ sticky: step % 2 === 0 }))
    const counts = await load.stop()
    expect(Object.keys(counts).filter((name) => !/^((west|east|north) \d|service)$/.test(name))).toEqual([])
  })
})

describe('through the sidecar, FailOver', () => {
  const failOver = () => sidecarTable({ failOver: true })

  test('sessions stay with pods here', async () => {
    await sidecar.swap(failOver())
    const sessions = await begun(20)
    expect(countValues(sessions.values())).toEqual({ 'west 1': 10, 'west 2': 10 })
    expect(await movedOf(sessions)).toEqual([])
  })

  test('sessions of a pod that dies go to its neighbours, not to another cluster', async () => {
    await sidecar.swap(failOver())
    const sessions = await begun(20)
    await pods.west[0]?.kill()
    expect(new Set(await movedOf(sessions))).toEqual(new Set(['west 1 → west 2']))
    await pods.west[0]?.revive()
  })

  test('when all pods here have died, sessions go elsewhere without a failed call, and end there; new ones begin here', async () => {
    await sidecar.swap(failOver())
    const sessions = await begun(20)
    await Promise.all(pods.west.map((pod) => pod.kill()))
    const moved = await movedOf(sessions)
    expect(moved).toHaveLength(sessions.size)
    expect(new Set(moved.map((each) => clusterOf(each.split(' → ')[1] ?? '')))).toEqual(new Set(['east', 'north']))
    await Promise.all(pods.west.map((pod) => pod.revive()))
    await expect.poll(async () => clusterOf(nameOf(await call(to('web'))))).toBe('west')
    expect((await movedOf(sessions)).toSorted()).toEqual(moved.toSorted())
  })

  test('when no cluster takes calls, the Service’s address does for pods that the table does not know yet; no session stays with it', async () => {
    await sidecar.swap(sidecarTable({ weights: { east: 0, north: 0 } }))
    const session = startSession()
    await Promise.all(pods.west.map((pod) => pod.kill()))
    expect(nameOf(await session.call(to('web')))).toBe('service')
    await Promise.all(pods.west.map((pod) => pod.revive()))
    await expect.poll(async () => nameOf(await session.call(to('web')))).toMatch(/^west /)
  })
})
