/**
 * gRPC without TLS, by the last part of the path: `Say` echoes one message, `Chat` echoes each message as it comes,
 * `Refuse` ends with status 7 and a message, `Wait` never answers, `Cancelled` tells how many calls of `Wait` the caller
 * has given up. Trailers come with the status: how many messages there were, and the deadline that the call came with.
 * Other requests over HTTP/2 are told as JSON.
 */
import http2, { type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2'
import { grpcFrame, grpcReader } from './grpc-frames.ts'

/** What every answer says of the server. */
type Self = Readonly<Record<'x-cluster' | 'x-pod', string>>

export function grpcServer(self: Self): http2.Http2Server {
  let cancelled = 0
  const answer = (stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void => {
    let messages = 0
    const read = grpcReader()
    const begin = (ofEach: (message: Buffer) => void, atEnd: () => void) => {
      stream.respond({ ':status': 200, 'content-type': 'application/grpc', ...self }, { waitForTrailers: true })
      stream.on('wantTrailers', () => {
        const deadline = headers['grpc-timeout'] ?? ''
        stream.sendTrailers({ 'grpc-status': '0', 'x-messages': String(messages), 'x-deadline': deadline })
      })
      stream.on('data', (chunk: Buffer) => {
        for (const message of read(chunk)) {
          messages++
          ofEach(message)
        }
      })
      stream.on('end', () => {
        atEnd()
        stream.end()
      })
    }
    const nothing = () => {}
    switch (headers[':path']?.split('/').at(-1)) {
      case 'Chat':
        begin((message) => stream.write(grpcFrame(message)), nothing)
        break
      case 'Refuse':
        // Without a message there are no trailers either: the status comes with the headers.
        stream.respond(
          { ':status': 200, 'content-type': 'application/grpc', 'grpc-status': '7', 'grpc-message': 'not for you' },
          { endStream: true },
        )
        break
      case 'Wait':
        stream.on('aborted', () => {
          cancelled++
        })
        stream.resume()
        break
      case 'Cancelled':
        begin(nothing, () => stream.write(grpcFrame(String(cancelled))))
        break
      default: {
        const all: Buffer[] = []
        begin(
          (message) => all.push(message),
          () => stream.write(grpcFrame(Buffer.concat(all))),
        )
      }
    }
  }
  const tell = async (stream: ServerHttp2Stream, headers: IncomingHttpHeaders): Promise<void> => {
    const chunks: Buffer[] = []
    for await (const chunk of stream) chunks.push(chunk as Buffer)
    stream.respond({ ':status': 200, 'content-type': 'application/json', ...self })
    const [cluster, pod, body] = [self['x-cluster'], self['x-pod'], Buffer.concat(chunks).toString()]
    stream.end(JSON.stringify({ cluster, pod, path: headers[':path'], headers, body }))
  }
  const server = http2.createServer()
  server.on('stream', (stream, headers) => {
    stream.on('error', () => {}) // the caller went away
    if (headers['content-type']?.startsWith('application/grpc')) answer(stream, headers)
    else tell(stream, headers).catch(() => {})
  })
  return server
}
