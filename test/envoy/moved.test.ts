/** The only exporter of a service moves it to another path: callers hear of it when its gateway has had time to serve it. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { API_VERSION } from '../../api/names.ts'
import type { ServiceExport } from '../../api/service-export.ts'
import { compile } from '../../compiler/compile.ts'
import { servedUntil } from '../../compiler/controller/linger.ts'
import type { GatewayTable, SidecarTable } from '../../compiler/tables.ts'
import { holdPaths, NOTHING_HELD, PATH_HOLD_MS } from '../../federation/controller/held-paths.ts'
import { merge } from '../../federation/merge.ts'
import * as build from '../compiler/build.ts'
import { freePort } from '../lab/ports.ts'
import { until } from '../lab/run.ts'
import { type Backend, startBackend } from './backend.ts'
import { call, startLoad } from './call.ts'
import { type Gateway, startGateway, startSidecar, VIP_RANGE } from './site.ts'

type Exports = ReadonlyMap<string, ServiceExport>

let app: Backend
let port: number

beforeAll(async () => {
  port = await freePort()
  app = await startBackend('east web', '127.96.0.1')
})
afterAll(() => app.kill())

const service = () => build.service('shop/web', { clusterIP: 'None', ports: [{ port }] })
const exportAt = (path: string): Exports =>
  new Map([['shop/web', build.serviceExport('shop/web', { rules: [{ portNumber: port, path }] }, { uid: 'web' })]])

/** What the compiler in east makes of an export there. */
const served = (exports: Exports, before: GatewayTable['routes'] = []): GatewayTable =>
  compile(
    build.snapshot({
      services: [service()],
      endpointSlices: [build.pods('shop/web', [app.host], app.port)],
      exports: [...exports.values()],
      served: servedUntil(before, Date.now(), 30),
    }),
  ).gateway

/** What the hub makes of what counts of east's exports, and the compiler in west of that. */
const called = (exports: Exports, gatewayPort: number): SidecarTable => {
  const clusters = ['east', 'west'].map((name) => ({
    apiVersion: API_VERSION,
    kind: 'Cluster' as const,
    metadata: { name },
    spec: { gatewayHost: '127.0.0.1', gatewayPort },
  }))
  const east = { cluster: 'east', exports: [...exports.values()], services: [service()], globalServices: false }
  const west = merge([east], clusters).members.find(({ cluster }) => cluster === 'west')
  const [table] = compile(
    build.snapshot({
      mesh: { ...build.mesh, vipRange: VIP_RANGE },
      imports: west?.imports ?? [],
      policies: [build.policy('shop/web', 'FailOver', ['east'])],
    }),
  ).sidecars
  return table ?? expect.unreachable()
}

const serves = (gateway: Gateway, path: string) =>
  until(`the gateway serves ${path}`, async () => {
    return (await call({ host: '127.0.0.1', port: gateway.port, path })).status === 200
  })

/** The answers to POSTs from before the path moves until all know of it. @param countsAfter what the hub lets count of the export so long after it has changed */
const answersWhile = async (countsAfter: (ms: number) => Exports): Promise<readonly string[]> => {
  const [old, moved] = [exportAt('/old'), exportAt('/new')]
  const first = served(old)
  const gateway = await startGateway(first, build.clusterKey('east'))
  const sidecar = await startSidecar(called(old, gateway.port), build.mesh.clusterKey)
  const host = called(old, gateway.port).routes[0]?.vip ?? ''
  const load = startLoad({ host, port, path: '/x', method: 'POST', body: 'order' }, 1)
  const answered = (at: string, more: number) => {
    const before = load.counts[at] ?? 0
    return until(`${more} more answers: ${at}`, () => (load.counts[at] ?? 0) >= before + more)
  }
  await answered('east web', 20)
  // The hub has seen the change; the kubelet beside the gateway has not written its files yet.
  const told = called(countsAfter(0), gateway.port)
  if (told.version !== called(old, gateway.port).version) {
    await sidecar.swap(told)
    await answered('404', 20)
  }
  await gateway.swap(served(moved, first.routes))
  await serves(gateway, '/new/x')
  await answered('east web', 20)
  await sidecar.swap(called(countsAfter(PATH_HOLD_MS), gateway.port))
  await answered('east web', 20)
  const counts = await load.stop()
  await sidecar.stop()
  await gateway.stop()
  return Object.keys(counts).toSorted()
}

test('as the hub tells them, no call is lost', async () => {
  let [counts, held] = [exportAt('/old'), NOTHING_HELD]
  const moved = exportAt('/new')
  const answers = await answersWhile((ms) => {
    ;({ exports: counts, held } = holdPaths(counts, held, moved, ms))
    return counts
  })
  expect(answers).toEqual(['east web'])
})

test('told at once, calls are lost until the gateway knows: what the wait is for', async () => {
  expect(await answersWhile(() => exportAt('/new'))).toEqual(['404', 'east web'])
})
