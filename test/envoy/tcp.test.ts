import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { ServiceExport } from '../../api/service-export.ts'
import { compile } from '../../compiler/compile.ts'
import type { GatewayTable, SidecarTable, Tables, Trust } from '../../compiler/tables.ts'
import { whereTo } from '../../compiler/where-to.ts'
import * as build from '../compiler/build.ts'
import { freePort } from '../lab/ports.ts'
import { until } from '../lab/run.ts'
import { type Authority, bundleMap, startAuthority } from './authority.ts'
import { type Backend, startBackend } from './backend.ts'
import { call } from './call.ts'
import { type Gateway, Identity, type Sidecar, startGateway, startSidecar, VIP_RANGE } from './site.ts'
import { Stream, type StreamServer, startStreamServer, whoGreets } from './streams.ts'

/** west calls; east and north serve a database behind their gateways, which speaks first. */
const CLUSTERS = ['west', 'east', 'north'] as const
type Cluster = (typeof CLUSTERS)[number]
type Served = 'east' | 'north'

const DB = 'shop/db'
const idOf = (cluster: string, account: string) => `spiffe://${cluster}.portolan.local/ns/app/sa/${account}`
const gatewayId = (cluster: string) => `spiffe://${cluster}.portolan.local/ns/portolan-system/sa/portolan-gateway`
const meshOf = (cluster: Cluster) => ({ ...build.mesh, clusterKey: build.clusterKey(cluster), vipRange: VIP_RANGE })

let authorities: Readonly<Record<Cluster, Authority>>
let trust: (cluster: Cluster) => Trust
let port: number
let web: number
let databases: Readonly<Record<Cluster, StreamServer>>
let pages: Backend
let identities: Readonly<Record<'east' | 'north' | 'app' | 'other' | 'forged', Identity>>
let gateways: Record<Served, Gateway>
let sidecars: Sidecar[] = []
const stops: (() => Promise<void> | void)[] = []

interface Situation {
  readonly pods?: readonly string[]
  readonly clients?: ServiceExport['spec']['allowedClients']
  readonly exports?: boolean
}

const exporter = (cluster: Served, situation: Situation = {}): Tables => {
  const { pods = [databases[cluster].host], clients, exports = true } = situation
  return compile(
    build.snapshot({
      mesh: meshOf(cluster),
      trust: trust(cluster),
      services: [
        build.service(DB, {
          clusterIP: 'None',
          ports: [
            { name: 'postgres', port },
            { name: 'http', port: web },
          ],
        }),
      ],
      endpointSlices: [
        build.pods(DB, pods, databases[cluster].port, { name: 'postgres' }),
        {
          ...build.pods(DB, [pages.host], pages.port, { name: 'http' }),
          metadata: { ...build.pods(DB, [], 1).metadata, name: 'web' },
        },
      ],
      exports: exports ? [build.serviceExport(DB, clients ? { allowedClients: clients } : {})] : [],
    }),
  )
}
const gatewayTable = (...situation: Parameters<typeof exporter>): GatewayTable => exporter(...situation).gateway

interface Targets {
  readonly lbType: 'FailOver' | 'ActiveActive'
  readonly targets?: Parameters<typeof build.policy>[2]
  readonly local?: boolean
}

const importer = ({ lbType, targets, local = false }: Targets): Tables => {
  const exporters = (['east', 'north'] as const).map((cluster) => ({
    cluster,
    host: '127.0.0.1',
    port: gateways[cluster].port,
  }))
  const imported = build.serviceImport(DB, exporters, [{ port }, { port: web }])
  return compile(
    build.snapshot({
      mesh: meshOf('west'),
      trust: trust('west'),
      services: local
        ? [build.service(DB, { clusterIP: databases.west.host, ports: [{ name: 'postgres', port }] })]
        : [],
      endpointSlices: local ? [build.pods(DB, ['10.0.0.1'], 5432, { name: 'postgres' })] : [],
      imports: [
        {
          ...imported,
          spec: {
            ...imported.spec,
            ports: imported.spec.ports.map((each) => ({
              ...each,
              name: each.port === port ? 'postgres' : 'http',
              endpoints: (each.endpoints ?? []).map(({ clusterKey, target: { path: _, ...target } }) => ({
                clusterKey,
                target: each.port === port ? target : { ...target, path: `/${DB}/${web}` },
              })),
            })),
          },
        },
      ],
      policies: [build.policy(DB, lbType, targets)],
    }),
  )
}
const sidecarTable = (targets: Targets): SidecarTable => importer(targets).sidecars[0] ?? expect.unreachable()

