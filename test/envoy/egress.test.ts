/** Pods without a sidecar: what they call at ports of the egress, run by real Envoys. */

import http from 'node:http'
import { connect } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { KubeObject } from '../../api/meta.ts'
import { compile } from '../../compiler/compile.ts'
import type { Snapshot } from '../../compiler/snapshot.ts'
import type { EgressTable, Trust } from '../../compiler/tables.ts'
import * as build from '../compiler/build.ts'
import { freePort } from '../lab/ports.ts'
import { until } from '../lab/run.ts'
import { type Authority, bundleMap, startAuthority } from './authority.ts'
import { type Backend, startBackend } from './backend.ts'
import { call, callH2, startLoad } from './call.ts'
import { countNames, startSession } from './sessions.ts'
import { type Egress, type Gateway, Identity, startEgress, startGateway, VIP_RANGE } from './site.ts'
import { Stream, type StreamServer, startStreamServer, whoGreets } from './streams.ts'

/** west calls; east and north serve behind their gateways. */
const CLUSTERS = ['west', 'east', 'north'] as const
type Cluster = (typeof CLUSTERS)[number]
type Served = 'east' | 'north'

const HOST = '127.81.0.1'
const WEB = 'shop/web'
const DB = 'shop/db'
const idOf = (cluster: string, name: string) => `spiffe://${cluster}.portolan.local/ns/portolan-system/sa/${name}`
const EGRESS_ID = idOf('west', 'portolan-egress')

let authorities: Readonly<Record<Cluster, Authority>>
let port: number
let pages: Readonly<Record<Cluster, Backend>>
let databases: Readonly<Record<Cluster, StreamServer>>
let identities: Readonly<Record<Cluster, Identity>>
let gateways: Readonly<Record<Served, Gateway>>
const started: Egress[] = []
const stops: (() => Promise<void> | void)[] = []

const trust = (cluster: Cluster): Trust => ({
  trustDomain: `${cluster}.portolan.local`,
  bundle: bundleMap(...Object.values(authorities)),
  clusters: Object.fromEntries(
    CLUSTERS.map((name) => [
      build.clusterKey(name),
      { trustDomain: `${name}.portolan.local`, gateway: idOf(name, 'portolan-gateway') },
    ]),
  ),
})

const meshOf = (cluster: Cluster) => ({
  ...build.mesh,
  clusterKey: build.clusterKey(cluster),
  vipRange: VIP_RANGE,
  egressNamespace: 'portolan-system',
})

const gatewayTable = (cluster: Served, clients: object = {}) =>
  compile(
    build.snapshot({
      mesh: meshOf(cluster),
      trust: trust(cluster),
      services: [
        build.service(WEB, { clusterIP: 'None', ports: [{ port }] }),
        build.service(DB, { clusterIP: 'None', ports: [{ name: 'postgres', port }] }),
      ],
      endpointSlices: [
        build.pods(WEB, [pages[cluster].host], pages[cluster].port),
        build.pods(DB, [databases[cluster].host], databases[cluster].port, { name: 'postgres' }),
      ],
      exports: [build.serviceExport(WEB, clients), build.serviceExport(DB, clients)],
    }),
  ).gateway

const imported = (key: string, name?: string) => {
  const object = build.serviceImport(
    key,
    (['east', 'north'] as const).map((cluster) => ({ cluster, host: '127.0.0.1', port: gateways[cluster].port })),
    [{ port }],
  )
  const ports = object.spec.ports.map((each) => ({
    ...each,
    ...(name === undefined ? {} : { name }),
    endpoints: (each.endpoints ?? []).map(({ clusterKey, target }) => ({
      clusterKey,
      target: { ...target, path: `/${key}/${port}` },
    })),
  }))
  return { ...object, spec: { ...object.spec, ports } }
}

const local = () => ({
  services: [
    build.service(WEB, { clusterIP: pages.west.host, ports: [{ port }] }),
    build.service(DB, { clusterIP: databases.west.host, ports: [{ name: 'postgres', port }] }),
  ],
  endpointSlices: [build.pods(WEB, ['10.0.0.1'], 80), build.pods(DB, ['10.0.0.1'], 5432, { name: 'postgres' })],
})

