/** What the port says when the API server says no: one sentence that names verb and object. */

import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { CONFIGMAPS, type ConfigMap, NAMESPACES } from '../../api/resources.ts'
import { backoff } from '../../kube/backoff.ts'
import { createClient, type KubeClient } from '../../kube/client.ts'
import { createRecorder } from '../../kube/events.ts'
import { must, type Result } from '../../kube/failure.ts'
import type { KubeObject } from '../../kube/object.ts'
import { readEvents } from '../../kube/watch.ts'
import { freePorts } from '../lab/ports.ts'
import { ADMIN, type ApiServer, startApiServer } from './apiserver.ts'

const GUEST = { name: 'guest', groups: ['system:authenticated'] }
const in_ = (name: string) => ({ namespace: 'default', name })
const UNKNOWN_KIND = { group: 'nobody.io', version: 'v1', plural: 'things', kind: 'Thing', namespaced: true }

let api: ApiServer
let client: KubeClient
let guest: KubeClient

beforeAll(async () => {
  api = await startApiServer({ users: [GUEST] })
  client = createClient(api.connection)
  guest = createClient(api.connectionOf(GUEST))
})
afterAll(async () => {
  await client?.close()
  await guest?.close()
  await api?.stop()
})

describe('each refusal is a value with a reason and a sentence', () => {
  const cases: readonly (readonly [string, () => Promise<Result<unknown>>, string, RegExp])[] = [
    ['get', () => client.get(CONFIGMAPS, in_('no')), 'NotFound', /^cannot get ConfigMap default\/no: .*not found$/],
    ['delete', () => client.delete(CONFIGMAPS, in_('no')), 'NotFound', /^cannot delete ConfigMap default\/no: /],
    ['unknown kind', () => client.list(UNKNOWN_KIND), 'NotFound', /^cannot list things: the API server does not serve/],
    [
      'create twice',
      () => client.create(NAMESPACES, { metadata: { name: 'default' } }),
      'AlreadyExists',
      /^cannot create Namespace default: /,
    ],
    [
      'invalid name',
      () => client.create<ConfigMap>(CONFIGMAPS, { metadata: in_('No') }),
      'Invalid',
      /^cannot create ConfigMap default\/No: .*metadata.name/,
    ],
    [
      'stale replace',
      () => client.replace<ConfigMap>(CONFIGMAPS, { metadata: { ...in_('kube-root'), resourceVersion: '1' } }),
      'NotFound',
      /^cannot replace ConfigMap/,
    ],
    [
      'forbidden',
      () => guest.get(CONFIGMAPS, in_('no')),
      'Forbidden',
      /^cannot get ConfigMap default\/no: .*User "guest" cannot get/,
    ],
    [
      'unauthorized',
      () =>
        createClient({
          server: api.server,
          credentials: async () => ({
            ...(await api.connection.credentials()),
            headers: { authorization: 'Bearer x' },
          }),
        }).get(CONFIGMAPS, in_('no')),
      'Unauthorized',
      /^cannot get ConfigMap default\/no: Unauthorized$/,
    ],
    [
      'no server',
      async () =>
        createClient({ ...api.connection, server: `https://127.0.0.1:${(await freePorts(1))[0]}` }).get(
          CONFIGMAPS,
          in_('no'),
        ),
      'Unreachable',
      /^cannot get ConfigMap default\/no: .*ECONNREFUSED/,
    ],
    [
      'not trusted',
      () =>
        createClient({ server: api.server, credentials: async () => ({ headers: {}, tls: {} }) }).get(
          CONFIGMAPS,
          in_('no'),
        ),
      'Unreachable',
      /^cannot get ConfigMap default\/no: .*certificate/,
    ],
    [
      'a version that is none',
      () =>
        client.watch(CONFIGMAPS, {
          resourceVersion: 'nonsense',
          timeoutSeconds: 1,
          signal: AbortSignal.timeout(60_000),
        }),
      'Unavailable',
      /^cannot watch configmaps: /,
    ],
  ]
  test.each(cases)('%s', async (_, call, reason, sentence) => {
    const result = await call()
    expect(result.ok).toBe(false)
    if (result.ok) return
    expect(result.failure.reason).toBe(reason)
    expect(result.failure.message).toMatch(sentence)
  })
})

test('replace holds on to the version it read', async () => {
  const created = must(await client.create<ConfigMap>(CONFIGMAPS, { metadata: in_('held'), data: { a: '1' } }))
  must(await client.replace(CONFIGMAPS, { ...created, data: { a: '2' } }))
  const second = await client.replace(CONFIGMAPS, { ...created, data: { a: '3' } })
  expect(second.ok ? 'ok' : second.failure.reason).toBe('Conflict')
})

