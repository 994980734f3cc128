/** Applications for tests. They answer with what they saw. */
import { once } from 'node:events'
import http from 'node:http'
import http2 from 'node:http2'
import type { AddressInfo } from 'node:net'

export interface Seen {
  readonly name: string
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: string
}

export type Verdict = 'answer' | 'reset' | number

export interface Backend {
  readonly name: string
  readonly host: string
  readonly port: number
  /** What has arrived, in order. */
  readonly seen: Seen[]
  /** What to do with a request instead of answering 200, at once or later. */
  behaviour: (seen: Seen) => Verdict | Promise<Verdict>
  /** As if the process were killed: open connections break, new ones are refused. */
  readonly kill: () => Promise<void>
  /** As if the process were asked to end: open requests are answered, new connections refused. */
  readonly drain: () => Promise<void>
  readonly revive: () => Promise<void>
}

const serve = async (server: http.Server | http2.Http2Server, host: string, port: number): Promise<number> => {
  server.listen(port, host)
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

/** HTTP/1.1, with WebSocket-style upgrades that echo. Port 0 = any. */
export const startBackend = async (name: string, host: string, port = 0): Promise<Backend> => {
  const make = (): http.Server => {
    const server = http.createServer((request, response) => {
      const chunks: Buffer[] = []
      request.on('data', (chunk) => chunks.push(chunk))
      request.on('error', () => undefined)
      request.on('end', async () => {
        const { method = '', url = '', headers } = request
        const seen: Seen = { name, method, path: url, headers, body: Buffer.concat(chunks).toString() }
        backend.seen.push(seen)
        const verdict = await backend.behaviour(seen)
        if (verdict === 'reset') return void request.socket.resetAndDestroy()
        const asked = headers['x-answer-with']
        const more = typeof asked === 'string' ? { [asked]: 'true' } : {}
        response.writeHead(verdict === 'answer' ? 200 : verdict, { 'content-type': 'application/json', ...more })
        response.end(JSON.stringify(seen))
      })
    })
    server.keepAliveTimeout = 60_000
    server.on('upgrade', ({ url = '', method = '', headers }, socket) => {
      backend.seen.push({ name, method, path: url, headers, body: '' })
      socket.on('error', () => undefined)
      socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n')
      socket.pipe(socket)
    })
    return server
  }
  let server = make()
  const backend: Backend = {
    name,
    host,
    port: await serve(server, host, port),
    seen: [],
    behaviour: () => 'answer',
    kill: async () => {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
    drain: async () => {
      const closed = once(server, 'close')
      server.close()
      server.closeIdleConnections()
      await closed
    },
    revive: async () => {
      server = make()
      await serve(server, host, backend.port)
    },
  }
  return backend
}

/** HTTP/2 without TLS and nothing else; gRPC requests are echoed with trailers. */
export const startH2Backend = async (name: string, host: string, port = 0) => {
  const seen: { readonly path: string; readonly body: string }[] = []
  const sessions = new Set<http2.ServerHttp2Session>()
  const server = http2.createServer()
  server.on('session', (session) => sessions.add(session))
  server.on('stream', (stream, headers) => {
    const chunks: Buffer[] = []
    stream.on('error', () => undefined)
    stream.on('data', (chunk: Buffer) => chunks.push(chunk))
    stream.on('end', () => {
      const body = Buffer.concat(chunks)
      seen.push({ path: String(headers[':path']), body: body.toString() })
      stream.respond({ ':status': 200, 'content-type': 'application/grpc', 'x-name': name }, { waitForTrailers: true })
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }))
      stream.end(body)
    })
  })
  return {
    name,
    host,
    port: await serve(server, host, port),
    seen,
    kill: async () => {
      for (const session of sessions) session.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
