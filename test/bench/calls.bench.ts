/**
 * `node test/bench/calls.bench.ts [CALLS]`: what a call between clusters costs the proxies on its way, by how it goes. Real Envoys on loopback with one
 * worker, all rows from one run; CPU time is the kernel's count for the processes, which other loads on the machine hardly touch.
 */

import { readFileSync } from 'node:fs'
import http from 'node:http'
import { connect, createServer } from 'node:net'
import { compile } from '../../compiler/compile.ts'
import { accountFilter, ownAccount } from '../../compiler/render-callers.ts'
import { sidecarBootstrap, sidecarCds, sidecarSettings } from '../../compiler/render-sidecar.ts'
import type { Snapshot } from '../../compiler/snapshot.ts'
import type { Tables, Trust } from '../../compiler/tables.ts'
import * as build from '../compiler/build.ts'
import { bundleMap, startAuthority } from '../envoy/authority.ts'
import { startBackend } from '../envoy/backend.ts'
import { call } from '../envoy/call.ts'
import { Mount, type RunningEnvoy, startEnvoy } from '../envoy/proxy.ts'
import { capturedAt, Identity, startEgress, startGateway, startSidecar, VIP_RANGE } from '../envoy/site.ts'
import { freePort } from '../lab/ports.ts'

const CALLS = Number(process.argv[2] ?? 5_000)
/** Connections are dearer than calls on one. */
const CONNECTIONS = Math.ceil(CALLS / 5)
const AT_ONCE = 8
const MEGABYTES = 256
const [WEB, DB] = ['shop/web', 'shop/db']
const CLUSTERS = ['west', 'east'] as const
const ACCOUNT_ENV = { POD_NAMESPACE: 'app', POD_SERVICE_ACCOUNT: 'app' }
/** As the filter calls the header that it takes out. */
const ACCOUNT = 'x-portolan-account'
const EGRESS_HOST = '127.81.0.9'

const idOf = (cluster: string, account: string) => `spiffe://${cluster}.portolan.local/ns/portolan-system/sa/${account}`
const authorities = await Promise.all(CLUSTERS.map((name) => startAuthority(`${name}.portolan.local`)))
const identities = await Promise.all(
  CLUSTERS.map(async (name, index) => {
    const pair = await authorities[index]?.issue(idOf(name, name === 'east' ? 'portolan-gateway' : 'portolan-egress'))
    if (pair === undefined) throw new Error('no identity')
    return new Identity(pair)
  }),
)
const [west, east] = identities
if (!west || !east) throw new Error('no identities')
const trustOf = (cluster: string): Trust => ({
  trustDomain: `${cluster}.portolan.local`,
  bundle: bundleMap(...authorities),
  clusters: Object.fromEntries(
    CLUSTERS.map((name) => [
      build.clusterKey(name),
      { trustDomain: `${name}.portolan.local`, gateway: idOf(name, 'portolan-gateway') },
    ]),
  ),
})

const port = await freePort()
const pages = await startBackend('pages', '127.60.9.1')
/** Answers each byte with itself. */
const echo = createServer((socket) => socket.on('error', () => undefined).pipe(socket)).listen(0, '127.60.9.2')
await new Promise((resolve) => echo.once('listening', resolve))
const echoPort = (echo.address() as { port: number }).port

const meshOf = (cluster: string) => ({
  ...build.mesh,
  clusterKey: build.clusterKey(cluster),
  vipRange: VIP_RANGE,
  egressNamespace: 'portolan-system',
})

const compiled = (cluster: string, mtls: boolean, parts: Partial<Snapshot>): Tables =>
  compile(build.snapshot({ mesh: meshOf(cluster), ...(mtls ? { trust: trustOf(cluster) } : {}), ...parts }))

const exporter = (mtls: boolean): Tables =>
  compiled('east', mtls, {
    services: [
      build.service(WEB, { clusterIP: 'None', ports: [{ port }] }),
      build.service(DB, { clusterIP: 'None', ports: [{ name: 'postgres', port }] }),
    ],
    endpointSlices: [
      build.pods(WEB, [pages.host], pages.port),
      build.pods(DB, ['127.60.9.2'], echoPort, { name: 'postgres' }),
    ],
    exports: [build.serviceExport(WEB), build.serviceExport(DB)],
  })

