/**
 * Stands in for Pipy (https://github.com/flomesh-io/pipy), whose binary comes from Docker Hub alone: `pipy -e SCRIPT` for
 * scripts of the one shape that the published walkthrough uses, `pipy().listen(PORT).serveHTTP(new Message(BODY))`.
 * Anything else ends it with a message.
 */
import { createServer } from 'node:http'
import { runInNewContext } from 'node:vm'

/** As in Pipy, the head may be left out. */
class Message {
  readonly body: string
  constructor(first: unknown, body: unknown = first) {
    this.body = String(body)
  }
}

interface Configuration {
  listen(port: number): Configuration
  serveHTTP(message: Message): Configuration
}

/** On SIGTERM it serves on for this long, in milliseconds: calls still come until every proxy has heard. */
const DRAIN = 1000

function pipy(): Configuration {
  let port: number | null = null
  const configuration: Configuration = {
    listen(wanted) {
      port = wanted
      return configuration
    },
    serveHTTP(message) {
      if (port === null || !(message instanceof Message)) throw new Error('listen(PORT) and a Message are needed')
      const server = createServer((_, response) => response.end(message.body)).listen(port)
      process.on('SIGTERM', () => setTimeout(() => server.close(() => process.exit(0)).closeIdleConnections(), DRAIN))
      return configuration
    },
  }
  return configuration
}

const [flag, script = '', ...rest] = process.argv.slice(2)
try {
  if (flag !== '-e' || rest.length > 0) throw new Error('usage: pipy -e SCRIPT')
  runInNewContext(script, { pipy, Message }, { filename: 'script' })
} catch (cause) {
  const reason = cause instanceof Error ? cause.message : String(cause)
  console.error(`${reason}\nThis is a stand-in for Pipy that knows pipy().listen(PORT).serveHTTP(new Message(BODY)).`)
  process.exitCode = 1
}
