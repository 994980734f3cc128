/** A TCP proxy for tests: a line that can be cut, or go dead without either end being told. */
import { connect, createServer, type Socket } from 'node:net'

export interface Line {
  readonly port: number
  /** Existing connections stay open and carry nothing any more; new ones work. */
  readonly goSilent: () => void
  /** Ends existing connections and refuses new ones until `mend`. */
  readonly cut: () => void
  readonly mend: () => void
  readonly connections: () => number
  readonly close: () => Promise<void>
}

export async function startLine(targetPort: number): Promise<Line> {
  const pairs = new Set<{ readonly near: Socket; readonly far: Socket }>()
  let isCut = false
  const server = createServer((near) => {
    if (isCut) {
      near.destroy()
      return
    }
    const far = connect(targetPort, '127.0.0.1')
    const pair = { near, far }
    pairs.add(pair)
    const end = () => {
      near.destroy()
      far.destroy()
      pairs.delete(pair)
    }
    for (const socket of [near, far]) socket.on('error', end).on('close', end)
    near.pipe(far)
    far.pipe(near)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as { port: number }).port,
    goSilent: () => {
      for (const { near, far } of pairs) {
        near.unpipe().pause()
        far.unpipe().pause()
      }
    },
    cut: () => {
      isCut = true
      for (const { near } of pairs) near.destroy()
    },
    mend: () => {
      isCut = false
    },
    connections: () => pairs.size,
    close: async () => {
      for (const { near } of pairs) near.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
