import { afterAll, beforeAll, expect, test } from 'vitest'
import { compile } from '../../compiler/compile.ts'
import * as build from '../compiler/build.ts'
import { freePort } from '../lab/ports.ts'
import { type Backend, startBackend } from './backend.ts'
import { call, startLoad } from './call.ts'
import { type Gateway, startGateway } from './site.ts'

let pods: readonly Backend[]
let service: Backend
let gateway: Gateway

beforeAll(async () => {
  const port = await freePort()
  pods = await Promise.all([1, 2].map((n) => startBackend(`pod ${n}`, `127.90.0.${n}`, port)))
  service = await startBackend('service', '127.90.1.1', port)
  const { gateway: table } = compile(
    build.snapshot({
      services: [build.service('shop/web', { clusterIP: service.host, ports: [{ port }] })],
      endpointSlices: [build.pods('shop/web', [...pods.map((pod) => pod.host), '!127.90.0.3'], port)],
      exports: [build.serviceExport('shop/web', { rules: [{ portNumber: port, path: '/web' }] })],
    }),
  )
  gateway = await startGateway(table, build.mesh.clusterKey)
})

afterAll(async () => {
  await gateway.stop()
  await Promise.all([...pods, service].map((each) => each.kill()))
})

const to = () => ({ host: '127.0.0.1', port: gateway.port, path: '/web/x' })

test('calls are spread over ready pods, each in turn', async () => {
  const names: (string | undefined)[] = []
  for (let i = 0; i < 10; i++) names.push((await call(to())).seen?.name)
  expect(names.filter((name) => name === 'pod 1').length).toBe(5)
  expect(names.filter((name) => name === 'pod 2').length).toBe(5)
})

test('a table whose pods have all gone heals by the Service’s own address, also for POST', async () => {
  await Promise.all(pods.map((pod) => pod.kill()))
  for (const pod of pods) await gateway.leaves(pod)
  for (const method of ['GET', 'POST', 'POST', 'GET']) {
    expect((await call({ ...to(), method, body: 'x' })).seen?.name).toBe('service')
  }
  await Promise.all(pods.map((pod) => pod.revive()))
})

test('a POST that was sent is not sent again', async () => {
  for (const each of [...pods, service]) each.behaviour = () => 'reset'
  for (const each of [...pods, service]) each.seen.length = 0
  expect((await call({ ...to(), method: 'POST', body: 'x' })).status).toBe(503)
  expect([...pods, service].reduce((sum, each) => sum + each.seen.length, 0)).toBe(1)
  for (const each of [...pods, service]) each.behaviour = () => 'answer'
})

test('pods that go one after the other cost no call that had not been sent', async () => {
  const load = startLoad(to(), 2)
  for (const [index, pod] of pods.entries()) {
    // A pod that ends in order answers what it has and takes no new connection.
    await pod.drain()
    await load.meets(pods[1 - index]?.name ?? '', 40)
    await pod.revive()
  }
  expect(Object.keys(await load.stop()).sort()).toEqual(expect.not.arrayContaining(['503', '502', '504']))
})