const vip = () => sidecarTable({ lbType: 'ActiveActive' }).routes[0]?.vip ?? ''

const startCaller = async (table: SidecarTable, identity = identities.app): Promise<Sidecar> => {
  const sidecar = await startSidecar(table, build.clusterKey('west'), [], identity)
  sidecars.push(sidecar)
  return sidecar
}

const greeted = async (times: number): Promise<Record<string, number>> => {
  const counts: Record<string, number> = {}
  for (let i = 0; i < times; i++) {
    const who = await whoGreets(vip(), port)
    counts[who] = (counts[who] ?? 0) + 1
  }
  return counts
}

const logged = (proxy: Sidecar | Gateway): readonly Record<string, unknown>[] =>
  proxy
    .output()
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line))

beforeAll(async () => {
  const [west, east, north, forged] = await Promise.all([
    ...CLUSTERS.map((name) => startAuthority(`${name}.portolan.local`)),
    startAuthority('west.portolan.local'),
  ])
  if (!west || !east || !north || !forged) throw new Error('no authorities')
  authorities = { west, east, north }
  trust = (cluster) => ({
    trustDomain: `${cluster}.portolan.local`,
    bundle: bundleMap(...Object.values(authorities)),
    clusters: Object.fromEntries(
      CLUSTERS.map((name) => [
        build.clusterKey(name),
        { trustDomain: `${name}.portolan.local`, gateway: gatewayId(name) },
      ]),
    ),
  })
  port = await freePort()
  web = await freePort()
  databases = {
    west: await startStreamServer('west', '127.43.0.7', port),
    east: await startStreamServer('east', '127.60.2.1'),
    north: await startStreamServer('north', '127.70.2.1'),
  }
  pages = await startBackend('pages', '127.60.2.2')
  identities = {
    east: new Identity(await east.issue(gatewayId('east'))),
    north: new Identity(await north.issue(gatewayId('north'))),
    app: new Identity(await west.issue(idOf('west', 'app'))),
    other: new Identity(await west.issue(idOf('west', 'other'))),
    forged: new Identity(await forged.issue(idOf('west', 'app'))),
  }
  gateways = {
    east: await startGateway(gatewayTable('east'), build.clusterKey('east'), undefined, identities.east),
    north: await startGateway(gatewayTable('north'), build.clusterKey('north'), undefined, identities.north),
  }
  stops.push(
    ...Object.values(databases).map((each) => each.kill),
    pages.kill,
    ...Object.values(identities).map((each) => () => each.remove()),
  )
})

afterEach(async () => {
  await Promise.all(sidecars.map((each) => each.stop()))
  sidecars = []
})

afterAll(async () => {
  await Promise.all(Object.values(gateways).map((each) => each.stop()))
  for (const stop of stops) await stop()
})

const ORDER: Targets = {
  lbType: 'FailOver',
  targets: [
    { cluster: 'east', priority: 0 },
    { cluster: 'north', priority: 1 },
  ],
}

describe('a service that speaks first', () => {
  test('is reached in another cluster, in both directions', async () => {
    await startCaller(sidecarTable(ORDER))
    const stream = new Stream(vip(), port)
    expect(await stream.hears('east greets\n')).toBe(true)
    stream.say('select 1')
    expect(await stream.hears('east: select 1')).toBe(true)
    stream.close()
  })

  test('may go on when the caller has ended: its last words arrive', async () => {
    await startCaller(sidecarTable(ORDER))
    const stream = new Stream(vip(), port)
    await stream.hears('east greets\n')
    stream.say('bye')
    stream.shut()
    expect(await stream.hears('east ends\n')).toBe(true)
    await expect.poll(() => stream.ended).toBe('ended')
    stream.close()
  })

  test('is the local one while it is there, over its own address and without TLS', async () => {
    await startCaller(sidecarTable({ ...ORDER, local: true }))
    expect(await greeted(3)).toEqual({ west: 3 })
  })
})

