import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { call, callH2, converse } from './call.ts'
import { startWorld, type World } from './world.ts'

let world: World

beforeAll(async () => {
  world = await startWorld()
})
afterAll(() => world.stop())
afterEach(() => {
  for (const app of world.apps) app.seen.length = 0
})

const to = (service: string) => ({ host: world.vip(`shop/${service}`), port: world.port })

describe('sidecar → gateway → application', () => {
  test('the application sees what a local caller would send', async () => {
    const { seen } = await call({
      ...to('admin'),
      path: '/v1/users?a=1',
      method: 'POST',
      body: 'order',
      headers: { host: 'admin.shop:8080', 'user-agent': 'test', 'x-request-id': 'mine' },
    })
    expect(seen).toMatchObject({ name: 'east admin', method: 'POST', path: '/api/v1/users?a=1', body: 'order' })
    const { 'x-forwarded-for': from, ...headers } = seen?.headers ?? {}
    expect(from).toMatch(/^[\d.]+$/)
    expect(headers).toEqual({
      host: 'admin.shop:8080',
      'user-agent': 'test',
      'content-length': '5',
      'x-request-id': 'mine',
      'x-forwarded-proto': 'http',
    })
  })

  test('a local application sees hardly that there is a proxy', async () => {
    const { seen } = await call({ ...to('first'), headers: { host: 'first.shop', 'user-agent': 'test' } })
    expect(seen?.name).toBe('west web')
    const { 'x-request-id': id, ...headers } = seen?.headers ?? {}
    expect(id).toMatch(/^[-0-9a-f]{36}$/)
    expect(headers).toEqual({ host: 'first.shop', 'user-agent': 'test', 'x-forwarded-proto': 'http' })
  })

  test('a foreign Host goes to the import all the same, and arrives', async () => {
    const { seen } = await call({ ...to('order'), headers: { host: 'www.example.org' } })
    expect(seen).toMatchObject({ name: 'north web', headers: { host: 'www.example.org' } })
  })

  test('no scratch header can be set by a caller, nor arrives', async () => {
    const { seen } = await call({
      ...to('order'),
      path: '/mine',
      headers: {
        'x-portolan-destination': `${world.vip('shop/first')}:${world.port}`,
        'x-portolan-target': '/east/web/admin',
        'x-portolan-authority': 'evil',
        host: 'good',
      },
    })
    expect(seen).toMatchObject({ name: 'north web', path: '/mine', headers: { host: 'good' } })
    expect(Object.keys(seen?.headers ?? {}).filter((name) => name.startsWith('x-portolan'))).toEqual([])
  })

  test('WebSocket', async () => {
    const { host, port } = to('order')
    const hello = [
      'GET /chat HTTP/1.1',
      'Host: order.shop',
      'Connection: Upgrade',
      'Upgrade: websocket',
      'Sec-WebSocket-Key: dGVzdA==',
      'Sec-WebSocket-Version: 13',
    ]
    const received = await converse(host, port, `${hello.join('\r\n')}\r\n\r\n`, (text) =>
      text.endsWith('ping') ? true : text.endsWith('\r\n\r\n') ? 'ping' : false,
    )
    expect(received).toMatch(/^HTTP\/1.1 101 [\s\S]*ping$/)
    expect(world.apps.flatMap((app) => app.seen)).toMatchObject([{ name: 'north web', path: '/chat' }])
  })

  test('HTTP/1.0', async () => {
    const { host, port } = to('order')
    const received = await converse(host, port, 'GET /old HTTP/1.0\r\nHost: order.shop\r\n\r\n', () => false)
    expect(received).toMatch(/^HTTP\/1\.[01] 200 [\s\S]*"path":"\/old"/)
  })

  test('gRPC, with trailers', async () => {
    const { host, port } = to('grpc')
    const answer = await callH2(host, port, '/pkg.Service/Method', 'message', {
      'content-type': 'application/grpc',
      te: 'trailers',
    })
    expect(answer).toMatchObject({ status: 200, body: 'message', headers: { 'x-name': 'east grpc' } })
    expect(answer.trailers['grpc-status']).toBe('0')
  })

  test('the access log says who answered, and after how many tries', async () => {
    await call({ ...to('order'), path: '/logged' })
    const lines = async () =>
      world.sidecar
        .output()
        .split('\n')
        .filter((line) => line.includes('/logged'))
    await expect.poll(lines).toHaveLength(1)
    expect(JSON.parse((await lines())[0] ?? '')).toMatchObject({
      cluster: 'north',
      code: 200,
      method: 'GET',
      path: '/north/web/logged',
      prefix: '/north/web',
      service: `out|shop/order|${world.port}`,
      tries: 1,
    })
  })

  test('statistics count calls by cluster', async () => {
    await call(to('order'))
    const counted = await world.sidecar.stats('^cluster.out.shop/order.*zone.*upstream_rq_2xx')
    expect(Object.keys(counted)).toEqual([`cluster.out|shop/order|${world.port}.zone.west.north.upstream_rq_2xx`])
  })

  test('what nobody serves is answered with a sentence', async () => {
    expect((await call(to('drained'))).text).toBe('portolan: no cluster takes calls to this service and port\n')
    expect((await call(to('unserved'))).text).toBe('portolan: no export is served at this path\n')
  })
})

describe.each([
  ['does not serve the path, yet or any more', 'early'],
  ['reaches no pod', 'asleep'],
])('a gateway that %s', (_, service) => {
  test.each(['GET', 'POST'])('has its calls sent elsewhere, as nobody has seen them: %s', async (method) => {
    const body = method === 'POST' ? { body: 'order' } : {}
    const answers = await Promise.all(
      Array.from({ length: 12 }, () => call({ ...to(service), path: '/a', method, ...body })),
    )
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200))
    expect(world.apps.flatMap((app) => app.seen)).toHaveLength(12)
  })
})

describe('an application behind a gateway', () => {
  test('that breaks off a POST is the only one that gets it', async () => {
    for (const app of world.apps) app.behaviour = () => 'reset'
    const { status } = await call({ ...to('api'), method: 'POST', body: 'once' })
    for (const app of world.apps) app.behaviour = () => 'answer'
    expect(status).toBe(503)
    expect(world.apps.flatMap((app) => app.seen)).toHaveLength(1)
  })

  test('cannot pretend that nobody has seen a call: its answer is final', async () => {
    const answer = await call({
      ...to('order'),
      method: 'POST',
      body: 'once',
      headers: { 'x-answer-with': 'x-portolan-unserved' },
    })
    expect(answer).toMatchObject({ status: 200, seen: { name: 'north web', body: 'once' } })
    expect(world.apps.flatMap((app) => app.seen)).toHaveLength(1)
  })
})

describe('statistics on the pod’s address', () => {
  test.each([
    ['GET', '/ready', 200],
    ['GET', '/stats?filter=version_text', 200],
    ['GET', '/stats/prometheus', 200],
    ['POST', '/ready', 404],
    ['POST', '/quitquitquit', 404],
    ['GET', '/quitquitquit', 404],
    ['GET', '/config_dump', 404],
    ['GET', '/stats/recentlookups', 404],
    ['POST', '/stats/prometheus', 404],
    ['GET', '/ready/../config_dump', 404],
  ])('%s %s: %i', async (method, path, status) => {
    expect((await call({ host: '127.0.0.1', port: world.sidecar.metricsPort, path, method })).status).toBe(status)
  })
})
