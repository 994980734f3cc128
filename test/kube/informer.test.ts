/** The informer's loop against a real API server, and everything that happens to connections with one. */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { CONFIGMAPS, type ConfigMap } from '../../api/resources.ts'
import { createClient, type KubeClient } from '../../kube/client.ts'
import type { Connection } from '../../kube/connection.ts'
import { must } from '../../kube/failure.ts'
import { type Informer, type InformerEvent, type InformerOptions, startInformer } from '../../kube/informer.ts'
import { until } from '../lab/run.ts'
import { ADMIN, type ApiServer, startApiServer } from './apiserver.ts'
import { type Line, startLine } from './line.ts'

const SCOPE = { namespace: 'default' }

let api: ApiServer
let client: KubeClient
const closing: (() => Promise<void>)[] = []

beforeAll(async () => {
  api = await startApiServer()
  client = createClient(api.connection)
})
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})
afterAll(async () => {
  await client?.close()
  await api?.stop()
})

interface Followed {
  readonly informer: Informer<ConfigMap>
  readonly events: InformerEvent[]
  readonly count: (type: InformerEvent['type']) => number
}

function follow(connection: Connection, options: Partial<InformerOptions<ConfigMap>> = {}): Followed {
  const through = createClient(connection, { timeoutMs: 2_000 })
  const events: InformerEvent[] = []
  const informer = startInformer<ConfigMap>({
    client: through,
    resource: CONFIGMAPS,
    scope: SCOPE,
    backoff: { firstMs: 20, mostMs: 200 },
    observe: (event) => events.push(event),
    ...options,
  })
  closing.push(async () => {
    await informer.stop()
    await through.close()
  })
  return { informer, events, count: (type) => events.filter((event) => event.type === type).length }
}

async function line(): Promise<Line> {
  const opened = await startLine(api.port)
  closing.push(opened.close)
  return opened
}

const through = ({ port }: Line): Connection => api.connectionOf(ADMIN, `https://127.0.0.1:${port}`)

async function write(name: string, value: string): Promise<void> {
  const data = { value }
  must(
    await client.apply<ConfigMap>(CONFIGMAPS, { metadata: { namespace: 'default', name }, data }, { manager: 'test' }),
  )
}

/** The informer holds what the API server lists: names, contents and versions. */
async function converges({ informer }: Followed): Promise<void> {
  await until('the informer holds what the API server holds', async () => {
    const { items } = must(await client.list(CONFIGMAPS, SCOPE))
    const digest = (objects: readonly ConfigMap[]) =>
      objects.map(({ metadata, data }) => `${metadata.name} ${metadata.resourceVersion} ${data?.['value']}`).toSorted()
    return digest(items).join() === digest(informer.list()).join()
  })
}

test('follows creation, change and deletion, in pages and by watch', async () => {
  for (let i = 0; i < 5; i++) await write(`page-${i}`, 'a')
  const paged = createClient(api.connection, { pageSize: 2 })
  closing.push(() => paged.close())
  const followed = follow(api.connection, { client: paged })
  await followed.informer.synced()
  expect(followed.informer.list().length).toBeGreaterThanOrEqual(5)

  // The same map for as long as nothing changes.
  expect(followed.informer.store()).toBe(followed.informer.store())
  let changes = 0
  followed.informer.onChange(() => (changes += 1))
  await until('the watch is open', () => followed.count('watching') > 0)
  await write('page-0', 'b')
  must(await client.delete(CONFIGMAPS, { namespace: 'default', name: 'page-1' }))
  await converges(followed)
  expect(followed.informer.get('default', 'page-1')).toBeUndefined()
  expect(changes).toBeGreaterThan(0)
  expect(followed.count('listed')).toBe(1)
})

test('the API server is killed and comes back: converges', async () => {
  const followed = follow(api.connection)
  await followed.informer.synced()
  await write('before', '1')
  await converges(followed)
  await api.kill()
  await until('the loss is noticed', () => followed.count('failed') > 0)
  await api.start()
  await write('after', '2')
  await converges(followed)
  expect(followed.informer.get('default', 'after')?.data).toEqual({ value: '2' })
})

test('etcd is compacted while the line is cut: 410, one full list, converged', async () => {
  const cable = await line()
  const followed = follow(through(cable))
  await followed.informer.synced()
  await until('the watch is open', () => followed.count('watching') > 0)
  cable.cut()
  for (let i = 0; i < 3; i++) await write('compacted', `${i}`)
  must(await client.delete(CONFIGMAPS, { namespace: 'default', name: 'compacted' }))
  await write('kept', 'x')
  // The API server's own cache remembers what etcd forgets, so both have to.
  await api.kill()
  await api.compact()
  await api.start()
  cable.mend()
  await converges(followed)
  expect(followed.count('expired')).toBe(1)
  expect(followed.count('listed')).toBe(2)
})

test('the line goes dead without a word: the stall timer opens another one', async () => {
  const cable = await line()
  const followed = follow(through(cable), { stallMs: 800 })
  await followed.informer.synced()
  await until('the watch is open', () => followed.count('watching') > 0)
  cable.goSilent()
  await write('unheard', '1')
  await converges(followed)
  expect(followed.count('stalled')).toBeGreaterThanOrEqual(1)
  // It goes on where it was: no list.
  expect(followed.count('listed')).toBe(1)
})

test('the server ends watches in its time: a new one goes on, nothing is listed again', async () => {
  const followed = follow(api.connection, { watchSeconds: 2, random: () => 0 })
  await followed.informer.synced()
  await until('two watches have ended', () => followed.count('ended') >= 2)
  await write('between', '1')
  await converges(followed)
  expect(followed.count('listed')).toBe(1)
  expect(followed.count('failed')).toBe(0)
})

test('bad credentials: waits ever longer, and goes on as soon as they are good', async () => {
  let token = 'wrong'
  const good = api.connectionOf(ADMIN)
  const followed = follow({
    server: api.server,
    credentials: async () => {
      const { headers, tls } = await good.credentials()
      return { headers: token === 'wrong' ? { authorization: 'Bearer wrong' } : headers, tls }
    },
  })
  await until('four tries', () => followed.count('failed') >= 4)
  expect(followed.informer.hasSynced()).toBe(false)
  const failures = followed.events.flatMap((event) => (event.type === 'failed' ? [event] : []))
  expect(failures.map(({ failure }) => failure.reason)).toEqual(failures.map(() => 'Unauthorized'))
  expect(failures[3]?.retryMs).toBeGreaterThan(failures[0]?.retryMs ?? 0)
  token = 'right'
  await followed.informer.synced()
  await converges(followed)
})

test('only what is kept is kept', async () => {
  await write('with-data', 'long')
  const followed = follow(api.connection, {
    keep: ({ data: _, ...rest }) => (rest.metadata.name.startsWith('with') ? rest : undefined),
  })
  await followed.informer.synced()
  expect(followed.informer.list().map(({ metadata, data }) => [metadata.name, data])).toEqual([
    ['with-data', undefined],
  ])
})