const tablesOf = (parts: Partial<Snapshot>) =>
  compile(
    build.snapshot({
      mesh: meshOf('west'),
      trust: trust('west'),
      imports: [imported(WEB), imported(DB, 'postgres')],
      ...parts,
    }),
  )
const tableOf = (parts: Partial<Snapshot>): EgressTable => tablesOf(parts).egress ?? expect.unreachable()

const policies = (...args: Parameters<typeof build.policy> extends [string, ...infer R] ? R : never) => [
  build.policy(WEB, ...args),
  build.policy(DB, ...args),
]
const ORDER = [
  { cluster: 'east', priority: 0 },
  { cluster: 'north', priority: 1 },
]

const at = (table: EgressTable, service: string): number =>
  table.listeners.find((each) => each.service === service)?.at ?? expect.unreachable()

const start = async (table: EgressTable): Promise<Egress> => {
  const egress = await startEgress(table, build.clusterKey('west'), HOST, identities.west, {
    POD_NAMESPACE: 'portolan-system',
    POD_SERVICE_ACCOUNT: 'portolan-egress',
  })
  started.push(egress)
  return egress
}

const answers = async (table: EgressTable, times: number): Promise<Readonly<Record<string, number>>> => {
  const all = []
  for (let i = 0; i < times; i++) all.push(await call({ host: HOST, port: at(table, WEB), path: '/x?y=1' }))
  return countNames(all)
}

const greetings = async (table: EgressTable, times: number): Promise<Readonly<Record<string, number>>> => {
  const counts: Record<string, number> = {}
  for (let i = 0; i < times; i++) {
    const who = await whoGreets(HOST, at(table, DB))
    counts[who] = (counts[who] ?? 0) + 1
  }
  return counts
}

/** A WebSocket by hand. */
const openSocket = (to: number) => {
  let received = ''
  const socket = connect(to, HOST, () =>
    socket.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n'),
  )
  socket.on('data', (chunk) => (received += chunk))
  return {
    hears: (what: RegExp) => expect.poll(() => received).toMatch(what),
    say: (text: string) => socket.write(text),
    close: () => socket.destroy(),
  }
}

beforeAll(async () => {
  const [west, east, north] = await Promise.all(CLUSTERS.map((name) => startAuthority(`${name}.portolan.local`)))
  if (!west || !east || !north) throw new Error('no authorities')
  authorities = { west, east, north }
  port = await freePort()
  pages = {
    west: await startBackend('west', '127.44.0.7', port),
    east: await startBackend('east', '127.60.4.1'),
    north: await startBackend('north', '127.70.4.1'),
  }
  databases = {
    west: await startStreamServer('west', '127.44.0.8', port),
    east: await startStreamServer('east', '127.60.4.2'),
    north: await startStreamServer('north', '127.70.4.2'),
  }
  identities = {
    west: new Identity(await west.issue(EGRESS_ID)),
    east: new Identity(await east.issue(idOf('east', 'portolan-gateway'))),
    north: new Identity(await north.issue(idOf('north', 'portolan-gateway'))),
  }
  gateways = {
    east: await startGateway(gatewayTable('east'), build.clusterKey('east'), undefined, identities.east),
    north: await startGateway(gatewayTable('north'), build.clusterKey('north'), undefined, identities.north),
  }
  stops.push(
    ...Object.values(gateways).map(({ stop }) => stop),
    ...[...Object.values(pages), ...Object.values(databases)].map(({ kill }) => kill),
    ...Object.values(identities).map((identity) => () => identity.remove()),
  )
})

afterEach(async () => {
  await Promise.all(started.splice(0).map(({ stop }) => stop()))
})

afterAll(async () => {
  for (const stop of stops) await stop()
})

/** Listeners are a file of their own, read after that of the clusters. */
const isClosed = (port: number) =>
  until(`port ${port} is closed`, () =>
    call({ host: HOST, port }).then(
      () => false,
      ({ code }) => code === 'ECONNREFUSED',
    ),
  )

