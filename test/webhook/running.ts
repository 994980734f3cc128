import { pino } from 'pino'
import { Agent, request } from 'undici'
import { issueLeaf, issueRoot, type KeyPair } from '../../certs/issue.ts'
import type { InjectRequest } from '../../webhook/decision.ts'
import { createMetrics } from '../../webhook/metrics.ts'
import { listen, type WebhookServer } from '../../webhook/server.ts'

export const HOST = 'portolan-webhook.portolan-system.svc'

export interface Running {
  readonly server: WebhookServer
  readonly root: KeyPair
  readonly log: readonly Record<string, unknown>[]
  /** Empties the log. */
  readonly forget: () => void
  /** What the server judges by; set before asking. */
  readonly world: { request: InjectRequest }
  readonly metrics: () => Promise<string>
  readonly post: (path: string, body: string | Buffer, headers?: Record<string, string>) => Promise<Reply>
  readonly send: (method: string, path: string) => Promise<Reply>
  readonly stop: () => Promise<void>
}

export interface Reply {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly text: string
}

/** A webhook server on loopback with a certificate of its own, and a client that trusts exactly that. */
export const run = async (first: InjectRequest): Promise<Running> => {
  const lines: Record<string, unknown>[] = []
  const log = pino({}, { write: (line: string) => void lines.push(JSON.parse(line)) })
  const metrics = createMetrics()
  const world = { request: first }
  const server = await listen({
    port: 0,
    host: '127.0.0.1',
    log,
    metrics,
    sources: {
      mesh: () => world.request.mesh,
      namespace: async () => world.request.namespace,
      world: () => ({}),
    },
  })
  const now = Date.now()
  const root = await issueRoot({ commonName: 'test', now, lifeMs: 3_600_000 })
  server.present(await issueLeaf({ root, dnsNames: [HOST], now, lifeMs: 3_600_000 }))
  const dispatcher = new Agent({
    connect: { ca: root.cert, servername: HOST, timeout: 60_000 },
    connections: 16,
    bodyTimeout: 10_000,
  })
  const ask = async (method: string, path: string, body?: string | Buffer, headers = {}): Promise<Reply> => {
    const url = `https://127.0.0.1:${server.port}${path}`
    const answer = await request(url, { method: method as 'POST', body: body ?? null, headers, dispatcher })
    return { status: answer.statusCode, headers: answer.headers, text: await answer.body.text() }
  }
  return {
    server,
    root,
    log: lines,
    forget: () => void lines.splice(0),
    world,
    metrics: () => metrics.registry.metrics(),
    post: (path, body, headers = { 'content-type': 'application/json' }) => ask('POST', path, body, headers),
    send: (method, path) => ask(method, path),
    stop: async () => {
      await dispatcher.destroy()
      await server.drain(0, 0)
    },
  }
}

/** An AdmissionReview as the API server sends it. */
export const review = (request: Readonly<Record<string, unknown>>) => ({
  apiVersion: 'admission.k8s.io/v1',
  kind: 'AdmissionReview',
  request: {
    uid: '705ab4f5-6393-11e8-b7cc-42010a800002',
    kind: { group: '', version: 'v1', kind: 'Pod' },
    resource: { group: '', version: 'v1', resource: 'pods' },
    operation: 'CREATE',
    userInfo: { username: 'admin' },
    dryRun: false,
    options: { apiVersion: 'meta.k8s.io/v1', kind: 'CreateOptions' },
    oldObject: null,
    ...request,
  },
})
