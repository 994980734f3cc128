import { once } from 'node:events'
import http2 from 'node:http2'
import { connect, type Socket } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { compile } from '../../compiler/compile.ts'
import { metricsLimit } from '../../compiler/render-envoy.ts'
import { gatewayBootstrap } from '../../compiler/render-gateway.ts'
import { MOST_CONNECTIONS } from '../../compiler/render-hygiene.ts'
import { sidecarBootstrap, sidecarSettings } from '../../compiler/render-sidecar.ts'
import * as build from '../compiler/build.ts'
import { freePort } from '../lab/ports.ts'
import { type Backend, startBackend } from './backend.ts'
import { call } from './call.ts'
import { startEnvoy } from './proxy.ts'
import { say } from './raw.ts'
import { type Gateway, startGateway } from './site.ts'

let app: Backend
let gateway: Gateway

const table = (port: number) =>
  compile(
    build.snapshot({
      services: [build.service('shop/web', { clusterIP: 'None', ports: [{ port }] })],
      endpointSlices: [build.pods('shop/web', [app.host], app.port)],
      exports: [
        build.serviceExport('shop/web', {
          rules: [
            { portNumber: port, path: '/web' },
            { portNumber: port, path: '/other' },
          ],
          rateLimit: { requests: 3, per: 'Hour' },
        }),
      ],
    }),
  ).gateway

beforeAll(async () => {
  app = await startBackend('web', '127.62.0.1')
  gateway = await startGateway(table(app.port), build.mesh.clusterKey)
})
afterAll(async () => {
  await gateway.stop()
  await app.kill()
})
afterEach(() => {
  app.seen.length = 0
})

const at = () => ({ host: '127.0.0.1', port: gateway.port })

describe('rateLimit', () => {
  test('lets through as many requests as it says, of each path, and answers the others with 429', async () => {
    const statuses: number[] = []
    for (let i = 0; i < 5; i++) statuses.push((await call({ ...at(), path: '/web/x' })).status)
    expect(statuses).toEqual([200, 200, 200, 429, 429])
    expect(app.seen).toHaveLength(3)
    const { text } = await call({ ...at(), path: '/web' })
    expect(text).toBe('portolan: rateLimit of this export lets no more requests through for now\n')
    expect((await call({ ...at(), path: '/other' })).status).toBe(200)
  })
})

describe('connections', () => {
  test('beyond the limit are closed; /ready is answered all the same', async () => {
    const [adminPort, metricsPort, port] = [await freePort(), await freePort(), await freePort()]
    const settings = { clusterKey: build.mesh.clusterKey, directory: '/nowhere', accessLog: false }
    const bootstrap = JSON.stringify(gatewayBootstrap({ ...settings, adminPort, metricsPort, port }))
    const limit = `"max_active_downstream_connections":${MOST_CONNECTIONS}`
    expect(bootstrap).toContain(limit)
    const { dynamic_resources: _, ...rest } = JSON.parse(bootstrap.replace(limit, limit.replace(/\d+$/, '3')))
    // Where there is no route, nobody may do anything.
    const text = JSON.stringify(rest, (_, value) => {
      if (!value?.rds) return value
      const { rds: __, ...manager } = value
      return { ...manager, route_config: { name: 'none' } }
    })
    const proxy = await startEnvoy(JSON.parse(text), { adminPort, metricsPort })
    const sockets: Socket[] = []
    for (let i = 0; i < 3; i++) {
      const socket = connect(port, '127.0.0.1')
      await once(socket, 'connect')
      sockets.push(socket)
    }
    const request = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n'
    expect(await say({ host: '127.0.0.1', port }, request)).toMatchObject({ statuses: [], closed: true })
    expect((await call({ host: '127.0.0.1', port: metricsPort, path: '/ready' })).status).toBe(200)
    for (const socket of sockets) socket.destroy()
    await expect.poll(async () => (await say({ host: '127.0.0.1', port }, request)).statuses).toEqual([403])
    await proxy.stop()
  })
})