describe('a pod without a sidecar', () => {
  test('calls other clusters by HTTP, under the identity of the egress, and is told by its address', async () => {
    const table = tableOf({ policies: policies('FailOver', ORDER) })
    await start(table)
    const { status, seen } = await call({
      host: HOST,
      port: at(table, WEB),
      path: '/x?y=1',
      headers: { host: 'any.name', 'x-portolan-destination': '127.240.0.9:1', 'x-portolan-caller': '9.9.9.9' },
      from: '127.0.0.9',
    })
    expect([status, seen?.name, seen?.path]).toEqual([200, 'east', '/x?y=1'])
    expect(seen?.headers['host']).toBe('any.name')
    expect(seen?.headers['x-forwarded-client-cert']).toContain(`URI=${EGRESS_ID}`)
    expect(seen?.headers['x-forwarded-for']).toMatch(/^127\.0\.0\.9\b/)
    expect(Object.keys(seen?.headers ?? {}).filter((name) => /^x-(portolan|envoy)/.test(name))).toEqual([])
  })

  test('calls them by streams, where the server speaks first', async () => {
    const table = tableOf({ policies: policies('FailOver', ORDER) })
    const egress = await start(table)
    const stream = new Stream(HOST, at(table, DB))
    expect(await stream.hears('east greets\n')).toBe(true)
    stream.say('select 1')
    expect(await stream.hears('east: select 1')).toBe(true)
    stream.shut()
    expect(await stream.hears('east ends\n')).toBe(true)
    stream.close()
    await until('the log tells who called', () => egress.output().includes('"caller":"127.0.0.1"'))
  })

  test('speaks HTTP/2 and WebSocket as with a sidecar', async () => {
    const table = tableOf({ ...local() })
    await start(table)
    const socket = openSocket(at(table, WEB))
    await socket.hears(/101 [\s\S]*\r\n\r\n$/)
    socket.say('echo')
    await socket.hears(/echo$/)
    socket.close()
    const h2 = await callH2(HOST, at(table, WEB), '/x', 'y')
    // An application that speaks nothing but HTTP/1.1 is not reached, and the proxy says so.
    expect(h2.status).toBe(502)
  })

  test('is asked for another connection now and then, while what is open for long stays: pods of the egress leave', async () => {
    const table = tableOf({ ...local() })
    await start(table)
    const socket = openSocket(at(table, WEB))
    await socket.hears(/101 [\s\S]*\r\n\r\n$/)
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
    const connections: (string | undefined)[] = []
    await until('a response ends the connection', async () => {
      const { status, headers } = await call({ host: HOST, port: at(table, WEB), agent })
      expect(status).toBe(200)
      connections.push(headers.connection)
      return headers.connection === 'close'
    })
    agent.destroy()
    expect(connections.length).toBeGreaterThan(1)
    socket.say('echo')
    await socket.hears(/echo$/)
    socket.close()
  })

  test('is refused where no listener is: a sidecar is asked for', async () => {
    const open = tableOf({ policies: policies('FailOver', ORDER) })
    const closed = tableOf({
      policies: policies('FailOver', ORDER).map((each) => ({ ...each, spec: { ...each.spec, requireSidecar: true } })),
    })
    expect(closed.listeners).toEqual([])
    const egress = await start(open)
    await egress.swap(closed)
    await isClosed(at(open, WEB))
    expect(await whoGreets(HOST, at(open, DB))).toBe('nobody')
  })

  test('is refused by a cluster that does not let in the egress, in words', async () => {
    const table = tableOf({ policies: policies('FailOver', ['east']) })
    await start(table)
    await gateways.east.swap(gatewayTable('east', { allowedClients: [{ namespaces: ['app'] }] }))
    const { status, text } = await call({ host: HOST, port: at(table, WEB) })
    expect([status, text]).toEqual([403, expect.stringContaining('allowedClients')])
    await gateways.east.swap(
      gatewayTable('east', {
        allowedClients: [{ namespaces: ['portolan-system'], serviceAccounts: ['portolan-egress'] }],
      }),
    )
    expect((await call({ host: HOST, port: at(table, WEB) })).status).toBe(200)
    await gateways.east.swap(gatewayTable('east'))
  })
})

