/** Certificates and roots of both ends change under load, with a handshake of its own for each request. */

import { X509Certificate } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { bundleMapText, issueIdentity, issueRoot, type KeyPair, spiffeBundle, spiffeId } from '../../certs/spiffe.ts'
import { compile } from '../../compiler/compile.ts'
import type { SidecarTable, Trust } from '../../compiler/tables.ts'
import * as build from '../compiler/build.ts'
import { freePort } from '../lab/ports.ts'
import { until } from '../lab/run.ts'
import { type Backend, startBackend } from './backend.ts'
import { type Load, startLoad } from './call.ts'
import { type Gateway, Identity, type Sidecar, startGateway, startSidecar, VIP_RANGE } from './site.ts'

const HOUR = 3_600_000
type Cluster = 'east' | 'west'
const CLUSTERS: readonly Cluster[] = ['east', 'west']
const domainOf = (cluster: Cluster) => `${cluster}.portolan.local`
const idOf = {
  east: spiffeId(domainOf('east'), 'portolan-system', 'portolan-gateway'),
  west: spiffeId(domainOf('west'), 'app', 'curl'),
}

let port: number
let app: Backend
let gateway: Gateway
let sidecar: Sidecar
let identities: Readonly<Record<Cluster, Identity>>
/** What each end believes of each cluster; they learn of it at different times. */
let believed: Record<Cluster, Readonly<Record<Cluster, readonly KeyPair[]>>>
let roots: Record<Cluster, KeyPair>

const newRoot = (name: string) => issueRoot({ commonName: name, now: Date.now(), lifeMs: 24 * HOUR })
const newLeaf = (cluster: Cluster, root: KeyPair) =>
  issueIdentity({ root, id: idOf[cluster], now: Date.now(), lifeMs: HOUR })

const trustOf = (cluster: Cluster): Trust => ({
  trustDomain: domainOf(cluster),
  bundle: bundleMapText(
    Object.fromEntries(
      CLUSTERS.map((name) => [domainOf(name), spiffeBundle(believed[cluster][name].map(({ cert }) => cert))]),
    ),
  ),
  clusters: Object.fromEntries(
    CLUSTERS.map((name) => [
      build.clusterKey(name),
      { trustDomain: domainOf(name), gateway: spiffeId(domainOf(name), 'portolan-system', 'portolan-gateway') },
    ]),
  ),
})

const meshOf = (cluster: string) => ({ ...build.mesh, clusterKey: build.clusterKey(cluster), vipRange: VIP_RANGE })

const gatewayTable = () =>
  compile(
    build.snapshot({
      mesh: meshOf('east'),
      trust: trustOf('east'),
      services: [build.service('shop/web', { clusterIP: 'None', ports: [{ port }] })],
      endpointSlices: [build.pods('shop/web', [app.host], app.port)],
      exports: [build.serviceExport('shop/web', { rules: [{ portNumber: port, path: '/east/web' }] })],
    }),
  ).gateway

const sidecarTable = (): SidecarTable => {
  const at = { cluster: 'east', host: '127.0.0.1', port: gateway.port, path: '/east/web' }
  const [table] = compile(
    build.snapshot({
      mesh: meshOf('west'),
      trust: trustOf('west'),
      imports: [build.serviceImport('shop/web', [at], [{ port }])],
      policies: [build.policy('shop/web', 'FailOver', [{ cluster: 'east' }])],
    }),
  ).sidecars
  if (table === undefined) throw new Error('no table')
  return table
}

const HTTP_OPTIONS = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions'
/** Connections to gateways serve one request each. */
const onceEach = (cds: string): string => {
  const response = JSON.parse(cds)
  for (const cluster of response.resources) {
    const options = cluster.typed_extension_protocol_options?.[HTTP_OPTIONS]
    if (options === undefined) continue
    options.common_http_protocol_options = { ...options.common_http_protocol_options, max_requests_per_connection: 1 }
  }
  return JSON.stringify(response)
}

