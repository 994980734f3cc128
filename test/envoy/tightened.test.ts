/** What was open to all is not any more: nobody slips in while proxies hear of it. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { compile } from '../../compiler/compile.ts'
import type { LingeringRoute } from '../../compiler/tables.ts'
import * as build from '../compiler/build.ts'
import { type Backend, startBackend } from './backend.ts'
import { call, startLoad } from './call.ts'
import { startGateway } from './site.ts'

let open: Backend
let secret: Backend

beforeAll(async () => {
  open = await startBackend('open', '127.63.0.1')
  secret = await startBackend('secret', '127.63.0.2')
})
afterAll(() => Promise.all([open.kill(), secret.kill()]))

const ONLY_SOME = [{ serviceAccounts: ['curl'] }]

const tableOf = (
  exports: readonly (readonly [name: string, spec: Parameters<typeof build.serviceExport>[1]])[],
  served: readonly LingeringRoute[] = [],
) =>
  compile(
    build.snapshot({
      trust: build.trustIn('west'),
      services: ['open', 'secret'].map((name) =>
        build.service(`shop/${name}`, { clusterIP: 'None', ports: [{ port: 80 }] }),
      ),
      endpointSlices: [open, secret].map(({ name, host, port }) => build.pods(`shop/${name}`, [host], port)),
      exports: exports.map(([name, spec]) => build.serviceExport(`shop/${name}`, spec)),
      served,
    }),
  ).gateway

const at = (path: string) => [{ portNumber: 80, path }]

test('a path passes from an export that is open to one that is not, and back, under load', async () => {
  const toOpen = tableOf([['open', { rules: at('/a') }]])
  const toSecret = tableOf([['secret', { rules: at('/a'), allowedClients: ONLY_SOME }]])
  const gateway = await startGateway(toOpen, build.mesh.clusterKey)
  const load = startLoad({ host: '127.0.0.1', port: gateway.port, path: '/a/x' })
  for (let i = 0; i < 10; i++) {
    await gateway.swap(i % 2 === 0 ? toSecret : toOpen)
    await load.meets(i % 2 === 0 ? '403' : 'open')
  }
  const counts = await load.stop()
  expect(secret.seen).toEqual([])
  expect(counts).toMatchObject({ open: expect.any(Number), 403: expect.any(Number) })
  await gateway.stop()
})

test('routes that proxies refuse leave the old ones, which do not lead to what is not open', async () => {
  const toOpen = tableOf([['open', { rules: at('/a') }]])
  const toSecret = tableOf([['secret', { rules: at('/a'), allowedClients: ONLY_SOME }]])
  const gateway = await startGateway(toOpen, build.mesh.clusterKey)
  const broken = toSecret.routes.map((route) => ({
    ...route,
    clients: [{ trustDomain: '(', namespace: 'a', serviceAccount: 'b' }],
  }))
  await gateway.swap({ ...toSecret, routes: broken })
  const refusals = async () => Object.values(await gateway.stats('rds.*update_rejected')).map(Number)
  await expect.poll(refusals).toContain(1)
  for (let i = 0; i < 5; i++) await call({ host: '127.0.0.1', port: gateway.port, path: '/a/x' })
  expect(secret.seen).toEqual([])
  await gateway.stop()
})

test('an export that moves and becomes tighter at once is not open at its old path', async () => {
  const before = tableOf([['secret', { rules: at('/old') }]])
  const lingering = before.routes.map((route) => ({ ...route, until: '2026-01-01T00:00:30Z' }))
  const gateway = await startGateway(before, build.mesh.clusterKey)
  const to = (path: string) => call({ host: '127.0.0.1', port: gateway.port, path })
  expect((await to('/old')).status).toBe(200)
  await gateway.swap(tableOf([['secret', { rules: at('/new'), allowedClients: ONLY_SOME }]], lingering))
  await expect.poll(async () => (await to('/old')).status).toBe(403)
  secret.seen.length = 0
  expect((await to('/new')).status).toBe(403)
  // Withdrawn, it lets in whom it let in at last.
  const tight = tableOf([['secret', { rules: at('/new'), allowedClients: ONLY_SOME }]], lingering).routes
  await gateway.swap(
    tableOf(
      [],
      tight.map((route) => ({ ...route, until: '2026-01-01T00:00:30Z' })),
    ),
  )
  expect([(await to('/old')).status, (await to('/new')).status]).toEqual([403, 403])
  expect(secret.seen).toEqual([])
  await gateway.stop()
})
