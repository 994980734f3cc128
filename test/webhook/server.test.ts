import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { connect } from 'node:tls'
import fc from 'fast-check'
import jsonpatch from 'fast-json-patch'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { format, formatProblem, levelOf } from '../../api/diagnostics.ts'
import type { Issue } from '../../api/issue.ts'
import { inject } from '../../webhook/inject.ts'
import type { AdmissionResponse } from '../../webhook/review.ts'
import { until } from '../lab/run.ts'
import { cases } from './cases.ts'
import { HOST, type Running, review, run } from './running.ts'

const plain = cases.find(({ name }) => name === 'plain')?.request
if (plain === undefined) throw new Error('the golden folder has lost its plain case')

let running: Running
beforeAll(async () => {
  running = await run(plain)
})
afterAll(() => running.stop())

const askInject = async (body: unknown): Promise<AdmissionResponse> => {
  const reply = await running.post('/inject', JSON.stringify(body))
  expect(reply.status).toBe(200)
  const answer = JSON.parse(reply.text) as { apiVersion: string; kind: string; response: AdmissionResponse }
  expect([answer.apiVersion, answer.kind]).toEqual(['admission.k8s.io/v1', 'AdmissionReview'])
  return answer.response
}

describe('the golden cases of injection through the server', () => {
  test.each(cases)('$name', async ({ request }) => {
    running.world.request = request
    const { namespace, pod, seed: uid } = request
    const response = await askInject(review({ uid, namespace: namespace.metadata.name, object: pod }))

    const expected = inject(request)
    expect(response.uid).toBe(uid)
    expect(response.allowed).toBe(expected.decision.outcome !== 'refuse')
    const patch = JSON.parse(Buffer.from(response.patch ?? 'W10=', 'base64').toString()) as jsonpatch.Operation[]
    expect(response.patchType).toBe(patch.length > 0 ? 'JSONPatch' : undefined)
    const patched = jsonpatch.applyPatch(structuredClone(pod), patch, true).newDocument
    expect(patched).toEqual(JSON.parse(JSON.stringify(expected.pod)))
    const ofLevel = (level: string) => expected.issues.filter((issue) => levelOf(issue) === level)
    for (const issue of ofLevel('error')) expect(response.status?.message).toContain(format(issue))
    const ofPod = ({ object }: Issue) => object.kind === 'Pod'
    expect(response.warnings ?? []).toEqual(
      ofLevel('warning').map((issue) => (ofPod(issue) ? formatProblem(issue) : format(issue))),
    )
  })
})

describe('questions that get no review back', () => {
  const json = { 'content-type': 'application/json' }
  const good = JSON.stringify(review({ object: plain.pod }))
  test.each([
    ['another media type', '/inject', good, { 'content-type': 'application/yaml' }, 415],
    ['no media type', '/inject', good, {}, 415],
    ['an encoded body', '/inject', good, { ...json, 'content-encoding': 'gzip' }, 415],
    ['an unknown charset', '/inject', good, { 'content-type': 'application/json; charset=klingon' }, 415],
    ['broken JSON', '/inject', good.slice(0, -5), json, 400],
    ['an empty body', '/inject', '', json, 400],
    ['a list', '/inject', '[]', json, 400],
    ['a number', '/inject', '7', json, 400],
    ['null', '/inject', 'null', json, 400],
    ['another kind', '/inject', JSON.stringify(plain.pod), json, 400],
    ['another version', '/inject', good.replace('k8s.io/v1"', 'k8s.io/v1beta1"'), json, 400],
    ['no request', '/validate', '{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview"}', json, 400],
    ['a request without uid', '/mutate', JSON.stringify(review({ uid: '' })), json, 400],
    ['an unknown operation', '/inject', JSON.stringify(review({ operation: 'GUESS' })), json, 400],
    ['a pod without spec', '/inject', JSON.stringify(review({ object: { ...plain.pod, spec: null } })), json, 400],
    ['no pod', '/inject', JSON.stringify(review({ object: null })), json, 400],
    ['a pod where objects of ours are judged', '/validate', good, json, 400],
    ['an object of ours where pods are', '/inject', good.replaceAll('"Pod"', '"ServiceExport"'), json, 400],
    ['too much', '/inject', `{"a":"${'x'.repeat(9 * 1024 * 1024)}"}`, json, 413],
    ['an unknown path', '/', good, json, 404],
    ['a path below', '/inject/pods', good, json, 404],
  ])('%s', async (_name, path, body, headers, status) => {
    const reply = await running.post(path, body, headers)
    expect(reply.status).toBe(status)
    expect(reply.text.trim()).not.toBe('')
    expect(reply.text).not.toContain('node_modules')
  })

  test.each(['GET', 'PUT', 'DELETE'])('method %s', async (method) => {
    const reply = await running.send(method, '/inject')
    expect([reply.status, reply.headers['allow']]).toEqual([405, 'POST'])
  })

  test('an object of 3 MiB is taken', async () => {
    running.world.request = plain
    const pod = { ...plain.pod, metadata: { name: 'big', annotations: { big: 'x'.repeat(3 * 1024 * 1024) } } }
    const response = await askInject(review({ namespace: 'shop', object: pod, oldObject: pod }))
    expect(response.allowed).toBe(true)
  })
})

