/** Callers for tests. */
import http from 'node:http'
import http2 from 'node:http2'
import { connect } from 'node:net'
import { until } from '../lab/run.ts'
import type { Seen } from './backend.ts'
import { OFTEN } from './proxy.ts'

export interface Call {
  readonly host: string
  readonly port: number
  readonly path?: string
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  readonly agent?: http.Agent
  /** Address that the call comes from. */
  readonly from?: string
}

export interface Answer {
  readonly status: number
  readonly headers: http.IncomingHttpHeaders
  readonly text: string
  /** What the application saw, when one answered. */
  readonly seen?: Seen
}

/** Whoever takes longer has been forgotten: a busy machine alone does not make it so. */
const PATIENCE_MS = 60_000

export const call = (to: Call): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const { host, port, path = '/', method = 'GET', headers = {}, body, agent, from: localAddress } = to
    // Node frames no body of a GET by itself.
    const framed = body === undefined ? headers : { ...headers, 'content-length': String(Buffer.byteLength(body)) }
    const options = { host, port, path, method, headers: framed, agent, localAddress, timeout: PATIENCE_MS }
    const request = http.request(options, (response) => {
      let text = ''
      response.on('data', (chunk) => (text += chunk))
      response.on('error', reject)
      response.on('end', () => {
        const json = text !== '' && response.headers['content-type'] === 'application/json'
        const answer = { status: response.statusCode ?? 0, headers: response.headers, text }
        resolve(json ? { ...answer, seen: JSON.parse(text) } : answer)
      })
    })
    request.on('timeout', () => request.destroy(new Error(`no answer within ${PATIENCE_MS / 1000} s`)))
    request.on('error', reject)
    request.end(body)
  })

/** One HTTP/2 request without TLS. */
export const callH2 = (host: string, port: number, path: string, body: string, headers: Record<string, string> = {}) =>
  new Promise<{
    status: number
    body: string
    headers: http2.IncomingHttpHeaders
    trailers: http2.IncomingHttpHeaders
  }>((resolve, reject) => {
    const session = http2.connect(`http://${host}:${port}`)
    session.on('error', reject)
    const stream = session.request({ ':method': 'POST', ':path': path, ...headers })
    let [answer, trailers, text]: [http2.IncomingHttpHeaders, http2.IncomingHttpHeaders, string] = [{}, {}, '']
    stream.on('response', (got) => (answer = got))
    stream.on('trailers', (got) => (trailers = got))
    stream.on('data', (chunk) => (text += chunk))
    stream.on('error', reject)
    stream.on('end', () => {
      session.close()
      resolve({ status: Number(answer[':status']), body: text, headers: answer, trailers })
    })
    stream.end(body)
  })

/** Opens a connection, sends `text` and resolves with the bytes that came back when `enough` holds or the peer closes. */
export const converse = (
  host: string,
  port: number,
  text: string,
  enough: (received: string) => string | boolean,
): Promise<string> =>
  new Promise((resolve, reject) => {
    const socket = connect(port, host, () => socket.write(text))
    let received = ''
    socket.setTimeout(PATIENCE_MS, () => socket.destroy(new Error(`no answer within ${PATIENCE_MS / 1000} s`)))
    socket.on('error', reject)
    socket.on('close', () => resolve(received))
    socket.on('data', (chunk) => {
      received += chunk
      const next = enough(received)
      if (next === true) socket.destroy()
      if (typeof next === 'string') socket.write(next)
    })
  })

export interface Load {
  /** Answers by application, failures by status or error code. */
  readonly counts: Record<string, number>
  /** Resolves when so many calls more have come to this. */
  readonly meets: (outcome: string, more?: number) => Promise<void>
  readonly stop: () => Promise<Record<string, number>>
}

/** Calls without a pause from some connections at once, until stopped. */
export const startLoad = (to: Omit<Call, 'agent'>, connections = 4): Load => {
  const agent = new http.Agent({ keepAlive: true, maxSockets: connections })
  const counts: Record<string, number> = {}
  let going = true
  const workers = Array.from({ length: connections }, async () => {
    while (going) {
      const outcome = await call({ ...to, agent }).then(
        ({ status, seen }) => (status === 200 ? (seen?.name ?? 'nobody') : String(status)),
        (error: NodeJS.ErrnoException) => error.code ?? error.message,
      )
      counts[outcome] = (counts[outcome] ?? 0) + 1
    }
  })
  return {
    counts,
    meets: async (outcome, more = 1) => {
      const before = counts[outcome] ?? 0
      await until(`${more} calls come to ${outcome}`, () => (counts[outcome] ?? 0) >= before + more, OFTEN)
    },
    stop: async () => {
      going = false
      await Promise.all(workers)
      agent.destroy()
      return counts
    },
  }
}
