import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import express, { type ErrorRequestHandler, type Express, type Response } from 'express'
import type { Logger } from 'pino'
import type { KeyPair } from '../certs/issue.ts'
import { answer, DOORS, type Door, type Sources } from './answer.ts'
import type { WebhookMetrics } from './metrics.ts'

/** Kubernetes takes objects of up to 3 MiB, and a review of an update carries two. */
const BODY_LIMIT = 8 * 1024 * 1024
/** Go's clients drop an idle connection after 90 s: the server must not be the first, or a request may meet a closing one. */
const KEEP_ALIVE_MS = 120_000

export interface Desk {
  readonly sources: Sources
  readonly metrics: WebhookMetrics
  readonly log: Logger
}

const turnAway = (response: Response, metrics: WebhookMetrics, status: number, message: string): void => {
  metrics.turnedAway(status)
  response.status(status).type('text/plain').send(`${message}\n`)
}

/** The HTTP face of `answer`: knows of methods, media types and sizes, and of nothing else. */
const createApp = ({ sources, metrics, log }: Desk, leaving: () => boolean): Express => {
  const app = express()
  app.disable('x-powered-by')
  app.disable('etag')
  const json = express.json({ limit: BODY_LIMIT, inflate: false, strict: false, type: 'application/json' })
  for (const door of DOORS) {
    app
      .route(`/${door}`)
      .post(json, async (request, response) => {
        // Asked only now, since a body that was read had the right type.
        if (request.body === undefined && request.is('application/json') === false) {
          return turnAway(response, metrics, 415, 'send application/json')
        }
        if (leaving()) response.set('connection', 'close')
        await respond(door, request.body, response, { sources, metrics, log })
      })
      .all((_request, response) => {
        response.set('allow', 'POST')
        turnAway(response, metrics, 405, `/${door} answers POST only`)
      })
  }
  app.use((_request, response) => {
    turnAway(response, metrics, 404, `there is ${DOORS.map((door) => `/${door}`).join(', ')} and nothing else`)
  })
  const failed: ErrorRequestHandler = (error: { status?: unknown; message?: unknown }, _request, response, next) => {
    if (response.headersSent) return next(error)
    const status = typeof error.status === 'number' && error.status >= 400 && error.status < 500 ? error.status : 500
    if (status === 500) log.error({ err: error }, 'a question could not be answered')
    turnAway(response, metrics, status, status === 500 ? 'the answer failed: see the log' : String(error.message))
  }
  app.use(failed)
  return app
}

const respond = async (door: Door, body: unknown, response: Response, desk: Desk): Promise<void> => {
  const started = performance.now()
  const result = await answer(door, body, desk.sources)
  if (result.status !== 200) return turnAway(response, desk.metrics, result.status, result.message)
  const { verdict, review } = result
  const took = performance.now() - started
  desk.metrics.decided(verdict, took / 1000)
  desk.log.info({ ...verdict, ms: Math.round(took * 100) / 100 }, verdict.codes[0])
  response.json(review)
}

export interface WebhookServer {
  readonly port: number
  /** Serves new connections with this certificate; those that are open stay as they are. */
  readonly present: (leaf: KeyPair) => void
  /**
   * Goes on answering for `lingerMs`, so that the API servers learn to ask another replica, then takes no new
   * connections, finishes what is under way, and resolves. After `mostMs` more, what still hangs is cut.
   */
  readonly drain: (lingerMs: number, mostMs: number) => Promise<void>
}

export interface ListenOptions extends Desk {
  /** 0 = any free one. */
  readonly port: number
  readonly host?: string
}

export const listen = async (options: ListenOptions): Promise<WebhookServer> => {
  let draining = false
  const app = createApp(options, () => draining)
  // Without a certificate no handshake succeeds, so there is no harm in listening before the first one is there.
  const server = createServer(
    { minVersion: 'TLSv1.2', keepAliveTimeout: KEEP_ALIVE_MS, headersTimeout: 15_000, requestTimeout: 30_000 },
    app,
  )
  server.on('tlsClientError', (error) => options.log.debug({ err: error }, 'a TLS handshake failed'))
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(options.port, options.host, resolve)
  })
  return {
    port: (server.address() as AddressInfo).port,
    present: ({ cert, key }) => server.setSecureContext({ cert, key, minVersion: 'TLSv1.2' }),
    drain: async (lingerMs, mostMs) => {
      draining = true
      await delay(lingerMs)
      await close(server, mostMs)
    },
  }
}

const close = async (server: Server, mostMs: number): Promise<void> => {
  const cut = setTimeout(() => server.closeAllConnections(), mostMs)
  await new Promise<void>((resolve) => {
    server.close(() => resolve())
    server.closeIdleConnections()
  })
  clearTimeout(cut)
}
