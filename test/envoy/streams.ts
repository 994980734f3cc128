/** Servers and callers that speak no HTTP: the server speaks first. */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

export interface StreamServer {
  readonly name: string
  readonly host: string
  readonly port: number
  /** Connections that have been taken. */
  readonly taken: () => number
  /** As if the process were killed: open connections break, new ones are refused. */
  readonly kill: () => Promise<void>
  readonly revive: () => Promise<void>
}

/** Greets with its name, echoes what it is told with its name in front, and says goodbye when the caller has ended. Port 0 = any. */
export const startStreamServer = async (name: string, host: string, port = 0): Promise<StreamServer> => {
  const open = new Set<Socket>()
  let taken = 0
  const make = () =>
    createServer({ allowHalfOpen: true }, (socket) => {
      taken += 1
      open.add(socket)
      socket.write(`${name} greets\n`)
      socket.on('data', (chunk) => socket.write(`${name}: ${chunk}`))
      socket.on('end', () => socket.end(`${name} ends\n`))
      socket.on('close', () => open.delete(socket))
      socket.on('error', () => undefined)
    })
  const listen = async (at: number) => {
    server.listen(at, host)
    await once(server, 'listening')
    return (server.address() as AddressInfo).port
  }
  let server = make()
  const own = await listen(port)
  return {
    name,
    host,
    port: own,
    taken: () => taken,
    kill: async () => {
      const closed = once(server, 'close')
      server.close()
      for (const socket of open) socket.destroy()
      await closed
    },
    revive: async () => {
      server = make()
      await listen(own)
    },
  }
}

/** A caller's connection. */
export class Stream {
  readonly #socket: Socket
  #heard = ''
  #ended: string | undefined
  #changed: () => void = () => undefined

  constructor(host: string, port: number) {
    this.#socket = connect({ host, port, allowHalfOpen: true })
    const end = (how: string) => {
      this.#ended ??= how
      this.#changed()
    }
    this.#socket.on('data', (chunk) => {
      this.#heard += chunk
      this.#changed()
    })
    this.#socket.on('end', () => end('ended'))
    this.#socket.on('error', ({ message }) => end(message))
  }

  /** All that came. */
  get heard(): string {
    return this.#heard
  }

  /** How the other side ended the connection; undefined while it has not. */
  get ended(): string | undefined {
    return this.#ended
  }

  say(text: string): void {
    this.#socket.write(text)
  }

  /** Says no more, and listens on. */
  shut(): void {
    this.#socket.end()
  }

  /** Resolves when something has been heard or the connection has ended; after a minute without it, no more is waited for. */
  async hears(text: string): Promise<boolean> {
    const late = setTimeout(() => {
      this.#ended ??= `nothing for a minute after ${JSON.stringify(this.#heard)}`
      this.#changed()
    }, 60_000)
    while (!this.#heard.includes(text) && this.#ended === undefined) {
      await new Promise<void>((resolve) => {
        this.#changed = resolve
      })
    }
    clearTimeout(late)
    return this.#heard.includes(text)
  }

  close(): void {
    this.#socket.destroy()
  }
}

/** Who greets a new connection; how it ended, when nobody does. */
export const whoGreets = async (host: string, port: number): Promise<string> => {
  const stream = new Stream(host, port)
  await stream.hears(' greets\n')
  stream.close()
  return / ?(\S+) greets\n/.exec(stream.heard)?.[1] ?? 'nobody'
}
