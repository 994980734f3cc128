import { connect, createServer, type Server, type Socket } from 'node:net'
import type { Site } from './site.ts'

/** Hands on whatever comes to a site's gateway, and what that says in return; keeps what callers have sent. */
export class Relay {
  /** An address of this machine that pods reach. */
  readonly host: string
  /** What each caller has sent, in order. */
  readonly sent: Buffer[][] = []
  readonly #server: Server
  readonly #open = new Set<Socket>()

  constructor({ address }: Site, port: number) {
    this.host = address.replace(/\d+$/, '1')
    this.#server = createServer((caller) => {
      const bytes: Buffer[] = []
      this.sent.push(bytes)
      const gateway = connect(port, address)
      caller.on('data', (chunk) => bytes.push(chunk))
      for (const [from, to] of [
        [caller, gateway],
        [gateway, caller],
      ] as const) {
        this.#open.add(from)
        from.on('error', () => to.destroy())
        from.on('close', () => this.#open.delete(from))
        from.pipe(to)
      }
    })
  }

  listen(): Promise<number> {
    return new Promise((resolve) =>
      this.#server.listen(0, this.host, () => {
        const address = this.#server.address()
        resolve(typeof address === 'object' && address !== null ? address.port : 0)
      }),
    )
  }

  close(): void {
    for (const socket of this.#open) socket.destroy()
    this.#server.close()
  }
}
