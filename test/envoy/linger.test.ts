/** A path moves, and callers in other clusters hear of it later than the gateway. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { compile } from '../../compiler/compile.ts'
import { withdrawnSince } from '../../compiler/controller/withdrawn.ts'
import type { Snapshot } from '../../compiler/snapshot.ts'
import type { GatewayTable, SidecarTable } from '../../compiler/tables.ts'
import * as build from '../compiler/build.ts'
import { freePort } from '../lab/ports.ts'
import { type Backend, startBackend } from './backend.ts'
import { startLoad } from './call.ts'
import { startGateway, startSidecar, VIP_RANGE } from './site.ts'

let app: Backend
let port: number

beforeAll(async () => {
  port = await freePort()
  app = await startBackend('east web', '127.95.0.1')
})
afterAll(() => app.kill())

/** Enough that whatever was under way has come to its end. */
const MANY = 40

/** East exports its Service at a path, or not at all. */
const exporter = (path: string | undefined, served: Snapshot['served'] = []): GatewayTable =>
  compile(
    build.snapshot({
      services: [build.service('shop/web', { clusterIP: 'None', ports: [{ port }] })],
      endpointSlices: [build.pods('shop/web', [app.host], app.port)],
      exports: path === undefined ? [] : [build.serviceExport('shop/web', { rules: [{ portNumber: port, path }] })],
      served,
    }),
  ).gateway

/** West calls what it knows of. */
const caller = (gatewayPort: number, path: string): SidecarTable => {
  const east = { cluster: 'east', host: '127.0.0.1', port: gatewayPort, path }
  const [table] = compile(
    build.snapshot({
      mesh: { ...build.mesh, vipRange: VIP_RANGE },
      imports: [build.serviceImport('shop/web', [east], [{ port }])],
      policies: [build.policy('shop/web', 'FailOver', ['east'])],
    }),
  ).sidecars
  return table ?? expect.unreachable()
}

const lingering = ({ routes }: GatewayTable) => routes.map((route) => ({ ...route, until: '2026-01-01T00:00:30Z' }))

/** The answers to POSTs, which nobody sends again, from before a path moves until long after. */
const answersWhile = async (lingers: boolean): Promise<readonly string[]> => {
  const gateway = await startGateway(exporter('/old'), build.clusterKey('east'))
  const sidecar = await startSidecar(caller(gateway.port, '/old'), build.mesh.clusterKey)
  const host = caller(gateway.port, '/old').routes[0]?.vip ?? ''
  const load = startLoad({ host, port, path: '/x', method: 'POST', body: 'order' })
  await load.meets('east web')
  await gateway.swap(exporter('/new', lingers ? lingering(exporter('/old')) : []))
  await load.meets(lingers ? 'east web' : '404', MANY)
  await sidecar.swap(caller(gateway.port, '/new'))
  await load.meets('east web', MANY)
  // The time of the old path is over.
  await gateway.swap(exporter('/new'))
  await load.meets('east web', MANY)
  const counts = await load.stop()
  await sidecar.stop()
  await gateway.stop()
  return Object.keys(counts).toSorted()
}

test('while the old path is served on, no call is lost', async () => {
  expect(await answersWhile(true)).toEqual(['east web'])
})

test('otherwise they are: what this is for', async () => {
  expect(await answersWhile(false)).toEqual(['404', 'east web'])
})

test('an export is withdrawn under load: calls are served until its time is over, then refused in words', async () => {
  const gateway = await startGateway(exporter('/web'), build.clusterKey('east'))
  const load = startLoad({ host: '127.0.0.1', port: gateway.port, path: '/web/x' })
  await load.meets('east web')
  await gateway.swap(exporter(undefined, lingering(exporter('/web'))))
  await load.meets('east web', MANY)
  expect(Object.keys(await load.stop())).toEqual(['east web'])
  await gateway.swap(exporter(undefined))
  const answer = await fetch(`http://127.0.0.1:${gateway.port}/web/x`)
  expect([answer.status, await answer.text()]).toEqual([404, 'portolan: no export is served at this path\n'])
  await gateway.stop()
})

/** West has pods of its own and, by annotation, those of east; others do not get its pods. */
const consumer = (imports: Snapshot['imports'], withdrawn: Snapshot['imports'] = []): SidecarTable => {
  const service = build.service('shop/web', { clusterIP: 'None', ports: [{ port }] })
  const annotations = { 'service.cilium.io/global': 'true', 'service.cilium.io/shared': 'false' }
  const [table] = compile(
    build.snapshot({
      mesh: { ...build.mesh, vipRange: VIP_RANGE },
      services: [{ ...service, metadata: { ...service.metadata, annotations } }],
      endpointSlices: [build.pods('shop/web', [app.host], app.port)],
      globalServices: true,
      imports,
      withdrawn,
    }),
  ).sidecars
  return table ?? expect.unreachable()
}

test('the last other cluster withdraws: who holds the address of the import is answered by own pods, with no call lost', async () => {
  const gateway = await startGateway(exporter('/web'), build.clusterKey('east'))
  const given = build.serviceImport(
    'shop/web',
    [{ cluster: 'east', host: '127.0.0.1', port: gateway.port, path: '/web' }],
    [{ port }],
  )
  const imports = [{ ...given, spec: { ...given.spec, doors: ['GlobalService'] as const } }]
  const sidecar = await startSidecar(consumer(imports), build.mesh.clusterKey)
  const host = consumer(imports).routes[0]?.vip ?? ''
  const load = startLoad({ host, port, path: '/x', method: 'POST', body: 'order' })
  const held = withdrawnSince({ imports, withdrawn: [] }, [], 0, 30).map(({ object }) => object)
  await load.meets('east web')
  await sidecar.swap(consumer([], held))
  await load.meets('east web', MANY)
  await gateway.stop()
  await load.meets('east web', MANY)
  expect(Object.keys(await load.stop())).toEqual(['east web'])
  await sidecar.swap(consumer([]))
  const after = startLoad({ host, port, path: '/x' })
  await after.meets('503', MANY)
  expect(Object.keys(await after.stop())).toEqual(['503'])
  await sidecar.stop()
})
