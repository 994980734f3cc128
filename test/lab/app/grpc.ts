/** node grpc.ts HOST:PORT MESSAGE: one unary gRPC call without TLS; prints a line of JSON, exit code 1 unless grpc-status is 0. */
import http2 from 'node:http2'

const [authority = '', message = ''] = process.argv.slice(2)
const session = http2.connect(`http://${authority}`)

function fail(reason: string): never {
  console.error(`${authority}: ${reason}`)
  process.exit(1)
}

setTimeout(() => fail('no answer in 10 s'), 10_000).unref()
session.on('error', (error) => fail(error.message))

const call = session.request({
  ':method': 'POST',
  ':path': '/portolan.test.Echo/Say',
  'content-type': 'application/grpc',
  te: 'trailers',
})
// A gRPC message: one byte "not compressed", four bytes length, the message itself.
const payload = Buffer.from(message)
const head = Buffer.alloc(5)
head.writeUInt32BE(payload.length, 1)
call.end(Buffer.concat([head, payload]))

let status: number | undefined
let cluster: string | string[] | undefined
let grpcStatus: string | string[] | undefined
const chunks: Buffer[] = []
call.on('response', (headers) => {
  status = headers[':status']
  cluster = headers['x-cluster']
  grpcStatus = headers['grpc-status'] as string | undefined // a proxy's own error comes without trailers
})
call.on('trailers', (trailers) => {
  grpcStatus = trailers['grpc-status'] as string | undefined
})
call.on('data', (chunk: Buffer) => chunks.push(chunk))
call.on('error', (error) => fail(error.message))
call.on('end', () => {
  console.log(JSON.stringify({ status, grpcStatus, cluster, message: Buffer.concat(chunks).subarray(5).toString() }))
  session.close()
  process.exitCode = grpcStatus === '0' ? 0 : 1
})
