/** What TrafficTargets and their routes let in at a gateway, by certificate. */
import { once } from 'node:events'
import https from 'node:https'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { compile } from '../../compiler/compile.ts'
import * as build from '../compiler/build.ts'
import { bundleMap, startAuthority } from './authority.ts'
import { type Backend, startBackend } from './backend.ts'
import { call } from './call.ts'
import { type Gateway, Identity, startGateway } from './site.ts'

let app: Backend
let gateway: Gateway
let identity: Identity
const authority = await startAuthority('west.portolan.local')
const idOf = (account: string) => {
  const [namespace, name] = account.split('/')
  return authority.issue(`spiffe://west.portolan.local/ns/${namespace}/sa/${name}`)
}

const target = (name: string, source: string, matches?: readonly string[]) => ({
  apiVersion: 'access.smi-spec.io/v1alpha3',
  kind: 'TrafficTarget',
  metadata: { namespace: 'shop', name },
  spec: {
    destination: { kind: 'ServiceAccount', name: 'web' },
    sources: [{ kind: 'ServiceAccount', namespace: source.split('/')[0] ?? '', name: source.split('/')[1] ?? '' }],
    ...(matches === undefined ? {} : { rules: [{ kind: 'HTTPRouteGroup', name: 'calls', matches }] }),
  },
})
const calls = {
  apiVersion: 'specs.smi-spec.io/v1alpha4',
  kind: 'HTTPRouteGroup',
  metadata: { namespace: 'shop', name: 'calls' },
  spec: {
    matches: [
      { name: 'root', pathRegex: '/', methods: ['GET'] },
      { name: 'read', pathRegex: '^/v1/.*$', methods: ['GET', 'HEAD'] },
      { name: 'phones', headers: [{ 'User-Agent': '.*Android.*' }] },
    ],
  },
}

beforeAll(async () => {
  app = await startBackend('web', '127.64.0.1')
  const { gateway: table } = compile(
    build.snapshot({
      trust: { ...build.trustIn('west'), bundle: bundleMap(authority) },
      services: [build.service('shop/web', { clusterIP: 'None', ports: [{ port: 80 }] })],
      endpointSlices: [build.pods('shop/web', [app.host], app.port)],
      exports: [build.serviceExport('shop/web', { rules: [{ portNumber: 80, path: '/web' }] })],
      access: {
        targets: [
          target('all', 'shop/boss'),
          target('some', 'shop/clerk', ['root', 'read']),
          target('few', 'shop/phone', ['phones']),
        ],
        httpGroups: [calls],
        tcpRoutes: [],
        accounts: new Map([['shop/web', ['web']]]),
      },
    }),
  )
  identity = new Identity(await idOf('portolan-system/portolan-gateway'))
  gateway = await startGateway(table, build.mesh.clusterKey, undefined, identity)
})
afterAll(async () => {
  await gateway?.stop()
  identity?.remove()
  await app?.kill()
})

async function status(account: string, method: string, path: string, headers: Readonly<Record<string, string>> = {}) {
  const { cert, key } = await idOf(account)
  const options = { host: '127.0.0.1', port: gateway.port, method, path, headers, cert, key, rejectUnauthorized: false }
  const request = https.request({ ...options, agent: false }).end()
  const [response] = await once(request, 'response')
  response.resume()
  await once(response, 'end')
  return response.statusCode
}

test.each<[string, string, string, number, Readonly<Record<string, string>>?]>([
  ['shop/boss', 'POST', '/web/anything', 200],
  ['other/boss', 'GET', '/web', 403],
  ['shop/nobody', 'GET', '/web', 403],
  ['shop/clerk', 'GET', '/web', 200],
  ['shop/clerk', 'GET', '/web/', 200],
  ['shop/clerk', 'GET', '/web/?a=/v1/', 200],
  ['shop/clerk', 'POST', '/web/', 403],
  ['shop/clerk', 'GET', '/web/v1/orders?x=y', 200],
  ['shop/clerk', 'HEAD', '/web/v1/orders', 200],
  ['shop/clerk', 'DELETE', '/web/v1/orders', 403],
  ['shop/clerk', 'GET', '/web/v2/orders', 403],
  ['shop/clerk', 'GET', '/web/v1', 403],
  ['shop/clerk', 'GET', '/web/v2/../v1/orders', 200],
  ['shop/clerk', 'GET', '/web/v1/../v2/orders', 403],
  ['shop/phone', 'POST', '/web/x', 200, { 'user-agent': 'An Android phone' }],
  ['shop/phone', 'POST', '/web/x', 403, { 'user-agent': 'A desk' }],
  ['shop/phone', 'POST', '/web/x', 403],
])('%s: %s %s: %i', async (account, method, path, expected, headers) => {
  expect(await status(account, method, path, headers)).toBe(expected)
})

test('without a certificate nobody is let in', async () => {
  app.seen.length = 0
  expect((await call({ host: '127.0.0.1', port: gateway.port, path: '/web' })).status).toBe(403)
  expect(app.seen).toEqual([])
})