test('apply: own fields only, nothing changes twice, a uid keeps it from creating anew', async () => {
  const apply = (data: Record<string, string>, uid?: string) =>
    client.apply<ConfigMap>(
      CONFIGMAPS,
      { metadata: { ...in_('applied'), ...(uid === undefined ? {} : { uid }) }, data },
      { manager: 'test' },
    )
  const first = must(await apply({ a: '1', b: '2' }))
  must(
    await client.patch(CONFIGMAPS, in_('applied'), { type: 'merge', body: { data: { theirs: '9' } }, manager: 'else' }),
  )
  const second = must(await apply({ a: '1' }))
  expect(second.data).toEqual({ a: '1', theirs: '9' })
  expect(must(await apply({ a: '1' })).metadata.resourceVersion).toBe(second.metadata.resourceVersion)
  must(await client.delete(CONFIGMAPS, in_('applied'), { uid: first.metadata.uid ?? '' }))
  const late = await apply({ a: '1' }, first.metadata.uid)
  expect(late.ok ? 'ok' : late.failure.reason).toBe('Conflict')
})

test('a list of many pages is one list, and its items know their kind', async () => {
  for (let i = 0; i < 7; i++) must(await client.create<ConfigMap>(CONFIGMAPS, { metadata: in_(`page-${i}`) }))
  const paged = createClient(api.connectionOf(ADMIN), { pageSize: 3 })
  const { items } = must(await paged.list(CONFIGMAPS, { namespace: 'default' }))
  expect(items.filter(({ metadata }) => metadata.name.startsWith('page-')).length).toBe(7)
  expect(items[0]).toMatchObject({ apiVersion: 'v1', kind: 'ConfigMap' })
  await paged.close()
})

test('an Event is written once, counted when it happens again, and never fails the caller', async () => {
  let now = Date.parse('2026-01-01T00:00:00Z')
  const failures: string[] = []
  const recorder = createRecorder({
    client,
    controller: 'flomesh.io/test',
    instance: 'one',
    now: () => now,
    onFailure: ({ message }) => failures.push(message),
  })
  const what = {
    regarding: { apiVersion: 'v1', kind: 'Pod', namespace: 'default', name: 'web', uid: 'u' },
    type: 'Warning',
    reason: 'SidecarMissing',
    note: 'why',
    action: 'Audit',
  } as const
  await recorder.record(what)
  await recorder.record(what)
  // The API server has Events of its own to tell, now and then, about its Services.
  const events = async () => {
    const { stdout } = await api.kubectl(['get', 'events.events.k8s.io', '-n', 'default', '-o', 'json'])
    const items: readonly { reason: string; reportingController?: string; series?: { count: number } }[] =
      JSON.parse(stdout).items
    return items.filter(({ reportingController }) => reportingController === 'flomesh.io/test')
  }
  expect((await events()).map(({ reason, series }) => [reason, series?.count])).toEqual([['SidecarMissing', undefined]])
  now += 11 * 60_000
  await recorder.record(what)
  expect((await events()).map(({ reason, series }) => [reason, series?.count])).toEqual([['SidecarMissing', 2]])
  await recorder.record({ ...what, regarding: { ...what.regarding, namespace: 'nowhere' } })
  expect(failures).toEqual([expect.stringContaining('cannot create Event nowhere/web')])
})

test('a watch reads the same events however the transport cuts its bytes', async () => {
  const object = (name: string): KubeObject => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, resourceVersion: '7' },
  })
  const line = fc.record({
    type: fc.constantFrom('ADDED', 'MODIFIED', 'DELETED', 'BOOKMARK'),
    name: fc.string({ unit: 'grapheme' }),
  })
  await fc.assert(
    fc.asyncProperty(fc.array(line), fc.array(fc.nat(200)), async (lines, cuts) => {
      const bytes = Buffer.from(
        lines.map(({ type, name }) => `${JSON.stringify({ type, object: object(name) })}\n`).join(''),
      )
      const edges = [0, ...cuts.map((cut) => Math.min(cut, bytes.length)).toSorted((a, b) => a - b), bytes.length]
      async function* chunks() {
        for (let i = 1; i < edges.length; i++) yield bytes.subarray(edges[i - 1], edges[i])
      }
      const read = []
      for await (const event of readEvents(chunks())) read.push(event)
      expect(read).toEqual(
        lines.map(({ type, name }) =>
          type === 'BOOKMARK' ? { type, resourceVersion: '7' } : { type, object: object(name) },
        ),
      )
    }),
  )
})

test('back-off grows to its limit and never leaves its half', () => {
  const options = { firstMs: 100, mostMs: 5_000 }
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 1_000 }),
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      (attempt, random) => {
        const ms = backoff(attempt, random, options)
        const full = Math.min(5_000, 100 * 2 ** (attempt - 1))
        expect(ms).toBeGreaterThanOrEqual(Math.floor(full / 2))
        expect(ms).toBeLessThanOrEqual(Math.ceil(full))
      },
    ),
  )
})
