/** Clusters that have just been joined: proxies that started without anybody's roots get them while they run. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { spiffeId } from '../../certs/spiffe.ts'
import { compile } from '../../compiler/compile.ts'
import type { SidecarTable, Trust } from '../../compiler/tables.ts'
import * as build from '../compiler/build.ts'
import { freePort } from '../lab/ports.ts'
import { until } from '../lab/run.ts'
import { type Authority, bundleMap, startAuthority } from './authority.ts'
import { type Backend, startBackend } from './backend.ts'
import { call } from './call.ts'
import { type Gateway, Identity, type Sidecar, startGateway, startSidecar, VIP_RANGE } from './site.ts'

type Cluster = 'east' | 'west'
const CLUSTERS: readonly Cluster[] = ['east', 'west']
const domainOf = (cluster: Cluster) => `${cluster}.portolan.local`
const gatewayOf = (cluster: Cluster) => spiffeId(domainOf(cluster), 'portolan-system', 'portolan-gateway')

let port: number
let app: Backend
let gateway: Gateway
let sidecar: Sidecar
let authorities: Readonly<Record<Cluster, Authority>>
let identities: Readonly<Record<Cluster, Identity>>

const trustOf = (cluster: Cluster, known: readonly Cluster[]): Trust => ({
  trustDomain: domainOf(cluster),
  bundle: bundleMap(...known.map((name) => authorities[name])),
  clusters: Object.fromEntries(
    known.map((name) => [build.clusterKey(name), { trustDomain: domainOf(name), gateway: gatewayOf(name) }]),
  ),
})

const meshOf = (cluster: string) => ({ ...build.mesh, clusterKey: build.clusterKey(cluster), vipRange: VIP_RANGE })

const gatewayTable = (known: readonly Cluster[]) =>
  compile(
    build.snapshot({
      mesh: meshOf('east'),
      trust: trustOf('east', known),
      services: [build.service('shop/web', { clusterIP: 'None', ports: [{ port }] })],
      endpointSlices: [build.pods('shop/web', [app.host], app.port)],
      exports: [
        build.serviceExport('shop/web', {
          rules: [{ portNumber: port, path: '/east/web' }],
          allowedClients: [{ clusters: ['west'] }],
        }),
      ],
    }),
  ).gateway

/** @param known absent = it has heard nothing of trust, and calls in plain HTTP */
const sidecarTable = (known?: readonly Cluster[]): SidecarTable => {
  const at = { cluster: 'east', host: '127.0.0.1', port: gateway.port, path: '/east/web' }
  const [table] = compile(
    build.snapshot({
      mesh: meshOf('west'),
      ...(known ? { trust: trustOf('west', known) } : {}),
      imports: [build.serviceImport('shop/web', [at], [{ port }])],
      policies: [build.policy('shop/web', 'FailOver', [{ cluster: 'east' }])],
    }),
  ).sidecars
  return table ?? expect.unreachable()
}

const statusOf = async () => {
  const [{ vip } = { vip: '' }] = sidecarTable().routes
  const { status } = await call({ host: vip, port, path: '/', headers: { connection: 'close' } })
  return status
}

beforeAll(async () => {
  port = await freePort()
  app = await startBackend('web', '127.62.1.1')
  authorities = { east: await startAuthority(domainOf('east')), west: await startAuthority(domainOf('west')) }
  identities = {
    east: new Identity(await authorities.east.issue(gatewayOf('east'))),
    west: new Identity(await authorities.west.issue(spiffeId(domainOf('west'), 'app', 'curl'))),
  }
  gateway = await startGateway(gatewayTable([]), build.clusterKey('east'), undefined, identities.east)
  sidecar = await startSidecar(sidecarTable(), build.clusterKey('west'), [], identities.west)
})

afterAll(async () => {
  await sidecar?.stop()
  await gateway?.stop()
  await app?.kill()
  for (const identity of Object.values(identities ?? {})) identity.remove()
})

test('as long as there are no roots, nobody is let in, and the gateway is not broken by it', async () => {
  await sidecar.swap(sidecarTable(CLUSTERS))
  expect(await statusOf()).not.toBe(200)
  const { 'listener.gateway.ssl.fail_verify_cert_hash': refused } = await gateway.stats('fail_verify_cert_hash')
  expect(Number(refused)).toBeGreaterThan(0)
})

test('with the roots of both in its next table calls go through, and need no table after that', async () => {
  await gateway.swap(gatewayTable(CLUSTERS))
  await until('the call is answered', async () => (await statusOf()) === 200)
})

test('a root that is not among them any more is refused again', async () => {
  await gateway.swap(gatewayTable(['east']))
  await until('the call is refused', async () => (await statusOf()) !== 200)
})