const importOf = (key: string, gateway: number, name?: string) => {
  const object = build.serviceImport(key, [{ cluster: 'east', host: '127.0.0.1', port: gateway }], [{ port }])
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

const importer = (mtls: boolean, gateway: number): Tables =>
  compiled('west', mtls, {
    imports: [importOf(WEB, gateway), importOf(DB, gateway, 'postgres')],
    policies: [build.policy(WEB, 'ActiveActive'), build.policy(DB, 'ActiveActive')],
  })

/** Milliseconds of a process: the 14th and 15th field, in hundredths of a second. */
const cpuOf = ({ pid }: Pick<RunningEnvoy, 'pid'>): number => {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ')
  return (Number(fields[11]) + Number(fields[12])) * 10
}

interface Measured {
  readonly title: string
  /** Microseconds of CPU for each call, of each proxy. */
  readonly each: readonly number[]
}

const measured = async (
  title: string,
  proxies: readonly RunningEnvoy[],
  count: number,
  work: () => Promise<void>,
): Promise<Measured> => {
  await work()
  const before = proxies.map(cpuOf)
  await work()
  return { title, each: proxies.map((proxy, index) => ((cpuOf(proxy) - (before[index] ?? 0)) * 1_000) / count) }
}

const inParallel = async (count: number, one: () => Promise<void>): Promise<void> => {
  let left = count
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      while (left-- > 0) await one()
    }),
  )
}

const calls = (host: string, to: number, count: number) => async () => {
  const agent = new http.Agent({ keepAlive: true, maxSockets: AT_ONCE })
  await inParallel(count, async () => {
    const { status } = await call({ host, port: to, agent })
    if (status !== 200) throw new Error(`answered ${status}`)
  })
  agent.destroy()
}

/** Sends `length` bytes and waits until all are back. */
const echoed = (host: string, to: number, length: number): Promise<void> =>
  new Promise((resolve, reject) => {
    const socket = connect(to, host)
    let left = length
    socket.on('data', (chunk) => {
      left -= chunk.length
      if (left <= 0) socket.end()
    })
    socket.on('error', reject)
    socket.on('close', () => (left <= 0 ? resolve() : reject(new Error(`${left} bytes are missing`))))
    const block = Buffer.alloc(Math.min(length, 65_536))
    let sent = 0
    const more = (): void => {
      while (sent < length) {
        sent += block.length
        if (!socket.write(block)) {
          socket.once('drain', more)
          return
        }
      }
    }
    more()
  })

const row = (...cells: readonly (string | number)[]) => console.log(`| ${cells.join(' | ')} |`)
const tableOf = (head: readonly string[], base: Measured, rows: readonly Measured[]) => {
  const total = ({ each }: Measured) => each.reduce((sum, one) => sum + one, 0)
  console.log('')
  row(...head)
  row(...head.map(() => '---'))
  for (const each of rows) {
    const [caller = 0, gateway = 0] = each.each
    row(each.title, ...[caller, gateway].map((one) => `${Math.round(one)} µs`), (total(each) / total(base)).toFixed(2))
  }
}

const ONE_CALL = ',"max_requests_per_connection":1'
/** Each call by a connection of its own, and so with a handshake of its own. */
const oneCallEach = (cds: string): string => {
  const options = '"@type":"type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions"'
  const changed = cds.replaceAll(options, `${options},"common_http_protocol_options":{${ONE_CALL.slice(1)}}`)
  if (changed === cds) throw new Error('there are no options to change')
  return changed
}

const worldOf = async (mtls: boolean) => {
  const gateway = await startGateway(
    exporter(mtls).gateway,
    build.clusterKey('east'),
    undefined,
    mtls ? east : undefined,
  )
  const tables = importer(mtls, gateway.port)
  const [table] = tables.sidecars
  if (!table || !tables.egress) throw new Error('no tables')
  const vipOf = (service: string) => table.routes.find((route) => route.service === service)?.vip ?? ''
  const sidecar = (change?: (cds: string) => string) =>
    startSidecar(table, build.clusterKey('west'), [], mtls ? west : undefined, change, ACCOUNT_ENV)
  return { gateway, tables, egressTable: tables.egress, vipOf, sidecar }
}

const plain = await worldOf(false)
/** A sidecar whose configuration is not quite that of others. */
const plainSidecar = async (reshape: (bootstrap: string) => string) => {
  const [table] = plain.tables.sidecars
  if (!table) throw new Error('no table')
  const mount = new Mount()
  mount.swap({ 'cds.json': sidecarCds(table) })
  const ports = { adminPort: await freePort(), metricsPort: await freePort(), capturePort: 0 }
  const settings = { ...sidecarSettings(build.clusterKey('west'), table), directory: mount.directory, ...ports }
  const shaped = capturedAt(sidecarBootstrap(settings), [`${plain.vipOf(WEB)}:${port}`])
  const proxy = await startEnvoy(JSON.parse(reshape(JSON.stringify(shaped))), ports, ACCOUNT_ENV)
  await proxy.runs(table.version)
  const stop = async () => {
    await proxy.stop()
    mount.remove()
  }
  return { proxy, stop }
}
const secured = await worldOf(true)
const http1: Measured[] = []
for (const [title, world, change, count] of [
  ['plain HTTP, connections kept', plain, undefined, CALLS],
  ['mutual TLS, connections kept', secured, undefined, CALLS],
  ['plain HTTP, a connection for each call', plain, oneCallEach, CONNECTIONS],
  ['mutual TLS, a handshake for each call', secured, oneCallEach, CONNECTIONS],
] as const) {
  const sidecar = await world.sidecar(change)
  http1.push(await measured(title, [sidecar, world.gateway], count, calls(world.vipOf(WEB), port, count)))
  await sidecar.stop()
}
const listener = secured.egressTable.listeners.find(({ service }) => service === WEB)
const egress = await startEgress(secured.egressTable, build.clusterKey('west'), EGRESS_HOST, west, {
  POD_NAMESPACE: 'portolan-system',
  POD_SERVICE_ACCOUNT: 'portolan-egress',
})
http1.push(
  await measured(
    'mutual TLS, by the egress in place of a sidecar',
    [egress, secured.gateway],
    CALLS,
    calls(EGRESS_HOST, listener?.at ?? 0, CALLS),
  ),
)
await egress.stop()
const [base] = http1
if (!base) throw new Error('nothing measured')
tableOf(
  [
    `a call (${CALLS} calls, ${CONNECTIONS} where each has a connection)`,
    'sidecar, or egress',
    'gateway',
    'both, to plain HTTP',
  ],
  base,
  http1,
)

