/** A client that sends what it is told to, byte by byte. */
import { connect as connectPlain } from 'node:net'
import { connect as connectTls } from 'node:tls'
import type { KeyPair } from '../../certs/issue.ts'

export interface Wire {
  readonly host: string
  readonly port: number
  /** TLS, with this certificate or with none. Absent: no TLS at all. */
  readonly tls?: { readonly identity?: KeyPair; readonly alpn?: readonly string[] }
}

export interface Heard {
  /** Of each answer, in order. */
  readonly statuses: readonly number[]
  readonly text: string
  /** Whether the peer has closed, and with what error, if any. */
  readonly closed: boolean
  readonly error?: string
}

/** Whoever has given all answers that are due, and says no more for so long, has said everything. */
const QUIET_MS = 80
/** The same where no answer is due. */
const SILENT_MS = 1_000
/** How long an answer that is due may take. */
const PATIENCE_MS = 60_000

/**
 * Opens a connection, sends the bytes and listens until nothing more comes. Never rejects.
 * @param due how many answers are waited for
 */
export const say = ({ host, port, tls }: Wire, bytes: string | readonly string[], due = 1): Promise<Heard> =>
  new Promise((resolve) => {
    const socket = tls
      ? connectTls({
          host,
          port,
          rejectUnauthorized: false,
          ...(tls.identity ?? {}),
          ...(tls.alpn ? { ALPNProtocols: [...tls.alpn] } : {}),
        })
      : connectPlain(port, host)
    let text = ''
    let error: string | undefined
    let timer: NodeJS.Timeout | undefined
    const statuses = () => [...text.matchAll(/^HTTP\/1\.[01] (\d{3})/gm)].map(([, status]) => Number(status))
    const done = (closed: boolean): void => {
      clearTimeout(timer)
      socket.destroy()
      resolve({ statuses: statuses(), text, closed, ...(error === undefined ? {} : { error }) })
    }
    const wait = (ms: number): void => {
      clearTimeout(timer)
      timer = setTimeout(() => done(false), ms)
    }
    wait(PATIENCE_MS)
    socket.on(tls ? 'secureConnect' : 'connect', async () => {
      wait(due === 0 ? SILENT_MS : PATIENCE_MS)
      for (const part of [bytes].flat()) {
        socket.write(part, 'latin1')
        await new Promise((next) => setImmediate(next))
      }
    })
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1')
      wait(statuses().length < due ? PATIENCE_MS : QUIET_MS)
    })
    socket.on('error', (cause: NodeJS.ErrnoException) => {
      error = cause.code ?? cause.message
    })
    socket.on('close', () => done(true))
  })
