/** What gateways serve on after nobody asks for it any more, for how long, and what becomes of that over a restart. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { firstEnd, servedUntil } from '../../compiler/controller/linger.ts'
import { readGatewayTable } from '../../compiler/controller/read-table.ts'
import type { GatewayRoute } from '../../compiler/tables.ts'
import { until } from '../lab/run.ts'
import type { ApiServer } from './apiserver.ts'
import { kubectl, type Replica, SYSTEM, startInstalled, startReplica } from './compiler.ts'
import { type Anything, type Look, lookAt } from './look.ts'
import { exported, imported, namespace, policy, service } from './objects.ts'

const route = (path: string, more: Partial<GatewayRoute> = {}): GatewayRoute => ({
  service: 'shop/pay',
  port: 8080,
  path,
  pathType: 'Prefix',
  endpoints: [{ host: '10.0.0.1', port: 80 }],
  http2: false,
  ...more,
})

describe('until when a route is served that nobody asks for any more', () => {
  const NOW = Date.parse('2026-01-01T00:00:10Z')
  test.each([
    ['served until now: as long as is granted', route('/a'), 30, '2026-01-01T00:00:40Z'],
    ['given before: stays', route('/a', { until: '2026-01-01T00:00:20Z' }), 30, '2026-01-01T00:00:20Z'],
    [
      'given by a clock that is ahead, or when more was granted: cut',
      route('/a', { until: '2026-01-01T00:05:00Z' }),
      30,
      '2026-01-01T00:00:40Z',
    ],
    ['over', route('/a', { until: '2026-01-01T00:00:10Z' }), 30, undefined],
    ['long over, as after a restart', route('/a', { until: '2025-01-01T00:00:00Z' }), 30, undefined],
    ['nothing is granted', route('/a'), 0, undefined],
    ['nothing is granted any more', route('/a', { until: '2026-01-01T00:00:20Z' }), 0, undefined],
  ])('%s', (_, served, seconds, expected) => {
    expect(servedUntil([served], NOW, seconds)).toEqual(expected === undefined ? [] : [{ ...served, until: expected }])
  })

  test('parts of a second are granted whole, and asked again it says the same', () => {
    const [first] = servedUntil([route('/a')], NOW + 1, 30)
    expect(first?.until).toBe('2026-01-01T00:00:41Z')
    for (const later of [1, 400, 999, 1_000, 30_998])
      expect(servedUntil(first === undefined ? [] : [first], NOW + later, 30)).toEqual([first])
  })

  test('the first end is the one to wait for', () => {
    expect(firstEnd([route('/a')])).toBeUndefined()
    const ends = ['2026-01-01T00:00:40Z', '2026-01-01T00:00:20Z'].map((end) => route('/a', { until: end }))
    expect(firstEnd([route('/b'), ...ends])).toBe(Date.parse('2026-01-01T00:00:20Z'))
  })
})

describe('a table that was edited by hand', () => {
  test.each([
    ['no JSON', '{'],
    ['no object', 'null'],
    ['no version', '{"routes":[]}'],
    ['no list', '{"version":"x","routes":{}}'],
  ])('is none: %s', (_, text) => {
    expect(readGatewayTable(text)).toBeUndefined()
  })

  test('loses what is no route, and what would cost a gateway the whole file', () => {
    const good = [
      route('/a'),
      route('/b', { rewrite: { from: '^/b', to: '/' }, fallback: { host: '10.43.0.1', port: 80 } }),
      route('/c', { until: '2026-01-01T00:00:20Z', endpoints: [] }),
    ]
    const bad = [
      null,
      'route',
      {},
      { ...route('/a'), path: 'a' },
      { ...route('/a'), pathType: 'Regex' },
      { ...route('/a'), port: 0 },
      { ...route('/a'), endpoints: [{ host: '10.0.0.1' }] },
      { ...route('/a'), endpoints: undefined },
      { ...route('/a'), fallback: '10.43.0.1' },
      { ...route('/a'), rewrite: { from: '(', to: '/' } },
      { ...route('/a'), until: 'soon' },
      { ...route('/a'), http2: undefined },
    ]
    expect(readGatewayTable(JSON.stringify({ version: 'x', routes: [...bad, ...good] }))).toEqual({
      version: 'x',
      routes: good,
      tcp: [],
    })
  })
})

describe('on an API server', () => {
  let api: ApiServer
  let look: Look
  const replicas: Replica[] = []

  beforeAll(async () => {
    api = await startInstalled()
    look = lookAt(api)
    await look.apply(namespace('shop'))
  })
  afterEach(async () => {
    for (const replica of replicas.splice(0)) await replica.stop()
  })
  afterAll(() => api?.stop())

  const replica = async (gatewayLinger: number) => {
    const started = await startReplica(api, { gatewayLinger })
    replicas.push(started)
    await until('it leads', started.leads)
    return started
  }
  const gateway = async () =>
    readGatewayTable((await look.get<Anything>('configmap', SYSTEM, 'portolan-gateway'))?.data?.['table.json'])
  /** `/path` of each route, and `/path …` of one that is served on. */
  const paths = async () =>
    ((await gateway())?.routes ?? []).map(({ path, until }) => (until === undefined ? path : `${path} …`)).toSorted()
  const become = (expected: readonly string[]) =>
    until(`the gateway serves ${expected}`, async () => JSON.stringify(await paths()) === JSON.stringify(expected))
  const at = (path: string) => ({ ...exported('shop', 'pay'), spec: { rules: [{ portNumber: 8080, path }] } })

  test('a path that changes is served on for as long as is granted, and no longer', async () => {
    await look.apply(service('shop', 'pay'), at('/one'))
    await replica(3)
    await become(['/one'])
    await look.apply(at('/two'))
    await become(['/one …', '/two'])
    await become(['/two'])
  })

  test('an export deleted, its Service deleted first: served on over a restart, to the same end', async () => {
    const first = await replica(3_600)
    await become(['/two'])
    await kubectl(api, ['delete', 'service', '-n', 'shop', 'pay'])
    await become(['/two …'])
    await kubectl(api, ['delete', 'sexp', '-n', 'shop', 'pay'])
    await look.settled()
    const before = await gateway()
    expect(before?.routes.length).toBe(1)
    await first.stop()
    replicas.splice(0)
    await replica(3_600)
    await look.apply(namespace('another'))
    await until('a pass', async () => (await look.table('another')) !== null)
    expect(await gateway()).toEqual(before)
  })

  test('withdrawn while no compiler ran: callers are given the same time', async () => {
    const first = await replica(3_600)
    await look.apply(service('shop', 'pay'), at('/three'))
    await become(['/three', '/two …'])
    await first.stop()
    replicas.splice(0)
    await look.apply(at('/four'))
    await replica(3_600)
    await become(['/four', '/three …', '/two …'])
  })

  test('asked for again it is as before; another export of the path takes it over at once', async () => {
    await replica(3_600)
    await look.apply(service('shop', 'heir'), {
      ...exported('shop', 'heir'),
      spec: { rules: [{ portNumber: 8080, path: '/three' }] },
    })
    await look.apply(at('/two'))
    await become(['/four …', '/three', '/two'])
    expect((await gateway())?.routes.find(({ path }) => path === '/three')?.service).toBe('shop/heir')
  })

  test('a rewrite or a port that changes changes at once', async () => {
    await replica(3_600)
    await look.apply({
      ...service('shop', 'pay'),
      spec: { ports: [8080, 9090].map((port) => ({ name: `p${port}`, port })) },
    })
    const rewrite = { from: '^/two', to: '/v2' }
    await look.apply({ ...at('/two'), spec: { rules: [{ portNumber: 9090, path: '/two' }], pathRewrite: rewrite } })
    await until('the route is the new one', async () => {
      const two = (await gateway())?.routes.filter(({ path }) => path === '/two')
      return two?.length === 1 && two[0]?.port === 9090 && two[0]?.rewrite?.to === '/v2' && two[0].until === undefined
    })
  })

  test('an import that is gone: its name leaves at once, its address later', async () => {
    await replica(3)
    const slice = {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: { namespace: 'shop', name: 'web-1', labels: { 'kubernetes.io/service-name': 'web' } },
      addressType: 'IPv4',
      endpoints: [{ addresses: ['10.1.0.9'] }],
      ports: [{ name: 'http', port: 8080 }],
    }
    await look.apply(service('shop', 'web'), slice, imported('shop', 'web'), policy('shop', 'web'))
    const routed = async () => (await look.table('shop'))?.routes.some(({ service }) => service === 'shop/web') ?? false
    const named = async () =>
      (await look.get<Anything>('configmap', SYSTEM, 'portolan-dns'))?.data?.['hosts']?.includes('web.shop') ?? false
    await until('calls are routed by name', async () => (await routed()) && (await named()))
    await kubectl(api, ['delete', 'simp', '-n', 'shop', 'web'])
    await until('the name is gone', async () => !(await named()))
    expect(await routed()).toBe(true)
    await until('the address is gone', async () => !(await routed()))
  })

  test('nothing is granted: what was served on ends at once, and so does what is withdrawn', async () => {
    await replica(0)
    await become(['/three', '/two'])
    await kubectl(api, ['delete', 'sexp', '-n', 'shop', 'pay', 'heir'])
    await become([])
  })
})
