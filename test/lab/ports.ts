import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type Server } from 'node:net'

/** Below those that the kernel gives to whoever connects out: such a port would be taken again before it is listened on. */
const FIRST = 10_000
const LAST = 32_000

async function hold(): Promise<Server> {
  for (;;) {
    const server = createServer().listen(randomInt(FIRST, LAST), '0.0.0.0')
    const free = await once(server, 'listening').then(
      () => true,
      () => false,
    )
    if (free) return server
  }
}

/** Ports that nobody listens on. Held open together, so that none is handed out twice. */
export async function freePorts(count: number): Promise<readonly number[]> {
  const servers = await Promise.all(Array.from({ length: count }, hold))
  const ports = servers.map((server) => (server.address() as { port: number }).port)
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  return ports
}

export async function freePort(): Promise<number> {
  const [port = 0] = await freePorts(1)
  return port
}