describe('connections are shared by weight', () => {
  test.each([
    { weights: [100, 100], shares: { east: 10, north: 10 } },
    { weights: [90, 10], shares: { east: 18, north: 2 } },
    { weights: [0, 1], shares: { north: 20 } },
  ])('$weights', async ({ weights, shares }) => {
    const targets = (['east', 'north'] as const).map((cluster, i) => ({ cluster, weight: weights[i] ?? 0 }))
    await startCaller(sidecarTable({ lbType: 'ActiveActive', targets }))
    expect(await greeted(20)).toEqual(shares)
  })
})

describe('fail-over costs no connection', () => {
  test('when the local database dies, and comes back', async () => {
    await startCaller(sidecarTable({ ...ORDER, local: true }))
    await databases.west.kill()
    expect(await greeted(10)).toEqual({ east: 10 })
    await databases.west.revive()
    await until('it is local again', async () => (await whoGreets(vip(), port)) === 'west')
  })

  test('when a gateway dies', async () => {
    await startCaller(sidecarTable(ORDER))
    const at = gateways.east.port
    await gateways.east.stop()
    expect(await greeted(10)).toEqual({ north: 10 })
    gateways.east = await startGateway(gatewayTable('east'), build.clusterKey('east'), at, identities.east)
  })

  test.each<[string, Situation]>([
    ['has no pod that is ready', { pods: [] }],
    ['serves it no more', { exports: false }],
  ])('when a cluster %s', async (_, situation) => {
    await startCaller(sidecarTable(ORDER))
    await gateways.east.swap(gatewayTable('east', situation))
    expect(await greeted(10)).toEqual({ north: 10 })
    await expect
      .poll(() => logged(gateways.east))
      .toContainEqual(expect.objectContaining({ why: 'no export with a ready pod has this name' }))
    await gateways.east.swap(gatewayTable('east'))
  })
})

