/** A sidecar that applications are told of, a real Envoy with real callers. */

import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { explicitBootstrap, explicitNames } from '../../compiler/render-explicit.ts'
import { sidecarCds } from '../../compiler/render-sidecar.ts'
import type { ImportName, ServiceRoute, SidecarTable } from '../../compiler/tables.ts'
import { freePort } from '../lab/ports.ts'
import { type Backend, startBackend } from './backend.ts'
import { converse, startLoad } from './call.ts'
import { Mount, type RunningEnvoy, startEnvoy } from './proxy.ts'

let east: Backend
let local: Backend
let proxy: RunningEnvoy
let explicitPort: number
const mount = new Mount()

const routeTo = (service: string, vip: string, port: number): ServiceRoute => ({
  service,
  vip,
  port,
  policy: 'FailOver',
  backends: [
    {
      clusterKey: 'default/default/default/east',
      local: false,
      priority: 0,
      weight: 100,
      endpoints: [{ host: east.host, port: east.port }],
      pathPrefix: `/east${service.slice(service.indexOf('/'))}`,
    },
  ],
})

const NAMES: readonly ImportName[] = [
  { service: 'shop/web', vip: '240.240.0.1', plain: 'routed' },
  { service: 'shop/stock', vip: '240.240.0.2', plain: 'local' },
  { service: 'shop/gone', vip: '240.240.0.3', plain: 'refused' },
  { service: 'shop/full', plain: 'refused' },
]

const tableOf = (names: readonly ImportName[], version: string): SidecarTable => ({
  namespace: 'shop',
  version,
  tcpRange: '240.240.128.0/17',
  names: { domain: 'cluster.local', imports: names },
  routes: names.flatMap(({ service, vip }) =>
    vip === undefined ? [] : [routeTo(service, vip, 80), routeTo(service, vip, 8080)],
  ),
})

const filesOf = (table: SidecarTable) => ({
  'cds.json': sidecarCds(table),
  'names.json': explicitNames(table.version, table.names ?? { domain: '', imports: [] }),
})

beforeAll(async () => {
  ;[east, local] = await Promise.all([startBackend('east', '127.60.0.1'), startBackend('local', '127.43.0.1')])
  mount.swap(filesOf(tableOf(NAMES, 'one')))
  const [adminPort, metricsPort] = [await freePort(), await freePort()]
  explicitPort = await freePort()
  const settings = { clusterKey: 'a/b/c/west', directory: mount.directory, accessLog: true, adminPort, metricsPort }
  Object.assign(process.env, { POD_IP: '10.1.2.3', POD_NAMESPACE: 'shop' })
  proxy = await startEnvoy(explicitBootstrap({ ...settings, explicitPort }), settings)
  await proxy.runs('one')
})
afterAll(async () => {
  await proxy?.stop()
  mount.remove()
  await Promise.all([east, local].map((each) => each?.kill()))
})

const curl = async (...args: readonly string[]) => {
  const proxied = ['-s', '-x', `http://127.0.0.1:${explicitPort}`, '-w', '\n%{http_code}']
  const { stdout } = await promisify(execFile)('curl', [...proxied, ...args]).catch((error) => error)
  const lines = String(stdout).split('\n')
  const status = Number(lines.pop())
  const text = lines.join('\n')
  return { status, text, seen: text.startsWith('{') ? JSON.parse(text) : undefined }
}

