/**
 * node grpc.ts HOST:PORT MESSAGE [--method Say] [--deadline MS] [--times N]: gRPC calls without TLS, all on one
 * connection. With `-` for the message each line of the input is one, sent on one stream, and each that comes back is
 * printed. Prints a line of JSON for each call, a `GrpcReport`; exit code 1 unless every grpc-status is 0.
 */
import http2 from 'node:http2'
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import { grpcFrame, grpcReader } from './grpc-frames.ts'

export interface GrpcReport {
  /** Of HTTP; absent when no answer came. */
  readonly status?: number
  readonly grpcStatus?: string
  readonly grpcMessage?: string
  readonly cluster?: string
  /** What came back, as one text. */
  readonly message: string
  /** Trailers, or of an answer without a message its headers. */
  readonly trailers: Readonly<Record<string, unknown>>
  /** Set when the caller gave up at its deadline. */
  readonly gaveUp?: true
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    method: { type: 'string', default: 'Say' },
    deadline: { type: 'string' },
    times: { type: 'string', default: '1' },
  },
})
const [authority = '', message = ''] = positionals
const session = http2.connect(`http://${authority}`)

function fail(reason: string): never {
  console.error(`${authority}: ${reason}`)
  process.exit(1)
}

session.on('error', (error) => fail(error.message))

function call(method: string): Promise<GrpcReport> {
  const stream = session.request({
    ':method': 'POST',
    ':path': `/portolan.test.Echo/${method}`,
    'content-type': 'application/grpc',
    te: 'trailers',
    ...(values.deadline === undefined ? {} : { 'grpc-timeout': `${values.deadline}m` }),
  })
  const read = grpcReader()
  const parts: Buffer[] = []
  let head: Record<string, unknown> = {}
  let trailers: Record<string, unknown> | undefined
  let gaveUp = false
  if (message === '-') {
    const lines = createInterface({ input: process.stdin })
    lines.on('line', (line) => stream.write(grpcFrame(line)))
    lines.on('close', () => stream.end())
  } else stream.end(grpcFrame(message))
  const after = values.deadline ?? (message === '-' ? undefined : '10000')
  const timer = setTimeout(
    () => {
      if (values.deadline === undefined) fail('no answer in 10 s')
      gaveUp = true
      stream.close(http2.constants.NGHTTP2_CANCEL)
    },
    Number(after ?? 2 ** 31 - 1),
  )
  stream.on('response', (headers) => {
    head = headers
  })
  stream.on('trailers', (headers) => {
    trailers = headers
  })
  stream.on('data', (chunk: Buffer) => {
    for (const part of read(chunk)) {
      if (message === '-') console.log(part.toString())
      parts.push(part)
    }
  })
  return new Promise((resolve) => {
    stream.on('error', (error) => fail(error.message))
    stream.on('close', () => {
      clearTimeout(timer)
      // An answer without a message, and a proxy's own, has the status in its headers.
      const last = trailers ?? head
      const text = (key: string, name: string, from: Record<string, unknown>) =>
        typeof from[name] === 'string' ? { [key]: from[name] } : {}
      resolve({
        ...(typeof head[':status'] === 'number' ? { status: head[':status'] } : {}),
        ...text('grpcStatus', 'grpc-status', last),
        ...text('grpcMessage', 'grpc-message', last),
        ...text('cluster', 'x-cluster', head),
        message: Buffer.concat(parts).toString(),
        trailers: last,
        ...(gaveUp ? { gaveUp: true } : {}),
      })
    })
  })
}

for (let n = 0; n < Number(values.times); n++) {
  const report = await call(values.method)
  console.log(JSON.stringify(report))
  if (report.grpcStatus !== '0') process.exitCode = 1
}
session.close()