describe('access', () => {
  const ONLY_APP = [{ clusters: ['west'], namespaces: ['app'], serviceAccounts: ['app'] }]
  const EAST: Targets = { lbType: 'FailOver', targets: ['east'] }

  beforeEach(async () => {
    await gateways.east.swap(gatewayTable('east', { clients: ONLY_APP }))
  })
  afterEach(async () => {
    await gateways.east.swap(gatewayTable('east'))
  })

  test('is for those who are allowed', async () => {
    await startCaller(sidecarTable(EAST))
    expect(await greeted(3)).toEqual({ east: 3 })
    await expect
      .poll(() => logged(gateways.east))
      .toContainEqual(
        expect.objectContaining({
          client: idOf('west', 'app'),
          export: `${port}.db.shop.tcp.portolan`,
          service: `in|${DB}|${port}`,
          upstream: `${databases.east.host}:${databases.east.port}`,
        }),
      )
  })

  test('is not for others, who hear nothing although the server speaks first, and the log says why', async () => {
    await startCaller(sidecarTable(EAST), identities.other)
    const before = databases.east.taken()
    expect(await greeted(3)).toEqual({ nobody: 3 })
    expect(databases.east.taken()).toBe(before)
    await expect
      .poll(() => logged(gateways.east))
      .toContainEqual(
        expect.objectContaining({
          client: idOf('west', 'other'),
          why: 'allowedClients of this export does not let in this client',
        }),
      )
  })

  test('is not for whom a stranger vouches for, whatever the name, and the log says why', async () => {
    await startCaller(sidecarTable(EAST), identities.forged)
    expect(await greeted(1)).toEqual({ nobody: 1 })
    await expect
      .poll(() => logged(gateways.east).map((line) => (line['refused'] === 'TLS' ? String(line['why']) : '')))
      .toContainEqual(expect.stringContaining('CERTIFICATE_VERIFY_FAILED'))
  })

  test('is not for a plain connection, nor for HTTP over TLS', async () => {
    const plain = new Stream('127.0.0.1', gateways.east.port)
    plain.say('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
    expect(await plain.hears('404')).toBe(true)
    plain.close()
  })
})

describe('an open connection stays', () => {
  const open = async (): Promise<Stream> => {
    const stream = new Stream(vip(), port)
    await stream.hears(' greets\n')
    return stream
  }
  const answers = async (stream: Stream, question: string): Promise<boolean> => {
    stream.say(question)
    return stream.hears(`: ${question}`)
  }

  test('through changes of weights, of access and of pods, and when its route or its export has gone', async () => {
    const sidecar = await startCaller(sidecarTable({ lbType: 'FailOver', targets: ['east'] }))
    const stream = await open()
    expect(stream.heard).toBe('east greets\n')
    const step = async (name: string, change: Promise<void>) => {
      await change
      expect(await answers(stream, name), name).toBe(true)
    }
    await step('weights', sidecar.swap(sidecarTable({ lbType: 'ActiveActive', targets: ['north'] })))
    await step('no route', sidecar.swap({ ...sidecarTable(ORDER), version: 'none', routes: [] }))
    await step('access', gateways.east.swap(gatewayTable('east', { clients: [{ namespaces: ['nobody'] }] })))
    await step('pods', gateways.east.swap(gatewayTable('east', { pods: [] })))
    await step('withdrawn', gateways.east.swap(gatewayTable('east', { exports: false })))
    expect(await whoGreets(vip(), port)).toBe('nobody')
    // Longer than Envoy drains what it has removed.
    await new Promise((resolve) => setTimeout(resolve, 5500))
    expect(await answers(stream, 'later')).toBe(true)
    stream.close()
    await gateways.east.swap(gatewayTable('east'))
  })
})

describe('HTTP at an address that has a port of another kind', () => {
  test('is routed as ever: by message, with its path, and as what its gateway takes it for', async () => {
    await startCaller(sidecarTable({ lbType: 'FailOver', targets: ['east'] }))
    const { status, seen } = await call({ host: vip(), port: web, path: '/a?b', headers: { host: 'db.shop' } })
    expect(status).toBe(200)
    expect(seen).toMatchObject({ name: 'pages', path: '/a?b', headers: { host: 'db.shop' } })
    expect(seen?.headers['x-forwarded-client-cert']).toContain(idOf('west', 'app'))
  })

  test('that nobody serves is told so', async () => {
    await startCaller(sidecarTable({ lbType: 'ActiveActive', targets: [{ cluster: 'east', weight: 0 }] }))
    expect((await call({ host: vip(), port: web })).status).toBe(503)
    expect(await whoGreets(vip(), port)).toBe('nobody')
  })
})

describe('whereTo says what Envoy does', () => {
  const NOBODY: Targets = {
    lbType: 'ActiveActive',
    targets: [
      { cluster: 'east', weight: 0 },
      { cluster: 'north', weight: 0 },
    ],
  }
  const situations: readonly (readonly [string, Targets, Situation])[] = [
    ['both serve', ORDER, {}],
    ['the first has no pod', ORDER, { pods: [] }],
    ['the first exports nothing', ORDER, { exports: false }],
    ['local', { ...ORDER, local: true }, {}],
    ['by weight', { lbType: 'ActiveActive' }, {}],
    ['nobody', NOBODY, {}],
  ]
  test.each(situations)('%s', async (_, targets, situation) => {
    const elsewhere = new Map([exporter('east', situation), exporter('north')].map((each) => [each.cluster.key, each]))
    const answer = whereTo(importer(targets), { fromNamespace: 'app', to: 'db.shop', port }, elsewhere)
    await startCaller(sidecarTable(targets))
    await gateways.east.swap(gatewayTable('east', situation))
    const met = await greeted(8)
    await gateways.east.swap(gatewayTable('east'))
    const said =
      answer.outcome === 'routed'
        ? answer.backends.flatMap(({ clusterKey, share }) =>
            share === 0 ? [] : [[clusterKey.split('/')[3] ?? '', 8 * share] as const],
          )
        : [['nobody', 8] as const]
    expect(met).toEqual(Object.fromEntries(said))
    expect(answer).toMatchObject(answer.outcome === 'routed' ? { tcp: true } : { outcome: 'closed' })
  })
})
