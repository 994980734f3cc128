import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { compile } from '../../compiler/compile.ts'
import type { GatewayTable, SidecarTable } from '../../compiler/tables.ts'
import * as build from '../compiler/build.ts'
import { freePort } from '../lab/ports.ts'
import { type Backend, startBackend } from './backend.ts'
import { call, startLoad } from './call.ts'
import { startGateway, startSidecar, VIP_RANGE } from './site.ts'

let apps: readonly Backend[]
let port: number

beforeAll(async () => {
  port = await freePort()
  apps = await Promise.all(['one', 'two', 'three'].map((name, index) => startBackend(name, `127.80.0.${index + 1}`)))
})
afterAll(async () => {
  await Promise.all(apps.map((app) => app.kill()))
})

const SWAPS = 100

const sidecarTable = (step: number): SidecarTable => {
  const exporters = apps.map(({ name, host, port }) => ({ cluster: name, host, port, path: `/${name}` }))
  const weights = exporters.map(({ cluster }, index) => ({ cluster, weight: ((step + index) * 37) % 100 }))
  const [table] = compile(
    build.snapshot({
      mesh: { ...build.mesh, vipRange: VIP_RANGE },
      imports: [
        build.serviceImport('shop/web', step % 7 === 0 ? exporters.slice(0, 2) : exporters, [{ port }]),
        // Others come and go beside it.
        ...(step % 2 === 0 ? [build.serviceImport(`shop/other-${step}`, exporters, [{ port }])] : []),
      ],
      policies: [build.policy('shop/web', 'ActiveActive', [...weights, { cluster: 'two', weight: 1 }])],
    }),
  ).sidecars
  return table ?? expect.unreachable()
}

const gatewayTable = (step: number): GatewayTable => {
  const app = apps[step % apps.length] ?? expect.unreachable()
  // The Service behind the path is another one each time, and another path comes and goes beside it.
  const key = `shop/web-${step}`
  return compile(
    build.snapshot({
      services: [build.service(key, { clusterIP: 'None', ports: [{ port: 8080 }] })],
      endpointSlices: [build.pods(key, [app.host], app.port)],
      exports: [
        build.serviceExport(key, {
          rules: [
            { portNumber: 8080, path: '/web' },
            { portNumber: 8080, path: `/beside/${step}` },
          ],
        }),
      ],
    }),
  ).gateway
}

describe(`${SWAPS} changes of the table under load cost no call`, () => {
  test('in a sidecar', async () => {
    const sidecar = await startSidecar(sidecarTable(1), build.mesh.clusterKey)
    const host = sidecarTable(1).routes[0]?.vip ?? ''
    const load = startLoad({ host, port })
    for (let step = 2; step < 2 + SWAPS; step++) await sidecar.swap(sidecarTable(step))
    const counts = await load.stop()
    await sidecar.stop()
    expect(Object.keys(counts).sort()).toEqual(['one', 'three', 'two'])
  })

  test('in a gateway, where the path passes to another Service each time', async () => {
    const gateway = await startGateway(gatewayTable(0), build.mesh.clusterKey)
    const load = startLoad({ host: '127.0.0.1', port: gateway.port, path: '/web/x' })
    for (let step = 1; step <= SWAPS; step++) await gateway.swap(gatewayTable(step))
    const counts = await load.stop()
    await gateway.stop()
    expect(Object.keys(counts).sort()).toEqual(['one', 'three', 'two'])
  })
})

describe('a sidecar', () => {
  test('keeps an open WebSocket when its service loses all routes', async () => {
    const table = sidecarTable(1)
    const host = table.routes[0]?.vip ?? ''
    const sidecar = await startSidecar(table, build.mesh.clusterKey)
    const hello = [
      'GET / HTTP/1.1',
      'Host: x',
      'Connection: Upgrade',
      'Upgrade: websocket',
      'Sec-WebSocket-Key: eA==',
      'Sec-WebSocket-Version: 13',
    ]
    const socket = connect(port, host, () => socket.write(`${hello.join('\r\n')}\r\n\r\n`))
    let received = ''
    socket.on('data', (chunk) => (received += chunk))
    await expect.poll(() => received).toMatch(/101 [\s\S]*\r\n\r\n$/)
    await sidecar.swap({ ...table, version: 'empty', routes: [] })
    expect((await call({ host, port })).status).toBe(503)
    socket.write('still there')
    await expect.poll(() => received).toMatch(/still there$/)
    socket.destroy()
    await sidecar.stop()
  })

  test('keeps the last good table when a file is broken', async () => {
    const table = sidecarTable(1)
    const sidecar = await startSidecar(table, build.mesh.clusterKey)
    const backends = table.routes[0]?.backends.map((backend) => ({ ...backend, priority: -1 })) ?? []
    const broken = { ...table, version: 'broken', routes: table.routes.map((route) => ({ ...route, backends })) }
    void sidecar.swap(broken).catch(() => undefined)
    const rejected = async () =>
      Object.values(await sidecar.stats('cds.update_rejected|cds.update_failure')).map(Number)
    await expect.poll(rejected).toContain(1)
    expect((await call({ host: table.routes[0]?.vip ?? '', port })).status).toBe(200)
    await sidecar.stop()
  })
})
