import { X509Certificate } from 'node:crypto'
import tls from 'node:tls'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { bundleMapText, issueIdentity, issueRoot, type KeyPair, spiffeBundle, spiffeId } from '../../certs/spiffe.ts'
import { compile } from '../../compiler/compile.ts'
import type { SidecarTable, Trust } from '../../compiler/tables.ts'
import * as build from '../compiler/build.ts'
import { freePort } from '../lab/ports.ts'
import { until } from '../lab/run.ts'
import { type Backend, startBackend } from './backend.ts'
import { type Answer, call, startLoad } from './call.ts'
import { type Gateway, Identity, type Sidecar, startGateway, startSidecar, VIP_RANGE } from './site.ts'

const HOUR = 3_600_000
const domainOf = (cluster: string) => `${cluster}.portolan.local`
const gatewayOf = (cluster: string) => spiffeId(domainOf(cluster), 'portolan-system', 'portolan-gateway')
const CALLER = spiffeId(domainOf('west'), 'app', 'curl')

interface Issuer {
  readonly root: KeyPair
  /** @param from, to in hours from now */
  readonly issue: (id: string, from?: number, to?: number) => Promise<KeyPair>
}

const issuer = async (commonName: string): Promise<Issuer> => {
  const root = await issueRoot({ commonName, now: Date.now() - 9 * HOUR, lifeMs: 24 * HOUR })
  return {
    root,
    issue: (id, from = 0, to = 1) =>
      issueIdentity({ root, id, now: Date.now() + from * HOUR, lifeMs: (to - from) * HOUR }),
  }
}

const SERVICES = ['web', 'later', 'again', 'plainly', 'alone'] as const

let [west, east, north, foreign]: Issuer[] = []
let port: number
let app: Backend
const gateways: Record<string, Gateway> = {}
const identities: Record<string, Identity> = {}
let sidecar: Sidecar
const stops: (() => Promise<void> | void)[] = []

const made = <T>(value: T | undefined): T => {
  if (value === undefined) throw new Error('not there')
  return value
}

const trusting = (cluster: string, roots: Readonly<Record<string, readonly Issuer[]>> = {}): Trust => {
  const known = { west: [made(west)], east: [made(east)], north: [made(north)], ...roots }
  return {
    trustDomain: domainOf(cluster),
    bundle: bundleMapText(
      Object.fromEntries(
        Object.entries(known).map(([name, own]) => [domainOf(name), spiffeBundle(own.map(({ root }) => root.cert))]),
      ),
    ),
    clusters: Object.fromEntries(
      Object.keys(known).map((name) => [
        build.clusterKey(name),
        { trustDomain: domainOf(name), gateway: gatewayOf(name) },
      ]),
    ),
  }
}

const meshOf = (cluster: string) => ({ ...build.mesh, clusterKey: build.clusterKey(cluster), vipRange: VIP_RANGE })

const gatewayTable = (cluster: string, trust: Trust) =>
  compile(
    build.snapshot({
      mesh: meshOf(cluster),
      trust,
      services: [build.service('shop/web', { clusterIP: 'None', ports: [{ port }] })],
      endpointSlices: [build.pods('shop/web', [app.host], app.port)],
      exports: [build.serviceExport('shop/web', { rules: [{ portNumber: port, path: `/${cluster}/web` }] })],
    }),
  ).gateway

/** Each of the services first at east, then at north; `alone` is at east and nowhere else. */
const sidecarTable = (trust: Trust): SidecarTable => {
  const at = (cluster: string) => ({
    cluster,
    host: '127.0.0.1',
    port: made(gateways[cluster]).port,
    path: `/${cluster}/web`,
  })
  const [table] = compile(
    build.snapshot({
      mesh: meshOf('west'),
      trust,
      imports: SERVICES.map((name) =>
        build.serviceImport(`shop/${name}`, name === 'alone' ? [at('east')] : [at('east'), at('north')], [{ port }]),
      ),
      policies: SERVICES.map((name) =>
        build.policy(`shop/${name}`, 'FailOver', [
          { cluster: 'east', priority: 0 },
          ...(name === 'alone' ? [] : [{ cluster: 'north', priority: 1 }]),
        ]),
      ),
    }),
  ).sidecars
  return made(table)
}

