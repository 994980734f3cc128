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

  /** @param idleMs closes connections on which the gateway has said the last word so long ago, so that each call needs a new one */
  constructor({ address }: Site, port: number, idleMs = 0) {
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
      if (idleMs > 0) closeWhenIdle(caller, gateway, idleMs)
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

function closeWhenIdle(caller: Socket, gateway: Socket, idleMs: number): void {
  let timer: NodeJS.Timeout | undefined
  caller.on('data', () => clearTimeout(timer))
  gateway.on('data', () => {
    clearTimeout(timer)
    timer = setTimeout(() => gateway.end(), idleMs)
  })
  gateway.on('close', () => clearTimeout(timer))
}
