/**
 * Calls a URL at a steady rate and counts who answered: node load.ts URL --rps 50 --seconds 20 [--method POST] [--header k:v].
 * Ends early, with its counts, on SIGTERM. Prints one line of JSON, a `LoadReport`.
 */
import http from 'node:http'
import { parseArgs } from 'node:util'

export interface LoadReport {
  readonly total: number
  /** Anything but a 2xx answer. */
  readonly failed: number
  /** Trimmed first line of the body → how often. */
  readonly answers: Readonly<Record<string, number>>
  /** Status or error code → how often, for those that failed. */
  readonly failures: Readonly<Record<string, number>>
  readonly slowestMs: number
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rps: { type: 'string', default: '50' },
    seconds: { type: 'string', default: '10' },
    method: { type: 'string', default: 'GET' },
    header: { type: 'string', multiple: true, default: [] },
    body: { type: 'string', default: '' },
    /** Gives up on one call after this many milliseconds. */
    timeout: { type: 'string', default: '10000' },
  },
})
const url = new URL(positionals[0] ?? '')
const headers = Object.fromEntries(
  values.header.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1)]),
)
const agent = new http.Agent({ keepAlive: true, maxSockets: 64 })

const answers: Record<string, number> = {}
const failures: Record<string, number> = {}
let total = 0
let failed = 0
let slowestMs = 0
const add = (to: Record<string, number>, key: string) => {
  to[key] = (to[key] ?? 0) + 1
}

function call(): Promise<void> {
  const start = performance.now()
  return new Promise((resolve) => {
    const done = (failure?: string) => {
      total++
      slowestMs = Math.max(slowestMs, Math.round(performance.now() - start))
      if (failure !== undefined) {
        failed++
        add(failures, failure)
      }
      resolve()
    }
    const request = http.request(
      url,
      { method: values.method, headers, agent, timeout: Number(values.timeout) },
      (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('error', (error: NodeJS.ErrnoException) => done(error.code ?? error.message))
        response.on('end', () => {
          const code = response.statusCode ?? 0
          if (code < 200 || code > 299) return done(`${code} ${Buffer.concat(chunks).toString().slice(0, 120)}`)
          add(answers, (Buffer.concat(chunks).toString().split('\n')[0] ?? '').trim())
          done()
        })
      },
    )
    request.on('timeout', () => request.destroy(Object.assign(new Error('no answer in time'), { code: 'TIMEOUT' })))
    request.on('error', (error: NodeJS.ErrnoException) => done(error.code ?? error.message))
    request.end(values.body === '' ? undefined : values.body)
  })
}

const pending = new Set<Promise<void>>()
let stopped = false
const started = performance.now()
const gap = 1000 / Number(values.rps)
const endsAfter = Number(values.seconds) * 1000
process.on('SIGTERM', () => {
  stopped = true
})
for (let n = 0; !stopped && performance.now() - started < endsAfter; n++) {
  const due = started + n * gap - performance.now()
  if (due > 0) await new Promise((resolve) => setTimeout(resolve, due))
  const one = call().finally(() => pending.delete(one))
  pending.add(one)
}
await Promise.all(pending)
agent.destroy()
console.log(JSON.stringify({ total, failed, answers, failures, slowestMs } satisfies LoadReport))