describe('HTTP/2', () => {
  const session = async (): Promise<http2.ClientHttp2Session> => {
    const client = http2.connect(`http://127.0.0.1:${gateway.port}`)
    client.on('error', () => undefined)
    await once(client, 'remoteSettings')
    return client
  }

  test('says how many streams it takes', async () => {
    const client = await session()
    expect(client.remoteSettings.maxConcurrentStreams).toBe(1024)
    expect(client.remoteSettings.enableConnectProtocol ?? false).toBe(false)
    client.destroy()
  })

  test('a flood of requests that are taken back ends the connection, and no other', async () => {
    const other = await session()
    const client = await session()
    // Whether the last is heard as an error, too, depends on what was on its way.
    const closed = new Promise((resolve) => client.once('close', resolve))
    const flood = (): void => {
      for (let i = 0; i < 500 && !client.destroyed; i++) {
        const stream = client.request({ ':path': '/nowhere' })
        stream.on('error', () => undefined)
        stream.close(http2.constants.NGHTTP2_CANCEL)
      }
      if (!client.destroyed) setImmediate(flood)
    }
    flood()
    await closed
    const stream = other.request({ ':path': '/nowhere' })
    const [headers] = await once(stream, 'response')
    expect(headers[':status']).toBe(404)
    other.destroy()
  })
})

test('administration is for who is in the pod: a gateway’s is at no other address', async () => {
  await expect(once(connect(gateway.adminPort, '127.0.0.2'), 'connect')).rejects.toThrow('ECONNREFUSED')
  expect((await call({ ...at(), port: gateway.adminPort, path: '/ready' })).status).toBe(200)
})

describe('where statistics are', () => {
  const gone = async (socket: Socket) => {
    socket.on('error', () => {})
    if (!socket.closed) await once(socket, 'close')
  }
  const metrics = () => ({ host: '127.0.0.1', port: gateway.metricsPort })

  test.each([
    ['a request that nobody ends is cut', `GET /ready HTTP/1.1\r\nHost: x\r\nx-long: ${'a'.repeat(9_000)}`, '431'],
    ['HTTP/2 is not spoken', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', '400'],
  ])('%s', async (_, request, status) => {
    const socket = connect(metrics())
    let heard = ''
    socket.on('data', (chunk: Buffer) => (heard += chunk.toString()))
    socket.write(request)
    await gone(socket)
    expect(heard.slice(0, 12)).toBe(`HTTP/1.1 ${status}`)
  })

  test('a sidecar takes so many connections and no more, and goes on', async () => {
    const [adminPort, metricsPort, capturePort] = [await freePort(), await freePort(), await freePort()]
    const settings = {
      ...sidecarSettings(build.mesh.clusterKey, { tcpRange: '240.240.128.0/17' }),
      directory: '/nowhere',
    }
    const ports = { adminPort, metricsPort, capturePort }
    const text = JSON.stringify(sidecarBootstrap({ ...settings, ...ports }))
    const limit = `"${metricsLimit}":1000`
    expect(text).toContain(limit)
    const { dynamic_resources: _, ...rest } = JSON.parse(text.replace(limit, limit.replace('1000', '3')))
    const proxy = await startEnvoy(rest, ports)
    const sockets: Socket[] = []
    for (let i = 0; i < 3; i++) {
      const socket = connect(metricsPort, '127.0.0.1')
      await once(socket, 'connect')
      sockets.push(socket)
    }
    await gone(connect(metricsPort, '127.0.0.1'))
    // Nobody but the pod itself gets at what captures its calls, or at its administration.
    for (const port of [capturePort, adminPort])
      await expect(once(connect(port, '127.0.0.2'), 'connect')).rejects.toThrow('ECONNREFUSED')
    const captured = connect(capturePort, '127.0.0.1')
    await once(captured, 'connect')
    sockets.push(captured)
    for (const socket of sockets) socket.destroy()
    await proxy.stop()
  })
})
