import { request } from 'node:http'
import { Duplex } from 'node:stream'
import { Agent, request as ask, WebSocket } from 'undici'
import type { Connection } from './connection.ts'
import { failed, fromAnswer, fromException, ok, type Result } from './failure.ts'
import { objectPath, type Ref, type Resource } from './object.ts'

/** A port of a pod, on its own loopback as on its address. */
export interface PodPort {
  readonly pod: Ref
  readonly port: number
}

export interface HttpAnswer {
  readonly status: number
  readonly body: string
}

const PODS: Resource = { group: '', version: 'v1', plural: 'pods', kind: 'Pod', namespaced: true }
const TIMEOUT_MS = 15_000
const PROTOCOL = 'v4.channel.k8s.io'
/** Streams of the one port that is forwarded. The first two bytes on each are the port's number. */
const DATA = 0
const ERRORS = 1
const PORT_BYTES = 2

/**
 * GET of a pod's HTTP server by way of the API server and the pod's kubelet, as `kubectl port-forward` goes: it reaches
 * what listens on the pod's loopback alone, from anywhere.
 */
export async function getFromPod(
  connection: Connection,
  { pod, port }: PodPort,
  path: string,
): Promise<Result<HttpAnswer>> {
  const what = `get ${path.split('?')[0]} of port ${port} of Pod ${pod.namespace}/${pod.name}`
  const { headers, tls } = await connection.credentials()
  const dispatcher = new Agent({ connect: { ...tls, allowH2: false }, allowH2: false })
  const forward = `${connection.server}${objectPath(PODS, pod, 'portforward')}?ports=${port}`
  try {
    const socket = new WebSocket(forward.replace(/^http/, 'ws'), { protocols: [PROTOCOL], dispatcher, headers })
    if (!(await opened(socket))) {
      // A web socket does not say what the server had against it. Asked without one, it complains of that last.
      const { statusCode, body } = await ask(forward, { dispatcher, headers })
      return failed(fromAnswer(what, statusCode, await body.json()))
    }
    const tunnel = openTunnel(socket)
    try {
      return ok(await get(tunnel, path))
    } finally {
      tunnel.destroy()
    }
  } catch (cause) {
    return failed(fromException(what, cause, false))
  } finally {
    await dispatcher.destroy()
  }
}

function opened(socket: WebSocket): Promise<boolean> {
  return new Promise((resolve) => {
    socket.addEventListener('open', () => resolve(true), { once: true })
    socket.addEventListener('error', () => resolve(false), { once: true })
  })
}

function get(tunnel: Duplex, path: string): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    tunnel.once('error', reject)
    const asked = request(
      {
        path,
        headers: { host: 'localhost', connection: 'close' },
        createConnection: () => tunnel,
        signal: AbortSignal.timeout(TIMEOUT_MS),
      },
      (answer) => {
        const chunks: Buffer[] = []
        answer.on('data', (chunk: Buffer) => chunks.push(chunk))
        answer.once('error', reject)
        answer.once('end', () => resolve({ status: answer.statusCode ?? 0, body: Buffer.concat(chunks).toString() }))
      },
    )
    asked.once('error', reject)
    asked.end()
  })
}

/** The forwarded port as a stream of bytes. @param socket open */
function openTunnel(socket: WebSocket): Duplex {
  socket.binaryType = 'arraybuffer'
  const begun = new Set<number>()
  const tunnel = new Duplex({
    read: () => {},
    write: (chunk: Buffer, _encoding, done) => {
      socket.send(Buffer.concat([Buffer.from([DATA]), chunk]))
      done()
    },
    destroy: (error, done) => {
      socket.close()
      done(error)
    },
  })
  socket.addEventListener('message', ({ data }) => {
    const bytes = Buffer.from(data as ArrayBuffer)
    const stream = bytes[0] ?? DATA
    const content = bytes.subarray(begun.has(stream) ? 1 : 1 + PORT_BYTES)
    begun.add(stream)
    if (content.length === 0) return
    if (stream === ERRORS) tunnel.destroy(new Error(content.toString().trim()))
    else tunnel.push(content)
  })
  socket.addEventListener('close', () => tunnel.push(null))
  return tunnel
}