/** What is done at one end, and when it has taken effect. */
const believe = async (end: Cluster, cluster: Cluster, list: readonly KeyPair[]) => {
  believed[end] = { ...believed[end], [cluster]: list }
  await (end === 'east' ? gateway.swap(gatewayTable()) : sidecar.swap(sidecarTable()))
}
const show = async (cluster: Cluster, root: KeyPair) => {
  const leaf = await newLeaf(cluster, root)
  identities[cluster].renew(leaf)
  const { adminPort } = cluster === 'east' ? gateway : sidecar
  const serial = new X509Certificate(leaf.cert).serialNumber.toLowerCase()
  const shown = async () => (await fetch(`http://127.0.0.1:${adminPort}/certs`)).text()
  await until('the new certificate is shown', async () => (await shown()).toLowerCase().includes(serial))
}

beforeAll(async () => {
  port = await freePort()
  app = await startBackend('web', '127.61.1.1')
  roots = { east: await newRoot('east'), west: await newRoot('west') }
  const known = { east: [roots.east], west: [roots.west] }
  believed = { east: known, west: known }
  identities = {
    east: new Identity(await newLeaf('east', roots.east)),
    west: new Identity(await newLeaf('west', roots.west)),
  }
  gateway = await startGateway(gatewayTable(), build.clusterKey('east'), undefined, identities.east)
  sidecar = await startSidecar(sidecarTable(), build.clusterKey('west'), [], identities.west, onceEach)
})

afterAll(async () => {
  await sidecar?.stop()
  await gateway?.stop()
  await app?.kill()
  for (const identity of Object.values(identities ?? {})) identity.remove()
})

const handshakes = async () =>
  Object.entries(await gateway.stats('ssl.handshake'))
    .filter(([name]) => name.startsWith('listener.') && name.endsWith('ssl.handshake'))
    .reduce((total, [, value]) => total + Number(value), 0)

/** Calls without a pause while `change` goes on. */
const underLoad = async (change: (load: Load) => Promise<void>) => {
  const before = await handshakes()
  const [{ vip } = { vip: '' }] = sidecarTable().routes
  const load = startLoad({ host: vip, port, path: '/rotating', headers: { connection: 'close' } }, 2)
  await load.meets('web', 20)
  await change(load)
  await load.meets('web', 20)
  const { web = 0, ...failed } = await load.stop()
  return { web, failed, handshakes: (await handshakes()) - before }
}

describe('costs no call:', () => {
  test.each(CLUSTERS)('a new certificate of %s, again and again', async (cluster) => {
    const { web, failed, handshakes } = await underLoad(async () => {
      for (let turn = 0; turn < 5; turn++) await show(cluster, roots[cluster])
    })
    expect(failed).toEqual({})
    expect(handshakes).toBeGreaterThanOrEqual(web)
  })

  /** Each end reads its files when it likes: only what the plan for roots waits for is certain. */
  const ORDERS: readonly (readonly [
    string,
    (first: () => Promise<void>, second: () => Promise<void>) => Promise<void>,
  ])[] = [
    ['its own roots before its certificate', async (own, leaf) => own().then(leaf)],
    ['its certificate before its own roots', async (own, leaf) => leaf().then(own)],
  ]
  test.each(CLUSTERS.flatMap((cluster) => ORDERS.map(([name, order]) => [cluster, name, order] as const)))(
    'another root of %s, which reads %s',
    async (cluster, _, order) => {
      const other = cluster === 'east' ? 'west' : 'east'
      const old = roots[cluster]
      const next = await newRoot(`${cluster} again`)
      const { web, failed, handshakes } = await underLoad(async () => {
        await believe(other, cluster, [old, next])
        await order(
          () => believe(cluster, cluster, [old, next]),
          () => show(cluster, next),
        )
        await believe(cluster, cluster, [next])
        await believe(other, cluster, [next])
      })
      roots[cluster] = next
      expect(failed).toEqual({})
      expect(handshakes).toBeGreaterThanOrEqual(web)
    },
  )
})

test.each(CLUSTERS)('a certificate of %s by a root that the other does not know costs calls', async (cluster) => {
  const { failed } = await underLoad(async (load) => {
    await show(cluster, await newRoot('unknown'))
    await load.meets('503')
    await show(cluster, roots[cluster])
  })
  expect(Object.keys(failed)).toContain('503')
})
