import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import type { Registry } from 'prom-client'

export interface PlainServer {
  readonly port: number
  readonly close: () => Promise<void>
}

/** Those that the kubelet and a scraper make are over at once. */
const MOST_CONNECTIONS = 256
/** A question is one line and a few headers. */
const LIMITS = {
  maxHeaderSize: 8_192,
  headersTimeout: 5_000,
  requestTimeout: 5_000,
  connectionsCheckingInterval: 1_000,
}

/**
 * Whoever is in the cluster may connect. Beyond the limit the oldest connection goes rather than the newest: it is one that
 * somebody keeps, and the next probe is answered all the same.
 */
const keepFew = (server: Server): void => {
  const sockets = new Set<Socket>()
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    if (sockets.size > MOST_CONNECTIONS) sockets.values().next().value?.destroy()
  })
}

const serve = async (port: number, listener: RequestListener): Promise<PlainServer> => {
  const server = createServer(LIMITS, listener)
  keepFew(server)
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, resolve)
  })
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

/** /healthz says that the process runs, /readyz what `waitingFor` lists: 200 when that is nothing. */
export const serveHealth = (port: number, waitingFor: () => readonly string[]): Promise<PlainServer> =>
  serve(port, (request, response) => {
    const missing = request.url === '/readyz' ? waitingFor() : []
    const known = request.url === '/readyz' || request.url === '/healthz'
    response.writeHead(known ? (missing.length === 0 ? 200 : 503) : 404, { 'content-type': 'text/plain' })
    response.end(missing.length === 0 ? 'ok\n' : `waiting for ${missing.join(', ')}\n`)
  })

export const serveMetrics = (port: number, registry: Registry): Promise<PlainServer> =>
  serve(port, async (request, response) => {
    if (request.url === '/metrics') {
      response.writeHead(200, { 'content-type': registry.contentType }).end(await registry.metrics())
    } else response.writeHead(404).end()
  })
