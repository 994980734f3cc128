/**
 * Stands in for addozhang/dapr-nodeapp, the app of the published Dapr walkthrough: `GET /ports` tells Dapr's ports,
 * `POST /neworder` keeps an order in Dapr's state store, `GET /order` reads it. Every answer names the cluster.
 *
 * APP_PORT is where it listens, CLUSTER_NAME what it calls itself; DAPR_HTTP_PORT and DAPR_GRPC_PORT are set by Dapr.
 */
import { createServer, type IncomingMessage } from 'node:http'

const { APP_PORT = '3000', CLUSTER_NAME = 'nowhere', DAPR_HTTP_PORT = '3500', DAPR_GRPC_PORT = '50001' } = process.env
const STATE = `http://localhost:${DAPR_HTTP_PORT}/v1.0/state/statestore`
/** On SIGTERM it serves on for this long, in milliseconds: calls still come until every proxy has heard. */
const DRAIN = 1000

interface Answer {
  readonly status: number
  readonly text: string
}

const good = (text: string): Answer => ({ status: 200, text })
const bad = (status: number, message: string): Answer => ({ status, text: JSON.stringify({ message }) })

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString()
}

async function answer(request: IncomingMessage): Promise<Answer> {
  const path = (request.url ?? '/').split('?')[0]
  switch (`${request.method} ${path}`) {
    case 'GET /ports':
      return good(`${JSON.stringify({ DAPR_HTTP_PORT, DAPR_GRPC_PORT })}, from cluster: ${CLUSTER_NAME}`)
    case 'POST /neworder': {
      const { data } = JSON.parse(await bodyOf(request)) as { data: { orderId: string } }
      console.log(`Got a new order! Order ID: ${data.orderId}`)
      const kept = await fetch(STATE, {
        method: 'POST',
        body: JSON.stringify([{ key: 'order', value: data }]),
        headers: { 'content-type': 'application/json' },
      })
      if (!kept.ok) return bad(500, `the state store: ${kept.status} ${await kept.text()}`)
      return good(`created order via cluster: ${CLUSTER_NAME}`)
    }
    case 'GET /order': {
      const kept = await fetch(`${STATE}/order`)
      const order = await kept.text()
      if (!kept.ok) return bad(500, `the state store: ${kept.status} ${order}`)
      return order === '' ? bad(404, 'there is no order') : good(`${order}, from cluster: ${CLUSTER_NAME}`)
    }
    default:
      return bad(404, `no ${request.method} ${path} here`)
  }
}

const server = createServer(async (request, response) => {
  const { status, text } = await answer(request).catch((error: Error) => bad(500, String(error.cause ?? error.message)))
  response.writeHead(status).end(`${text}\n`)
})
server.listen(Number(APP_PORT))
process.on('SIGTERM', () => setTimeout(() => server.close(() => process.exit(0)).closeIdleConnections(), DRAIN))