const callIt = (
  service: (typeof SERVICES)[number],
  more: Partial<Parameters<typeof call>[0]> = {},
): Promise<Answer> => {
  const { vip } = made(sidecarTable(trusting('west')).routes.find((route) => route.service === `shop/${service}`))
  return call({ host: vip, port, path: '/hello', ...more })
}

beforeAll(async () => {
  ;[west, east, north, foreign] = await Promise.all(['west', 'east', 'north', 'foreign'].map(issuer))
  port = await freePort()
  app = await startBackend('web', '127.60.1.1')
  for (const [cluster, own] of [['east', made(east)] as const, ['north', made(north)] as const]) {
    const identity = new Identity(await own.issue(gatewayOf(cluster)))
    identities[cluster] = identity
    gateways[cluster] = await startGateway(
      gatewayTable(cluster, trusting(cluster)),
      build.clusterKey(cluster),
      undefined,
      identity,
    )
  }
  identities['west'] = new Identity(await made(west).issue(CALLER))
  sidecar = await startSidecar(sidecarTable(trusting('west')), build.clusterKey('west'), [], identities['west'])
  stops.push(sidecar.stop, ...Object.values(gateways).map(({ stop }) => stop), app.kill)
  stops.push(...Object.values(identities).map((identity) => () => identity.remove()))
})

afterAll(async () => {
  for (const stop of stops) await stop()
})

/** One request straight to a gateway, with TLS: the status, or what became of the handshake. */
const dial = (cluster: string, pair?: KeyPair): Promise<string> =>
  new Promise((resolve) => {
    const { port } = made(gateways[cluster])
    const socket = tls.connect({ host: '127.0.0.1', port, rejectUnauthorized: false, ...pair }, () => {
      socket.write(`GET /${cluster}/web/x HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`)
    })
    let text = ''
    socket.on('data', (chunk) => (text += chunk))
    socket.on('error', () => resolve('refused'))
    socket.on('end', () => resolve(text.split(' ')[1] ?? 'closed'))
  })

const logged = (cluster: string): readonly Record<string, unknown>[] =>
  made(gateways[cluster])
    .output()
    .split('\n')
    .flatMap((line) => (line.startsWith('{') ? [JSON.parse(line)] : []))

describe('a call between clusters', () => {
  test('is encrypted, and both sides know each other', async () => {
    const { status, seen } = await callIt('web')
    expect([status, seen?.path]).toEqual([200, '/hello'])
    expect(seen?.headers['x-forwarded-client-cert']).toContain(`URI=${CALLER}`)
    await until('the gateway tells who called', () => logged('east').some(({ client }) => client === CALLER))
  })

  test('in plain HTTP is served at the same port, and nobody is taken for anybody', async () => {
    const { port } = made(gateways['east'])
    const headers = { 'x-forwarded-client-cert': `URI=${CALLER}` }
    const { status, seen } = await call({ host: '127.0.0.1', port, path: '/east/web/x', headers })
    expect(status).toBe(200)
    expect(seen?.headers['x-forwarded-client-cert']).toBeUndefined()
  })
})

describe('a gateway refuses, and says why', () => {
  const refused: readonly (readonly [string, () => Promise<KeyPair> | undefined, Record<string, unknown>])[] = [
    [
      'our trust domain, signed by a root of nobody',
      () => made(foreign).issue(CALLER),
      { client: CALLER, issuer: 'CN=foreign', why: 'unable_to_get_local_issuer_certificate' },
    ],
    [
      'our trust domain, signed by the root of another member',
      () => made(north).issue(CALLER),
      { client: CALLER, issuer: 'CN=north', why: 'unable_to_get_local_issuer_certificate' },
    ],
    [
      'a trust domain of nobody',
      () => made(foreign).issue(spiffeId('elsewhere.example', 'app', 'curl')),
      { client: 'spiffe://elsewhere.example/ns/app/sa/curl', why: 'no_trust_bundle_store' },
    ],
    ['expired', () => made(west).issue(CALLER, -3, -2), { client: CALLER, why: 'certificate_has_expired' }],
    ['not valid yet', () => made(west).issue(CALLER, 2, 3), { client: CALLER, why: 'certificate_is_not_yet_valid' }],
    ['no certificate', () => undefined, { client: null, why: 'PEER_DID_NOT_RETURN_A_CERTIFICATE' }],
  ]

  const refusals = () => logged('east').filter(({ refused }) => refused !== undefined)

  test.each(refused)('%s', async (_, certificate, { why, ...rest }) => {
    const before = refusals().length
    expect(await dial('east', await certificate())).toBe('refused')
    await until('the gateway tells', () => refusals().length > before)
    const [line, ...more] = refusals().slice(before)
    expect(more).toEqual([])
    expect(line).toMatchObject({ refused: 'TLS', why: expect.stringContaining(String(why)), ...rest })
  })

  test('and serves the same client with a good certificate', async () => {
    expect(await dial('east', await made(west).issue(CALLER))).toBe('200')
  })
})