describe('a call by name', () => {
  test.each([
    ['web'],
    ['web:8080'],
    ['web.shop'],
    ['web.shop:8080'],
    ['web.shop.svc'],
    ['web.shop.svc:8080'],
    ['web.shop.svc.cluster.local'],
    ['WEB.Shop.svc.cluster.local:8080'],
    ['web.shop.svc.cluster.local.'],
    ['web.shop.svc.clusterset.local:8080'],
    ['stock.shop.svc.clusterset.local'],
    ['gone.shop.svc.clusterset.local'],
    ['240.240.0.1:8080'],
  ])('%s is one to the import', async (authority) => {
    const { status, seen } = await curl(`http://${authority}/a%20b?x=1`)
    const service = /stock|gone/.exec(authority)?.[0] ?? 'web'
    expect({ status, name: seen?.name, path: seen?.path }).toEqual({
      status: 200,
      name: 'east',
      path: `/east/${service}/a%20b?x=1`,
    })
    expect(seen.headers.host).toBe(authority)
    expect(Object.keys(seen.headers).filter((name) => /portolan-(?!caller)|^proxy-/.test(name))).toEqual([])
    expect(seen.headers['x-portolan-caller']).toBe('10.1.2.3')
  })

  test.each([['gone.shop'], ['gone.shop.svc.cluster.local:8080'], ['full'], ['full.shop.svc.clusterset.local']])(
    '%s is refused with a sentence',
    async (authority) => {
      const { status, text } = await curl(`http://${authority}/`)
      expect({ status, text }).toEqual({
        status: 503,
        text: expect.stringMatching(
          /^portolan: shop\/\w+ is imported, but not in this cluster, and no policy routes it/,
        ),
      })
    },
  )

  test('a port that nobody serves says so', async () => {
    const { status, text } = await curl('http://web.shop:81/')
    expect({ status, text }).toEqual({ status: 503, text: expect.stringContaining('no cluster takes calls') })
  })

  test('through a tunnel too, as some clients want one for everything', async () => {
    const { status, seen } = await curl('-p', 'http://web.shop:8080/tunnelled')
    expect({ status, name: seen?.name, path: seen?.path }).toEqual({
      status: 200,
      name: 'east',
      path: '/east/web/tunnelled',
    })
  })

  test('a caller cannot say where it goes', async () => {
    const { status, seen } = await curl(
      '-H',
      'x-portolan-destination: 240.240.0.1:80',
      `http://${local.host}:${local.port}/`,
    )
    expect({ status, name: seen?.name }).toEqual({ status: 200, name: 'local' })
    expect(seen.headers['x-portolan-destination']).toBeUndefined()
  })
})

describe('what is no import is passed on', () => {
  test.each([
    ['GET', []],
    ['POST', ['-d', 'body']],
    ['PUT through a tunnel', ['-p', '-X', 'PUT', '-d', 'body']],
  ])('%s', async (_, args) => {
    const { status, seen } = await curl(...args, `http://${local.host}:${local.port}/plain?q=%2F`)
    expect({ status, name: seen?.name, path: seen?.path }).toEqual({ status: 200, name: 'local', path: '/plain?q=%2F' })
    expect(seen.headers.host).toBe(`${local.host}:${local.port}`)
    expect(Object.keys(seen.headers).filter((name) => /^(x-portolan|x-envoy|proxy-)/.test(name))).toEqual([])
  })

  test('to nobody, where nobody listens', async () => {
    expect((await curl(`http://localhost:${local.port}/`)).status).toBe(503)
  })

  test.each([['stock.shop'], ['unknown.shop'], ['a.b.c.d'], ['nowhere.example']])(
    '%s is asked of DNS, which does not know it here',
    async (name) => {
      const { status, text } = await curl(`http://${name}/`)
      expect({ status, text }).toEqual({ status: 503, text: expect.stringMatching(/DNS|dns/) })
    },
  )

  test('https without a tunnel is told how', async () => {
    const request = 'GET https://nowhere.example/ HTTP/1.1\r\nhost: nowhere.example\r\nconnection: close\r\n\r\n'
    expect(await converse('127.0.0.1', explicitPort, request, () => false)).toMatch(/^HTTP\/1.1 501 .*by CONNECT/s)
  })

  test.each([
    ['GET / HTTP/1.1\r\nhost: [::1\r\nconnection: close\r\n\r\n'],
    ['GET / HTTP/1.0\r\n\r\n'],
    ['GET / HTTP/1.1\r\nhost: a:b:c\r\nconnection: close\r\n\r\n'],
  ])('nonsense is answered: %j', async (request) => {
    expect(await converse('127.0.0.1', explicitPort, request, () => false)).toMatch(/^HTTP\/1.[01] [45]/)
  })
})

test('imports that come and go lose no call of others', async () => {
  const load = startLoad({ host: '127.0.0.1', port: explicitPort, path: 'http://web.shop:8080/load' })
  for (let round = 1; round <= 20; round++) {
    const more = Array.from(
      { length: round % 5 },
      (_, i): ImportName => ({ service: `shop/n${i}`, vip: `240.240.1.${i}`, plain: 'routed' }),
    )
    mount.swap(filesOf(tableOf([...NAMES, ...more], `r${round}`)))
    await proxy.runs(`r${round}`)
    // The one that has just come is there.
    if (more.length > 0) expect((await curl(`http://n0.shop/`)).status).toBe(200)
  }
  expect(Object.keys(await load.stop())).toEqual(['east'])
})
