import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { atGateway, type RoutedAnswer, whereTo } from '../../compiler/where-to.ts'
import { call } from './call.ts'
import { startWorld, type World } from './world.ts'

let world: World

beforeAll(async () => {
  world = await startWorld()
})
afterAll(() => world.stop())

const ask = (to: string, path: string, method: string, fromNamespace = 'app') =>
  whereTo(
    world.tables.west,
    { fromNamespace, to, port: world.port, path, method },
    new Map([world.tables.east, world.tables.north].map((tables) => [tables.cluster.key, tables])),
  )

/** What a real call met: the application and what it saw, or a status. */
type Met = `${string} ${string}` | number

const meet = async (host: string, port: number, path: string, method: string): Promise<Met> => {
  const { status, seen } = await call({ host, port, path, method })
  return seen ? `${seen.name} ${seen.path}` : status
}

/** The application behind a place of the answer, told by its address. */
const appAt = (endpoints: readonly { readonly host: string; readonly port: number }[]): string =>
  world.apps.find((app) => endpoints.some(({ host, port }) => host === app.host && port === app.port))?.name ?? 'nobody'

/** Shares by what would be met. */
const expected = ({ backends }: RoutedAnswer): ReadonlyMap<Met, number> => {
  const shares = new Map<Met, number>()
  for (const { share, local, endpoints, path, gateway } of backends) {
    if (share === 0) continue
    const seen = local ? { endpoints, path } : gateway?.status === 'served' ? gateway : undefined
    const met: Met = seen ? `${appAt(seen.endpoints)} ${seen.path}` : Number(gateway?.status)
    shares.set(met, (shares.get(met) ?? 0) + share)
  }
  return shares
}

const CALLS = 21

describe('through the sidecar, whereTo says what Envoy does', () => {
  const calls: readonly (readonly [to: string, path: string, method?: string])[] = [
    ['first.shop', '/'],
    ['first.shop', '/a/b?c=/d&e'],
    ['first.shop.svc', '/a//b'],
    ['first.shop.svc.cluster.local', '/../x'],
    ['FIRST.shop.svc.clusterset.local', '/%7Ea'],
    ['web.shop.svc.clusterset.local', '/only/local'],
    ['shared.shop', '/'],
    ['shared.shop', '/a?b', 'POST'],
    ['mine.shop', '/drained/at/home'],
    ['starting.shop', '/not/ready/here'],
    ['starting.shop', '/not/ready/here', 'PUT'],
    ['api.shop', '/'],
    ['api.shop', '/x?y=z', 'DELETE'],
    ['order.shop', '/north/before/east'],
    ['admin.shop', '/v2/users?all'],
    ['admin.shop', '/other'],
    ['exact.shop', '/'],
    ['root.shop', '/'],
    ['root.shop', '/north/web/shadows'],
    ['root.shop', '/a/./b/'],
    ['unserved.shop', '/x'],
    ['api.shop', '/a%2Fb'],
    ['api.shop', '/a%2fb', 'POST'],
    ['api.shop', '/../../../../up'],
    ['api.shop', '/x/%2e%2E'],
    ['api.shop', '/x\\.%2e\\y'],
    ['api.shop', '/..;a/y'],
    ['api.shop', '/x..y/...?a=/../b'],
    ['api.shop', '/a;b,c=d@e:f!$&()*+~'],
    ['api.shop', '/%41%2d%zz%20'],
    ['drained.shop', '/x'],
    ['closed.shop.svc.clusterset.local', '/no/policy'],
  ]
  test.each(calls.map(([to, path, method = 'GET']) => ({ to, path, method })))(
    '$method $to $path',
    async ({ to, path, method }) => {
      const answer = ask(to, path, method)
      const host = world.vip(`shop/${to.toLowerCase().split('.')[0]}`)
      if (answer.outcome === 'status') {
        expect(await meet(host, world.port, path, method)).toBe(answer.status)
        return
      }
      if (answer.outcome !== 'routed') return expect.unreachable(answer.outcome)
      expect(answer.vip).toBe(host)
      const met = new Map<Met, number>()
      for (let i = 0; i < CALLS; i++) {
        const one = await meet(host, world.port, path, method)
        met.set(one, (met.get(one) ?? 0) + 1 / CALLS)
      }
      const shares = expected(answer)
      expect([...met.keys()].sort()).toEqual([...shares.keys()].sort())
      for (const [one, share] of shares) expect(Math.abs((met.get(one) ?? 0) - share)).toBeLessThan(0.06)
    },
  )

  test('an address that is no import’s: 503', async () => {
    expect(await meet('127.240.100.1', world.port, '/', 'GET')).toBe(503)
    // In the upper half what comes may be no HTTP.
    await expect(meet('127.240.255.1', world.port, '/', 'GET')).rejects.toThrow(/socket hang up|ECONNRESET/)
  })

  test('a namespace that does not import the service: 503', () => {
    expect(ask('first.shop', '/', 'GET', 'narrow')).toMatchObject({ outcome: 'status', status: 503 })
    expect(ask('api.shop', '/', 'GET', 'narrow')).toMatchObject({ outcome: 'routed' })
  })

  test('a name that mesh DNS refuses: nothing listens there', async () => {
    const answer = ask('closed.shop', '/', 'GET')
    if (answer.outcome !== 'refused') return expect.unreachable(answer.outcome)
    await expect(call({ host: answer.address, port: world.port })).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  })

  test.each([
    ['web.shop', 'app', 'name of the cluster'],
    ['example.org', 'app', 'name of the cluster'],
    ['first.shop', 'elsewhere', 'outside the mesh'],
    ['10.43.0.1', 'app', 'address outside the range'],
  ])('%s from %s is plain: %s', (to, from, why) => {
    expect(ask(to, '/', 'GET', from)).toEqual({ outcome: 'plain', why })
  })
})

describe('at a gateway, atGateway says what Envoy does', () => {
  test.each([
    ['east', '/east/web'],
    ['east', '/east/web/'],
    ['east', '/east/web?q=/east/web/admin'],
    ['east', '/east/web-two'],
    ['east', '/east/web/admin'],
    ['east', '/east/web/admin/v12/x'],
    ['east', '/east/web/administrator'],
    ['east', '/east/health'],
    ['east', '/east/health/'],
    ['east', '/east/health?deep'],
    ['east', '//east///web//x/'],
    ['east', '/east/./web/../web/x'],
    ['east', '/%65ast/web/x'],
    ['east', '/east/web/%2e%2e/health'],
    ['east', '/east%2fweb'],
    ['east', '/east/web/x/..;a=b/y'],
    ['east', '/east/web/.;/y'],
    ['east', '/east/web/x/%2e%2e;a/y'],
    ['east', '/east/web/..%3b/y'],
    ['east', '/east/web\\admin'],
    ['east', '/East/web'],
    ['east', '/'],
    ['east', '/shop/api'],
    ['north', '/'],
    ['north', '//'],
    ['north', '/anything?a=//b/../c'],
    ['north', '/north/web/x'],
    ['north', '/north/webx'],
  ] as const)('%s %s', async (cluster, path) => {
    const answer = atGateway(world.tables[cluster].gateway, path, false)
    const met = await meet('127.0.0.1', world.gateways[cluster].port, path, 'GET')
    expect(met).toBe(answer.status === 'served' ? `${appAt(answer.endpoints)} ${answer.path}` : answer.status)
  })
})