describe('a sidecar', () => {
  test('takes nobody but the gateway of a cluster for it, and then calls the next: a POST once', async () => {
    const seen = app.seen.length
    // An account of the very name, in a namespace of somebody else's.
    made(identities['east']).renew(await made(east).issue(spiffeId(domainOf('east'), 'shop', 'portolan-gateway')))
    await until('the gateway shows its new certificate', async () => (await shown('east')).includes('/ns/shop/sa/'))
    const answer = await callIt('later', { method: 'POST', body: 'once' })
    expect([answer.status, answer.seen?.body]).toEqual([200, 'once'])
    expect(app.seen.length - seen).toBe(1)
    expect((await callIt('alone')).status).toBe(503)
    made(identities['east']).renew(await made(east).issue(gatewayOf('east')))
    await until('its old one again', async () => (await shown('east')).endsWith(gatewayOf('east')))
    await until('it is called again', async () => (await callIt('alone')).status === 200)
  })

  test('does not take the gateway of one member for that of another', async () => {
    made(identities['east']).renew(await made(north).issue(gatewayOf('north')))
    await until('the gateway shows its new certificate', async () => (await shown('east')).includes('north'))
    const before = logged('north').length
    expect((await callIt('again')).status).toBe(200)
    await until('north has answered', () => logged('north').length > before)
    made(identities['east']).renew(await made(east).issue(gatewayOf('east')))
    await until('its old one again', async () => (await shown('east')).includes('east'))
  })

  test('calls elsewhere while a gateway knows nothing of TLS yet, as before its upgrade: nothing is lost', async () => {
    const { port: at } = made(gateways['east'])
    const plain = await startGateway(gatewayTable('east', trusting('east')), build.clusterKey('east'))
    const old = sidecarTable(trusting('west'))
    const moved = JSON.parse(JSON.stringify(old).replaceAll(`"port":${at}`, `"port":${plain.port}`))
    await sidecar.swap({ ...moved, version: 'an old gateway' })
    const answers = await Promise.all([callIt('plainly'), callIt('plainly', { method: 'POST', body: 'x' })])
    expect(answers.map(({ status }) => status)).toEqual([200, 200])
    await sidecar.swap(old)
    await plain.stop()
  })
})

test('a root that rolls costs no call: known first, then used, then the old one is dropped', async () => {
  const next = await issuer('west again')
  const both = { west: [made(west), next] }
  const only = { west: [next] }
  const swap = async (roots: typeof both) => {
    for (const cluster of ['east', 'north'])
      await made(gateways[cluster]).swap(gatewayTable(cluster, trusting(cluster, roots)))
    await sidecar.swap(sidecarTable(trusting('west', roots)))
  }
  const { vip } = made(sidecarTable(trusting('west')).routes.find(({ service }) => service === 'shop/web'))
  const load = startLoad({ host: vip, port, path: '/rolling', headers: { connection: 'close' } }, 2)
  await swap(both)
  made(identities['west']).renew(await next.issue(CALLER))
  await until('the new root signs', async () => (await dial('east', await next.issue(CALLER))) === '200')
  await swap(only)
  await until('the old root is not believed', async () => {
    return (await dial('east', await made(west).issue(CALLER))) === 'refused'
  })
  const { web = 0, ...failed } = await load.stop()
  expect(failed).toEqual({})
  expect(web).toBeGreaterThan(0)
})

/** The SPIFFE id that a gateway shows. */
const shown = (cluster: string): Promise<string> =>
  new Promise((resolve, reject) => {
    const { port } = made(gateways[cluster])
    const socket = tls.connect({ host: '127.0.0.1', port, rejectUnauthorized: false })
    socket.on('error', reject)
    socket.on('secureConnect', () => {
      resolve(new X509Certificate(socket.getPeerCertificate().raw).subjectAltName ?? '')
      socket.destroy()
    })
  })
