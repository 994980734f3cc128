/**
 * What a question to the webhook costs: the pure answer, the same over HTTPS, and a webhook that allows everything
 * unseen, in one run. The ratio to the last is the figure that travels between machines.
 */
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import express from 'express'
import { pino } from 'pino'
import { Agent, request } from 'undici'
import { issueLeaf, issueRoot, type KeyPair } from '../../certs/issue.ts'
import { answer, type Sources } from '../../webhook/answer.ts'
import { createMetrics } from '../../webhook/metrics.ts'
import { listen } from '../../webhook/server.ts'
import { cases } from '../webhook/cases.ts'
import { HOST, review } from '../webhook/running.ts'

export interface Latency {
  readonly p50: number
  readonly p99: number
  /** Per second. */
  readonly rate: number
}

export interface AdmissionFigures {
  /** `answer()` alone; milliseconds. */
  readonly handler: Latency
  /** One caller at a time, over one kept connection, as an API server has. */
  readonly https: { readonly ours: Latency; readonly null: Latency }
  /** Sixteen callers at once. */
  readonly busy: { readonly ours: Latency; readonly null: Latency }
  /** Bytes of the question. */
  readonly bytes: number
}

const injected = cases.find(({ name }) => name === 'from-a-replica-set')?.request
if (injected === undefined) throw new Error('the golden folder has lost its case from-a-replica-set')
const { namespace, mesh, pod } = injected
const question = review({ namespace: namespace.metadata.name, object: pod })
const body = JSON.stringify(question)

const sources: Sources = { mesh: () => mesh, namespace: async () => namespace, world: () => ({}) }

const latency = (samples: number[], elapsedMs: number): Latency => {
  const sorted = samples.sort((a, b) => a - b)
  const at = (share: number): number => sorted[Math.floor(sorted.length * share)] ?? 0
  return { p50: at(0.5), p99: at(0.99), rate: (samples.length / elapsedMs) * 1000 }
}

const SLICES = 10

/**
 * Calls each of `asks` from `callers` at once for `ms`, in turns of a tenth, so that what else the machine does meets
 * all of them alike. The first turn of each is its warm-up.
 */
const measure = async (
  asks: readonly (() => Promise<unknown>)[],
  callers: number,
  ms: number,
): Promise<readonly Latency[]> => {
  const samples: number[][] = asks.map(() => [])
  for (let slice = 0; slice <= SLICES; slice++) {
    for (const [i, ask] of asks.entries()) {
      const end = performance.now() + ms / SLICES
      const caller = async (): Promise<void> => {
        for (let begun = performance.now(); begun < end; begun = performance.now()) {
          await ask()
          if (slice > 0) samples[i]?.push(performance.now() - begun)
        }
      }
      await Promise.all(Array.from({ length: callers }, caller))
    }
  }
  return samples.map((taken) => latency(taken, ms))
}

const caller = (port: number, root: KeyPair) => {
  const dispatcher = new Agent({ connect: { ca: root.cert, servername: HOST } })
  const ask = async (): Promise<void> => {
    const reply = await request(`https://127.0.0.1:${port}/inject`, {
      ...{ method: 'POST', body, dispatcher },
      headers: { 'content-type': 'application/json' },
    })
    if (reply.statusCode !== 200) throw new Error(`the webhook answered ${reply.statusCode}`)
    await reply.body.arrayBuffer()
  }
  return { ask, close: () => dispatcher.destroy() }
}

/** Reads the review and allows it: the least that any webhook in Node does. */
const listenNull = async (leaf: KeyPair) => {
  const app = express()
  app.post('/inject', express.json({ limit: '8mb' }), (asked, response) => {
    const { apiVersion, kind, request: asking } = asked.body
    response.json({ apiVersion, kind, response: { uid: asking.uid, allowed: true } })
  })
  const server = createServer(leaf, app)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { port: (server.address() as AddressInfo).port, close: () => server.close() }
}

const NOTHING: Latency = { p50: 0, p99: 0, rate: 0 }
const pair = ([nothing = NOTHING, ours = NOTHING]: readonly Latency[]) => ({ null: nothing, ours })

/** `ms` is how long each of the five measurements lasts. */
export const benchAdmission = async (ms = 3_000): Promise<AdmissionFigures> => {
  const now = Date.now()
  const root = await issueRoot({ commonName: 'bench', now, lifeMs: 3_600_000 })
  const leaf = await issueLeaf({ root, dnsNames: [HOST], now, lifeMs: 3_600_000 })
  const log = pino({}, { write: () => undefined })
  const ours = await listen({ port: 0, host: '127.0.0.1', log, metrics: createMetrics(), sources })
  ours.present(leaf)
  const nothing = await listenNull(leaf)
  const callOurs = caller(ours.port, root)
  const callNull = caller(nothing.port, root)
  const [handler = NOTHING] = await measure([() => answer('inject', question, sources)], 1, ms)
  const alone = await measure([callNull.ask, callOurs.ask], 1, ms)
  const busy = await measure([callNull.ask, callOurs.ask], 16, ms)
  await Promise.all([callOurs.close(), callNull.close()])
  nothing.close()
  await ours.drain(0, 0)
  return { handler, https: pair(alone), busy: pair(busy), bytes: Buffer.byteLength(body) }
}

const ms = (value: number): string => `${value.toFixed(value < 1 ? 3 : 2)} ms`
const row = (name: string, { p50, p99, rate }: Latency, to?: Latency): string =>
  `| ${name} | ${ms(p50)} | ${ms(p99)} | ${Math.round(rate)} | ${to === undefined ? '' : `${(p50 / to.p50).toFixed(2)}×`} |`

/** A Markdown table. */
export const reportAdmission = ({ handler, https, busy, bytes }: AdmissionFigures): string =>
  [
    `A pod of ${bytes} bytes (with its review) is given its sidecar.`,
    '',
    '| | p50 | p99 | per second | p50 to null |',
    '| --- | --- | --- | --- | --- |',
    row('`answer()` alone', handler),
    row('null webhook, 1 caller', https.null),
    row('ours, 1 caller', https.ours, https.null),
    row('null webhook, 16 callers', busy.null),
    row('ours, 16 callers', busy.ours, busy.null),
  ].join('\n')

if (import.meta.main) console.log(reportAdmission(await benchAdmission()))