describe('odd bodies', () => {
  const odd = fc.oneof(
    fc.json(),
    fc.anything().map((value) => JSON.stringify(value) ?? ''),
    fc.string(),
  )
  /** A good question with anything at all in place of one part. */
  const mangled = (good: object) =>
    fc.tuple(fc.constantFrom(...paths(good)), fc.jsonValue()).map(([path, value]) => {
      const body = structuredClone(good)
      jsonpatch.applyOperation(body, { op: 'replace', path, value })
      return JSON.stringify(body)
    })
  const aboutPod = review({ namespace: 'shop', object: plain.pod })
  const aboutPolicy = review({
    kind: { group: 'flomesh.io', version: 'v1alpha1', kind: 'GlobalTrafficPolicy' },
    object: {
      apiVersion: 'flomesh.io/v1alpha1',
      kind: 'GlobalTrafficPolicy',
      metadata: { name: 'cart', namespace: 'shop' },
      spec: { lbType: 'FailOver', targets: [{ clusterKey: 'a/b/c/d', weight: 1 }] },
    },
  })

  test.each([
    ['/inject', odd],
    ['/validate', odd],
    ['/inject', mangled(aboutPod)],
    ['/mutate', mangled(aboutPolicy)],
    ['/validate', mangled(aboutPolicy)],
  ])('%s never answers with a 500', async (path, bodies) => {
    await fc.assert(
      fc.asyncProperty(bodies, async (body) => {
        expect([200, 400]).toContain((await running.post(path, body)).status)
      }),
      { numRuns: 200 },
    )
  })

  test('nested beyond all sense', async () => {
    const deep = `${'['.repeat(200_000)}${']'.repeat(200_000)}`
    const pod = JSON.stringify(review({ namespace: 'shop', object: { ...plain.pod, extra: 'DEEP' } }))
    expect([200, 400]).toContain((await running.post('/inject', pod.replace('"DEEP"', deep))).status)
    expect([200, 400]).toContain((await running.post('/inject', deep)).status)
  })
})

describe('objects of ours', () => {
  const policy = (targets: unknown, lbType = 'FailOver') => ({
    apiVersion: 'flomesh.io/v1alpha1',
    kind: 'GlobalTrafficPolicy',
    metadata: { name: 'cart', namespace: 'shop' },
    spec: { lbType, targets },
  })
  const about = (object: unknown, more = {}) =>
    JSON.stringify(
      review({
        kind: { group: 'flomesh.io', version: 'v1alpha1', kind: 'GlobalTrafficPolicy' },
        name: 'cart',
        namespace: 'shop',
        object,
        ...more,
      }),
    )
  const ask = async (path: string, body: string): Promise<AdmissionResponse> =>
    JSON.parse((await running.post(path, body)).text).response

  test('every problem is in one message', async () => {
    const bad = policy([{ clusterKey: 'cluster-1', weight: -1 }, { clusterKey: 'a/b/c/d' }, { clusterKey: 'a/b/c/d' }])
    for (const path of ['/mutate', '/validate']) {
      const { allowed, status } = await ask(path, about(bad))
      expect(allowed).toBe(false)
      expect(status?.reason).toBe('Invalid')
      for (const field of ['spec.targets[0].clusterKey', 'spec.targets[0].weight', 'spec.targets[2]']) {
        expect(status?.message).toContain(field)
      }
    }
  })

  test('defaults come as a patch from /mutate, and never from /validate', async () => {
    const good = policy([{ clusterKey: 'a/b/c/d' }])
    const { allowed, patch } = await ask('/mutate', about(good))
    expect(allowed).toBe(true)
    const patched = jsonpatch.applyPatch(good, JSON.parse(Buffer.from(patch ?? '', 'base64').toString())).newDocument
    expect(patched.spec.targets).toEqual([{ clusterKey: 'a/b/c/d', weight: 100 }])
    expect((await ask('/validate', about(good))).patch).toBeUndefined()
    expect((await ask('/mutate', about(patched))).patch).toBeUndefined()
  })

  test('a deletion is never held up', async () => {
    const body = about(null, { operation: 'DELETE', oldObject: policy([]) })
    expect((await ask('/validate', body)).allowed).toBe(true)
  })
})

