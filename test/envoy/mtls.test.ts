import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { bundleMapText, issueIdentity, issueRoot, type KeyPair, spiffeBundle, spiffeId } from '../../certs/spiffe.ts'
import { compile } from '../../compiler/compile.ts'
import type { Snapshot } from '../../compiler/snapshot.ts'
import type { Trust } from '../../compiler/tables.ts'
import * as build from '../compiler/build.ts'
import { type Backend, startBackend } from './backend.ts'
import { type Answer, call } from './call.ts'
import { freePort } from './proxy.ts'
import { type Gateway, Identity, type Sidecar, startGateway, startSidecar, VIP_RANGE } from './site.ts'

const HOUR = 3_600_000
const domainOf = (cluster: string) => `${cluster}.portolan.local`
const gatewayOf = (cluster: string) => spiffeId(domainOf(cluster), 'portolan-system', 'portolan-gateway')
const CALLER = spiffeId(domainOf('west'), 'app', 'curl')

interface Issuer {
  readonly root: KeyPair
  readonly issue: (id: string) => Promise<KeyPair>
}

const issuer = async (commonName: string): Promise<Issuer> => {
  const root = await issueRoot({ commonName, now: Date.now(), lifeMs: 24 * HOUR })
  return { root, issue: (id) => issueIdentity({ root, id, now: Date.now(), lifeMs: HOUR }) }
}

const meshOf = (cluster: string) => ({ ...build.mesh, clusterKey: build.clusterKey(cluster), vipRange: VIP_RANGE })

let west: Issuer
let east: Issuer
let trust: (cluster: string) => Trust
let port: number
let app: Backend
let gateway: Gateway
let sidecar: Sidecar
let identities: { readonly gateway: Identity; readonly sidecar: Identity }
let stopAll: (() => Promise<void> | void)[] = []

const gatewayTable = (trusted: Trust | undefined) => compile(eastSnapshot(trusted)).gateway
const eastSnapshot = (trusted: Trust | undefined): Snapshot =>
  build.snapshot({
    mesh: meshOf('east'),
    ...(trusted ? { trust: trusted } : {}),
    services: [build.service('shop/web', { clusterIP: 'None', ports: [{ port }] })],
    endpointSlices: [build.pods('shop/web', [app.host], app.port)],
    exports: [build.serviceExport('shop/web', { rules: [{ portNumber: port, path: '/east/web' }] })],
  })

const sidecarTable = (trusted: Trust | undefined) => {
  const [table] = compile(
    build.snapshot({
      mesh: meshOf('west'),
      ...(trusted ? { trust: trusted } : {}),
      imports: [
        build.serviceImport(
          'shop/web',
          [{ cluster: 'east', host: '127.0.0.1', port: gateway.port, path: '/east/web' }],
          [{ port }],
        ),
      ],
      policies: [build.policy('shop/web', 'FailOver', ['east'])],
    }),
  ).sidecars
  if (!table) throw new Error('no table')
  return table
}

const vip = () => sidecarTable(undefined).routes[0]?.vip ?? ''
const callIt = (to: Partial<Parameters<typeof call>[0]> = {}): Promise<Answer> =>
  call({ host: vip(), port, path: '/hello', ...to })

beforeAll(async () => {
  west = await issuer('west')
  east = await issuer('east')
  const bundle = bundleMapText({
    [domainOf('west')]: spiffeBundle([west.root.cert]),
    [domainOf('east')]: spiffeBundle([east.root.cert]),
  })
  trust = (cluster) => ({
    trustDomain: domainOf(cluster),
    bundle,
    clusters: Object.fromEntries(
      ['west', 'east'].map((name) => [
        build.clusterKey(name),
        { trustDomain: domainOf(name), gateway: gatewayOf(name) },
      ]),
    ),
  })
  port = await freePort()
  app = await startBackend('east web', '127.60.1.1')
  identities = {
    gateway: new Identity(await east.issue(gatewayOf('east'))),
    sidecar: new Identity(await west.issue(CALLER)),
  }
  gateway = await startGateway(gatewayTable(trust('east')), build.clusterKey('east'), undefined, identities.gateway)
  sidecar = await startSidecar(sidecarTable(trust('west')), build.clusterKey('west'), [], identities.sidecar)
  stopAll = [sidecar.stop, gateway.stop, app.kill, () => identities.gateway.remove(), () => identities.sidecar.remove()]
})

afterAll(async () => {
  for (const stop of stopAll) await stop()
})

describe('a call between clusters', () => {
  test('is encrypted, and both sides know each other', async () => {
    const answer = await callIt()
    expect(answer.status).toBe(200)
    expect(answer.seen).toMatchObject({ path: '/hello' })
    expect(answer.seen?.headers['x-forwarded-client-cert']).toContain(`URI=${CALLER}`)
    expect(Object.values(await gateway.stats('listener.gateway.ssl.handshake'))).not.toEqual([])
  })

  test('in plain HTTP is served at the same port', async () => {
    const answer = await call({ host: '127.0.0.1', port: gateway.port, path: '/east/web/x' })
    expect(answer.status).toBe(200)
    expect(answer.seen?.headers['x-forwarded-client-cert']).toBeUndefined()
  })
})