const sidecar = await secured.sidecar()
const both = [sidecar, secured.gateway]
const db = secured.vipOf(DB)
const streams = [
  await measured('a call by HTTP and mutual TLS, for comparison', both, CALLS, calls(secured.vipOf(WEB), port, CALLS)),
  await measured('a connection, one byte there and back', both, CONNECTIONS, () =>
    inParallel(CONNECTIONS, () => echoed(db, port, 1)),
  ),
  await measured('a megabyte there and back', both, MEGABYTES, () => echoed(db, port, MEGABYTES * 1024 * 1024)),
]
const [compared] = streams
if (!compared) throw new Error('nothing measured')
tableOf(['TCP, an import', 'sidecar', 'gateway', 'both, to a call'], compared, streams)

await sidecar.stop()
/** What tells sidecars apart where not all may call: it stands in every sidecar's configuration, and does nothing while the mesh is permissive. */
const withoutAccounts = (bootstrap: string): string => {
  const less = [accountFilter, ownAccount].reduce(
    (text, part) => text.replaceAll(`${JSON.stringify(part)},`, ''),
    bootstrap,
  )
  if (less.includes(ACCOUNT)) throw new Error('there is more about accounts in the configuration')
  return less
}
const filters: Measured[] = []
// Twice each, in turn, as the difference is small.
for (const [title, reshape] of [
  ['no filter', withoutAccounts],
  ['the filter, in a permissive mesh', String],
  ['no filter', withoutAccounts],
  ['the filter, in a permissive mesh', String],
] as const) {
  const { proxy, stop } = await plainSidecar(reshape)
  filters.push(await measured(title, [proxy, plain.gateway], CALLS, calls(plain.vipOf(WEB), port, CALLS)))
  await stop()
}
const mean = (all: readonly Measured[]): Measured => ({
  title: all[0]?.title ?? '',
  each: [0, 1].map((index) => all.reduce((sum, { each }) => sum + (each[index] ?? 0), 0) / all.length),
})
const [without, withIt] = [
  mean(filters.filter((_, index) => index % 2 === 0)),
  mean(filters.filter((_, index) => index % 2 === 1)),
]
tableOf(['TrafficTargets at the caller', 'sidecar', 'gateway', 'both, to no filter'], without, [without, withIt])

const again = await secured.sidecar()
/** Of caller, server and proxies together: what a direct connection costs is the first two. */
const whole = async (proxies: readonly RunningEnvoy[], work: () => Promise<void>): Promise<number> => {
  await work()
  const own = process.cpuUsage()
  const before = proxies.reduce((sum, each) => sum + cpuOf(each), 0)
  await work()
  const { user, system } = process.cpuUsage(own)
  return (user + system) / 1_000 + proxies.reduce((sum, each) => sum + cpuOf(each), 0) - before
}
console.log('')
row('TCP, caller and server included', 'direct', 'import', 'ratio')
row('---', '---', '---', '---')
for (const [title, count, workAt] of [
  [
    'a connection, one byte there and back',
    CONNECTIONS,
    (host: string, to: number) => inParallel(CONNECTIONS, () => echoed(host, to, 1)),
  ],
  ['a megabyte there and back', MEGABYTES, (host: string, to: number) => echoed(host, to, MEGABYTES * 1024 * 1024)],
] as const) {
  const direct = await whole([], () => workAt('127.60.9.2', echoPort))
  const imported = await whole([again, secured.gateway], () => workAt(db, port))
  const each = (ms: number) => `${Math.round((ms * 1_000) / count)} µs`
  row(title, each(direct), each(imported), (imported / direct).toFixed(2))
}
await again.stop()
await Promise.all([plain.gateway.stop(), secured.gateway.stop(), pages.kill()])
echo.close()
for (const each of identities) each.remove()
process.exit()
