/** The server's end of a WebSocket that echoes (RFC 6455): unfragmented messages up to 64 KiB, which is all tests send. */
import { createHash } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'

/** Fixed by RFC 6455, section 1.3. */
const MAGIC = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
const CLOSE = 8
const PING = 9
const PONG = 10

interface Frame {
  readonly opcode: number
  readonly payload: Buffer
  /** Bytes taken from the input. */
  readonly length: number
}

/** The first frame in `input`, unmasked, or null while it is not all there. */
function readFrame(input: Buffer): Frame | null {
  if (input.length < 2) return null
  const short = input.readUInt8(1) & 0x7f
  const masked = (input.readUInt8(1) & 0x80) !== 0
  const extended = short === 126 ? 2 : 0
  if (short === 127) throw new Error('message over 64 KiB')
  if (input.length < 2 + extended) return null
  const size = extended === 0 ? short : input.readUInt16BE(2)
  const start = 2 + extended + (masked ? 4 : 0)
  if (input.length < start + size) return null
  const payload = Buffer.from(input.subarray(start, start + size))
  if (masked) {
    const mask = input.subarray(start - 4, start)
    for (const [i, byte] of payload.entries()) payload[i] = byte ^ (mask[i % 4] ?? 0)
  }
  return { opcode: input.readUInt8(0) & 0x0f, payload, length: start + size }
}

function frame(opcode: number, payload: Buffer): Buffer {
  const head =
    payload.length < 126
      ? Buffer.from([0x80 | opcode, payload.length])
      : Buffer.from([0x80 | opcode, 126, payload.length >> 8, payload.length & 0xff])
  return Buffer.concat([head, payload])
}

/** Completes the handshake and sends every message back. */
export function acceptWebSocket(request: IncomingMessage, socket: Duplex): void {
  const key = request.headers['sec-websocket-key'] ?? ''
  const accept = createHash('sha1')
    .update(key + MAGIC)
    .digest('base64')
  const lines = [
    'HTTP/1.1 101 Switching Protocols',
    'upgrade: websocket',
    'connection: Upgrade',
    `sec-websocket-accept: ${accept}`,
  ]
  socket.write(`${lines.join('\r\n')}\r\n\r\n`)
  let pending = Buffer.alloc(0)
  socket.on('error', () => socket.destroy())
  socket.on('data', (chunk: Buffer) => {
    pending = Buffer.concat([pending, chunk])
    try {
      for (let next = readFrame(pending); next !== null; next = readFrame(pending)) {
        pending = pending.subarray(next.length)
        if (next.opcode === CLOSE) return void socket.end(frame(CLOSE, next.payload))
        if (next.opcode !== PONG) socket.write(frame(next.opcode === PING ? PONG : next.opcode, next.payload))
      }
    } catch {
      socket.destroy()
    }
  })
}