test('a dry run is answered the same', async () => {
  running.world.request = plain
  const body = { namespace: 'shop', object: plain.pod }
  expect(await askInject(review({ ...body, dryRun: true }))).toEqual(await askInject(review(body)))
})

test('a pod that is updated is left alone', async () => {
  const response = await askInject(review({ namespace: 'shop', object: plain.pod, operation: 'UPDATE' }))
  expect(response).toMatchObject({ allowed: true })
  expect(response.patch).toBeUndefined()
})

test('a decision is one line in the log and one count, by codes and never by values', async () => {
  const bad = cases.find(({ name }) => name === 'bad-settings')?.request
  if (bad === undefined) throw new Error('the golden folder has lost its case bad-settings')
  running.world.request = bad
  const before = running.log.length
  await askInject(review({ uid: 'u-1', namespace: 'shop', object: bad.pod }))
  const lines = running.log.slice(before)
  expect(lines).toHaveLength(1)
  expect(lines[0]).toMatchObject({
    door: 'inject',
    uid: 'u-1',
    outcome: 'denied',
    object: { kind: 'Pod', namespace: 'shop', name: 'cart' },
    codes: ['InjectionValueUnknown', 'SettingInvalid', 'ReservedNameTaken'],
  })
  const metrics = await running.metrics()
  expect(metrics).toContain(
    'portolan_admission_decisions_total{door="inject",outcome="denied",reason="InjectionValueUnknown"}',
  )
  for (const value of ['maybe', 'rubbish', 'loud', '64 MB']) {
    expect(JSON.stringify(bad.pod)).toContain(value)
    expect(JSON.stringify(lines)).not.toContain(value)
    expect(metrics).not.toContain(value)
  }
})

describe('TLS', () => {
  const handshake = (options: object): Promise<string> =>
    new Promise((resolve) => {
      const socket = connect({ port: running.server.port, host: '127.0.0.1', servername: HOST, ...options }, () => {
        resolve(socket.getProtocol() ?? '')
        socket.end()
      })
      socket.on('error', (error) => resolve(String((error as { code?: string }).code)))
    })

  test('1.2 and 1.3 are spoken, older is not', async () => {
    const { cert: ca } = running.root
    expect(await handshake({ ca })).toBe('TLSv1.3')
    expect(await handshake({ ca, maxVersion: 'TLSv1.2' })).toBe('TLSv1.2')
    expect(await handshake({ ca, minVersion: 'TLSv1', maxVersion: 'TLSv1.1' })).toMatch(/^ERR_SSL|^ECONNRESET/)
  })

  test('plain HTTP is not', async () => {
    await expect(fetch(`http://127.0.0.1:${running.server.port}/inject`)).rejects.toThrow()
  })
})

test('draining: answers what is under way, then takes no more', async () => {
  const own = await run(plain)
  const body = JSON.stringify(review({ namespace: 'shop', object: plain.pod }))
  const question = httpsRequest({
    ...{ host: '127.0.0.1', port: own.server.port, path: '/inject', method: 'POST' },
    ...{ ca: own.root.cert, servername: HOST, agent: false },
    headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body), expect: '100-continue' },
  })
  question.flushHeaders()
  await once(question, 'continue')
  const drained = own.server.drain(1_000, 60_000)
  expect((await own.post('/inject', body)).status).toBe(200)
  const isRefused = () =>
    own.post('/inject', body).then(
      () => false,
      () => true,
    )
  await until('it takes no more', isRefused)
  question.end(body)
  const [answer] = (await once(question, 'response')) as [IncomingMessage]
  expect(answer.statusCode).toBe(200)
  answer.resume()
  await drained
})

/** Every JSON pointer in a value. */
function paths(value: unknown, at = ''): string[] {
  if (typeof value !== 'object' || value === null) return at === '' ? [] : [at]
  const below = Object.entries(value).flatMap(([key, child]) => paths(child, `${at}/${key.replaceAll('/', '~1')}`))
  return at === '' ? below : [at, ...below]
}