describe('policies hold', () => {
  test('the local Service first, then the targets in their order: HTTP and streams', async () => {
    const table = tableOf({ ...local(), policies: policies('FailOver', ORDER) })
    await start(table)
    expect([await answers(table, 3), await greetings(table, 3)]).toEqual([{ west: 3 }, { west: 3 }])
    await Promise.all([pages.west.kill(), databases.west.kill()])
    expect([await answers(table, 6), await greetings(table, 6)]).toEqual([{ east: 6 }, { east: 6 }])
    await Promise.all([pages.west.revive(), databases.west.revive()])
  })

  test('shares by weight: HTTP and streams', async () => {
    const weights = [
      { cluster: 'west', weight: 50 },
      { cluster: 'east', weight: 30 },
      { cluster: 'north', weight: 20 },
    ]
    const table = tableOf({ ...local(), policies: policies('ActiveActive', weights) })
    await start(table)
    const shares = { west: 10, east: 6, north: 4 }
    expect([await answers(table, 20), await greetings(table, 20)]).toEqual([shares, shares])
  })

  test('sessions stay with the cluster that took them', async () => {
    const object = imported(WEB)
    const table = tableOf({
      imports: [{ ...object, spec: { ...object.spec, sessionSticky: true } }],
      policies: policies('ActiveActive'),
    })
    await start(table)
    const session = startSession()
    const answers = []
    for (let i = 0; i < 6; i++) answers.push(await session.call({ host: HOST, port: at(table, WEB) }))
    expect(Object.values(countNames(answers))).toEqual([6])
  })

  test('TrafficTargets are for the account of the egress', async () => {
    const targetFor = (name: string): KubeObject & { spec: object } => ({
      apiVersion: 'access.smi-spec.io/v1alpha3',
      kind: 'TrafficTarget',
      metadata: { namespace: 'shop', name: 'web' },
      spec: {
        destination: { kind: 'ServiceAccount', namespace: 'shop', name: 'web' },
        sources: [{ kind: 'ServiceAccount', namespace: 'portolan-system', name }],
      },
    })
    const restricted = (name: string) => {
      const object = imported(WEB)
      return tableOf({
        imports: [{ ...object, spec: { ...object.spec, serviceAccountName: 'web' } }],
        policies: policies('FailOver', ORDER),
        access: { targets: [targetFor(name)] as never, httpGroups: [], tcpRoutes: [], accounts: new Map() },
      })
    }
    const table = restricted('somebody')
    const egress = await start(table)
    const { status, text } = await call({ host: HOST, port: at(table, WEB) })
    expect([status, text]).toEqual([403, expect.stringContaining('portolan-system/portolan-egress may not')])
    await egress.swap(restricted('portolan-egress'))
    expect((await call({ host: HOST, port: at(table, WEB) })).status).toBe(200)
  })
})

describe('changes', () => {
  const SWAPS = 60

  test(`${SWAPS} of them under load cost no call, while addresses and other services come and go`, async () => {
    const step = (number: number): EgressTable => {
      const object = imported(WEB)
      const ips = [`127.240.0.${20 + (number % 5)}`]
      const others = [`shop/other-${number}`, `shop/other-${number + 1}`].map((key) => imported(key))
      return tableOf({
        ...local(),
        imports: [{ ...object, spec: { ...object.spec, ips } }, imported(DB, 'postgres'), ...others],
        policies: [build.policy(WEB, 'ActiveActive', [{ cluster: 'west', weight: number }, 'east', 'north'])],
      })
    }
    const egress = await start(step(1))
    const load = startLoad({ host: HOST, port: at(step(1), WEB) })
    const stream = new Stream(HOST, at(step(1), DB))
    await stream.hears('greets')
    for (let number = 2; number <= SWAPS; number++) {
      expect(at(step(number), WEB)).toBe(at(step(1), WEB))
      await egress.swap(step(number))
    }
    const counts = await load.stop()
    expect(Object.keys(counts).sort()).toEqual(['east', 'north', 'west'])
    stream.say('still here')
    expect(await stream.hears('still here')).toBe(true)
    stream.close()
  })

  test('an import that goes takes its port along, and cuts nobody else’s connections', async () => {
    const both = tableOf({ policies: policies('FailOver', ORDER) })
    const egress = await start(both)
    const stream = new Stream(HOST, at(both, DB))
    await stream.hears('greets')
    await egress.swap(tableOf({ imports: [imported(DB, 'postgres')], policies: policies('FailOver', ORDER) }))
    await isClosed(at(both, WEB))
    stream.say('select 2')
    expect(await stream.hears('select 2')).toBe(true)
    stream.close()
  })
})

test('the egress has nothing to say before anything is imported', async () => {
  const egress = await start(tableOf({ imports: [] }))
  expect((await call({ host: '127.0.0.1', port: egress.metricsPort, path: '/ready' })).status).toBe(200)
})
