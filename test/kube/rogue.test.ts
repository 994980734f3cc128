/** What calls itself an API server and is none: a member that has been taken over may answer anything. */
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { SERVICES } from '../../api/resources.ts'
import { observeService } from '../../federation/controller/observed.ts'
import { createClient } from '../../kube/client.ts'
import { type InformerEvent, startInformer } from '../../kube/informer.ts'

const GOOD = JSON.stringify({
  metadata: { resourceVersion: '7' },
  items: [{ metadata: { namespace: 'shop', name: 'web', resourceVersion: '7' }, spec: { ports: [{ port: 80 }] } }],
})

let server: Server | undefined
afterEach(() => server?.close().closeAllConnections())

/** Says all of these in turn, the last for ever after; watches stay silent. */
async function rogue(answers: readonly string[]): Promise<string> {
  let asked = 0
  server = createServer((request, response) => {
    response.setHeader('content-type', 'application/json')
    if (request.url?.includes('watch=true')) response.flushHeaders()
    else response.end(answers[Math.min(asked++, answers.length - 1)])
  })
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

test.each([
  ['an object', '{}'],
  ['a list of nothing', '{"metadata":{},"items":null}'],
  ['a number', '7'],
  ['no JSON', '<html>'],
  ['an item that is none', '{"metadata":{"resourceVersion":"1"},"items":[null]}'],
  ['an item without metadata', '{"metadata":{"resourceVersion":"1"},"items":[{"spec":{}}]}'],
  ['an item without what it must have', '{"metadata":{"resourceVersion":"1"},"items":[{"metadata":{"name":"a"}}]}'],
])('%s in place of a list is a failure like any other, and the next list is read', async (_, odd) => {
  const client = createClient({ server: await rogue([odd, GOOD]), credentials: async () => ({ headers: {}, tls: {} }) })
  const events: InformerEvent[] = []
  const informer = startInformer({
    client,
    resource: SERVICES,
    keep: observeService,
    backoff: { firstMs: 1, mostMs: 5 },
    observe: (event) => events.push(event),
  })
  await informer.synced()
  expect(events.map(({ type }) => type).slice(0, 2)).toEqual(['failed', 'listed'])
  expect(informer.list().map(({ metadata }) => metadata.name)).toEqual(['web'])
  await informer.stop()
  await client.close()
})
