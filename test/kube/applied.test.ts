/** Whether an apply would change anything, asked of what a real API server keeps. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ENDPOINT_SLICES, SERVICES } from '../../api/resources.ts'
import { isApplied } from '../../kube/applied.ts'
import { createClient, type KubeClient } from '../../kube/client.ts'
import { must } from '../../kube/failure.ts'
import type { KubeObject, Resource } from '../../kube/object.ts'
import { type ApiServer, startApiServer } from './apiserver.ts'

let api: ApiServer
let client: KubeClient
beforeAll(async () => {
  api = await startApiServer()
  client = createClient(api.connection)
})
afterAll(async () => {
  await client?.close()
  await api?.stop()
})

const MANAGER = 'test'
const port = (name: string, number: number) => ({ name, port: number, protocol: 'TCP', targetPort: number })
const service = (ports: readonly object[], metadata: object = {}) => ({ metadata, spec: { ports } })
const slice = (addresses: readonly string[], over: object = {}) => ({
  addressType: 'IPv4',
  endpoints: addresses.map((address) => ({ addresses: [address], conditions: { ready: true } })),
  ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
  ...over,
})

type Fields = Readonly<Record<string, unknown>>
const RESOURCES: Readonly<Record<string, Resource<KubeObject>>> = { Service: SERVICES, EndpointSlice: ENDPOINT_SLICES }
let made = 0

/** What the server has made of an object, after another manager has had it. */
async function kept(kind: string, fields: Fields, others?: Fields): Promise<KubeObject> {
  const resource = RESOURCES[kind] as Resource<KubeObject>
  const name = `made-${++made}`
  const named = ({ metadata = {}, ...rest }: { metadata?: object }) =>
    ({ ...rest, metadata: { namespace: 'default', name, ...metadata } }) as never
  must(await client.apply(resource, named(fields), { manager: MANAGER }))
  if (others !== undefined) must(await client.apply(resource, named(others), { manager: 'other' }))
  return must(await client.get(resource, { namespace: 'default', name }))
}

describe('what has been applied stands', () => {
  test.each<[string, string, Fields, Fields?]>([
    ['a Service with all that the server fills in', 'Service', service([port('http', 80), port('more', 81)])],
    ['a Service without ports of its own name', 'Service', service([{ port: 80, protocol: 'TCP' }])],
    ['labels and annotations', 'Service', service([port('http', 80)], { labels: { a: '1' }, annotations: { b: '2' } })],
    ['empty ones', 'Service', service([port('http', 80)], { labels: {}, annotations: {} })],
    ['labels that others add', 'Service', service([port('http', 80)]), { metadata: { labels: { more: 'yes' } } }],
    ['ports that others add', 'Service', service([port('http', 80)]), service([port('more', 81)])],
    ['what others apply alike', 'Service', service([port('http', 80)]), service([port('http', 80)])],
    ['a slice', 'EndpointSlice', slice(['10.0.0.1', '10.0.0.2'])],
    ['a slice of nothing', 'EndpointSlice', slice([], { ports: [] })],
    [
      'a slice with a hostname',
      'EndpointSlice',
      slice([], { endpoints: [{ addresses: ['10.0.0.1'], hostname: 'a' }] }),
    ],
  ])('%s', async (_, kind, fields, others) => {
    const there = await kept(kind, fields, others)
    expect(isApplied(there, fields, MANAGER)).toBe(true)
    expect(isApplied(there, fields, 'nobody')).toBe(false)
  })
})

describe('it does not', () => {
  const one = service([port('http', 80)])
  test.each<[string, string, Fields, Fields]>([
    ['with another value', 'Service', one, service([{ ...port('http', 80), targetPort: 90 }])],
    ['with one port more', 'Service', one, service([port('http', 80), port('more', 81)])],
    ['with one port less', 'Service', service([port('http', 80), port('more', 81)]), one],
    ['with a label more', 'Service', one, service([port('http', 80)], { labels: { a: '1' } })],
    ['with a label less', 'Service', service([port('http', 80)], { labels: { a: '1', b: '2' } }), one],
    [
      'with an annotation in place of a label',
      'Service',
      service([port('http', 80)], { labels: { a: '1' } }),
      service([port('http', 80)], { annotations: { a: '1' } }),
    ],
    ['with a field less', 'Service', service([{ ...port('http', 80), appProtocol: 'http' }]), one],
    ['with an endpoint more', 'EndpointSlice', slice(['10.0.0.1']), slice(['10.0.0.1', '10.0.0.2'])],
    ['with an endpoint less', 'EndpointSlice', slice(['10.0.0.1', '10.0.0.2']), slice(['10.0.0.1'])],
    ['with no endpoint left', 'EndpointSlice', slice(['10.0.0.1']), slice([])],
    [
      'with one that is not ready',
      'EndpointSlice',
      slice(['10.0.0.1']),
      slice([], { endpoints: [{ addresses: ['10.0.0.1'], conditions: { ready: false } }] }),
    ],
    [
      'with another port',
      'EndpointSlice',
      slice(['10.0.0.1']),
      slice(['10.0.0.1'], { ports: [{ name: 'http', port: 9090, protocol: 'TCP' }] }),
    ],
  ])('%s', async (_, kind, before, after) => {
    expect(isApplied(await kept(kind, before), after, MANAGER)).toBe(false)
    expect(isApplied(await kept(kind, after), after, MANAGER)).toBe(true)
  })

  test('when others have changed it, and it is mended by an apply', async () => {
    const fields = service([port('http', 80)], { labels: { a: '1' } })
    const there = await kept('Service', fields, { metadata: { labels: { a: '2' } } })
    expect(isApplied(there, fields, MANAGER)).toBe(false)
    const { namespace = '', name } = there.metadata
    const mended = { metadata: { namespace, name, labels: { a: '1' } }, spec: fields.spec } as never
    expect(
      isApplied(must(await client.apply<KubeObject>(SERVICES, mended, { manager: MANAGER })), fields, MANAGER),
    ).toBe(true)
  })
})
