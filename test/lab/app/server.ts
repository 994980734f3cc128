/**
 * A server of many small behaviours, so that a test can ask for the one it needs.
 *
 * Port 8080, HTTP/1.1: `/` greets; `/echo…` tells the request as JSON; `/headers`; `/status/N`; `/delay/MS`;
 * `/count` tells how many POSTs came in, POST `/count` adds one, POST `/count/die` adds one and breaks the connection
 * without an answer; `/ws` echoes WebSocket messages; any other path greets as well.
 * Port 8081, HTTP/2 without TLS: gRPC, see grpc-server.ts; tells other requests as JSON.
 * Port 8082, TCP: speaks first, then echoes.
 *
 * CLUSTER is the name it greets with. On SIGTERM it serves on for DRAIN milliseconds (1000), since calls still come
 * until every proxy has heard, and then finishes what it has begun.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import net from 'node:net'
import { hostname } from 'node:os'
import { grpcServer } from './grpc-server.ts'
import { acceptWebSocket } from './websocket.ts'

const cluster = process.env['CLUSTER'] ?? 'nowhere'
const pod = hostname()
const posts: string[] = []
let draining = false

async function bodyOf(request: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk)
  return Buffer.concat(chunks)
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const target = request.url ?? '/'
  const [, first = '', second = ''] = (target.split('?')[0] ?? '/').split('/')
  const body = await bodyOf(request)
  const send = (status: number, content: string, type: string) => {
    response.writeHead(status, {
      'content-type': type,
      'x-cluster': cluster,
      'x-pod': pod,
      ...(draining ? { connection: 'close' } : {}),
    })
    response.end(request.method === 'HEAD' ? undefined : content)
  }
  const json = (value: unknown) => send(200, `${JSON.stringify(value, null, 2)}\n`, 'application/json')
  const greet = (status = 200) => send(status, `Hi, I am from ${cluster}!\n`, 'text/plain')
  switch (first) {
    case 'echo': {
      const { method, headers } = request
      return json({ cluster, pod, method, path: target, headers, body: body.toString() })
    }
    case 'headers':
      return json(request.headers)
    case 'status':
      return greet(Number(second) || 400)
    case 'delay':
      await new Promise((resolve) => setTimeout(resolve, Number(second) || 0))
      return greet()
    case 'count':
      if (request.method === 'POST') posts.push(body.toString())
      if (second === 'die') return void request.socket.destroy()
      return json({ posts: posts.length, bodies: posts.slice(-100) })
    default:
      return greet()
  }
}

const web = createServer((request, response) => {
  answer(request, response).catch((error: Error) => {
    console.error(error.message)
    response.destroy()
  })
})
web.on('upgrade', (request, socket) => {
  if (request.url?.split('?')[0] === '/ws') acceptWebSocket(request, socket)
  else socket.end('HTTP/1.1 404 Not Found\r\nconnection: close\r\ncontent-length: 0\r\n\r\n')
})

const grpc = grpcServer({ 'x-cluster': cluster, 'x-pod': pod })

const greeter = net.createServer((socket) => {
  socket.on('error', () => {})
  socket.write(`Hi, I am from ${cluster}!\n`)
  socket.pipe(socket)
})

web.listen(Number(process.env['PORT'] ?? 8080))
grpc.listen(8081)
greeter.listen(8082)
console.log(`${cluster} ${pod}: listening`)

process.on('SIGTERM', () => {
  draining = true
  setTimeout(
    () => {
      grpc.close()
      greeter.close()
      web.close(() => process.exit(0))
      web.closeIdleConnections()
    },
    Number(process.env['DRAIN'] ?? 1000),
  )
})
