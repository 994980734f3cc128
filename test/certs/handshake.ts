import { X509Certificate } from 'node:crypto'
import { request } from 'node:https'
import type { TLSSocket } from 'node:tls'

export interface Asked {
  readonly host: string
  readonly port: number
  readonly path: string
  /** The name that the certificate must be for. */
  readonly servername: string
  /** PEM of the roots that are trusted, and no others. */
  readonly ca: string
  /** Sent as JSON; nothing when absent. */
  readonly body?: object
}

export interface Answered {
  readonly status: number
  readonly text: string
  /** What the server showed. */
  readonly leaf: X509Certificate
}

/** A POST with a handshake of its own. Rejects when the handshake does not succeed, or nobody answers within 10 s. */
export const postAnew = ({ path, body, ...options }: Asked): Promise<Answered> =>
  new Promise((resolve, reject) => {
    const headers = body === undefined ? {} : { 'content-type': 'application/json' }
    const asked = request({ ...options, path, method: 'POST', headers, agent: false, timeout: 60_000 }, (answer) => {
      const { raw } = (answer.socket as TLSSocket).getPeerCertificate()
      const chunks: Buffer[] = []
      answer.on('data', (chunk: Buffer) => chunks.push(chunk))
      answer.on('error', reject)
      answer.on('end', () =>
        resolve({
          status: answer.statusCode ?? 0,
          text: Buffer.concat(chunks).toString(),
          leaf: new X509Certificate(raw),
        }),
      )
    })
    asked.on('timeout', () => asked.destroy(new Error('no answer within 10 s')))
    asked.on('error', reject)
    asked.end(body === undefined ? undefined : JSON.stringify(body))
  })
