import fc from 'fast-check'
import jsonpatch from 'fast-json-patch'
import { expect, test } from 'vitest'
import type { InjectRequest, Pod } from '../../webhook/decision.ts'
import { inject } from '../../webhook/inject.ts'
import { uninject } from '../../webhook/uninject.ts'
import { MESH } from './cases.ts'
import { pods } from './pods.ts'

const request = (pod: Pod, seed = 'seed'): InjectRequest => ({
  pod,
  namespace: {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: {
      name: 'shop',
      labels: { 'flomesh.io/monitored-by': 'portolan' },
      annotations: { 'flomesh.io/sidecar-injection': 'enabled' },
    },
  },
  mesh: MESH,
  seed,
})

/** A pod as the API server would hold it: without prototypes, undefined values and shared parts. */
const plain = <T>(value: T): T => JSON.parse(JSON.stringify(value)) as T

const frozen = <T>(value: T): T => {
  if (typeof value === 'object' && value !== null) {
    Object.values(value).forEach(frozen)
    Object.freeze(value)
  }
  return value
}

const proxyUid = (pod: Pod, seed: string): number => {
  const [proxy] = inject(request(pod, seed)).pod.spec.initContainers ?? []
  return (proxy as unknown as { securityContext: { runAsUser: number } }).securityContext.runAsUser
}

const law = (check: (pod: Pod, seed: string) => void): void =>
  fc.assert(
    fc.property(pods, fc.uuid(), (pod, seed) => {
      check(frozen(plain(pod)), seed)
    }),
    { numRuns: 300 },
  )

test('a random pod of a mesh namespace is injected', () => {
  law((pod, seed) => expect(inject(request(pod, seed)).decision).toEqual({ outcome: 'inject' }))
})

test('inject(inject(p)) = inject(p): the second time is a skip with an empty patch', () => {
  law((pod, seed) => {
    const once = inject(request(pod, seed))
    const twice = inject(request(once.pod, seed))
    expect(twice.decision).toEqual({ outcome: 'skip', code: 'AlreadyInjected' })
    expect(twice.patch).toEqual([])
    expect(twice.pod).toBe(once.pod)
  })
})

test('apply(patch) = the pure result, as another implementation of JSON Patch applies it', () => {
  law((pod, seed) => {
    const { patch, pod: result } = inject(request(pod, seed))
    const { newDocument } = jsonpatch.applyPatch(plain(pod), plain(patch) as jsonpatch.Operation[], true)
    expect(newDocument).toEqual(plain(result))
  })
})

test('uninject(inject(p)) = p', () => {
  law((pod, seed) => expect(plain(uninject(plain(inject(request(pod, seed)).pod)))).toEqual(plain(pod)))
})

test('uninject(p) = p for a pod that was never injected', () => {
  law((pod) => expect(uninject(pod)).toBe(pod))
})

test('uninject takes any status annotation for what it is worth, and never throws', () => {
  const status = fc.oneof(
    fc.string(),
    fc.json(),
    fc.json().map((text) => `{"version":1,"created":[],"replaced":${text}}`),
  )
  fc.assert(
    fc.property(pods, status, (pod, text) => {
      const annotations = { ...pod.metadata.annotations, 'flomesh.io/sidecar-status': text }
      expect(uninject({ ...pod, metadata: { ...pod.metadata, annotations } })).toBeDefined()
    }),
  )
})

test('the same request gives the same bytes', () => {
  law((pod, seed) =>
    expect(JSON.stringify(inject(request(pod, seed)))).toBe(JSON.stringify(inject(request(plain(pod), seed)))),
  )
})

test("the proxy's uid is in its range and none of the pod's own", () => {
  law((pod, seed) => {
    const uid = proxyUid(pod, seed)
    expect(uid).toBeGreaterThanOrEqual(15_000)
    expect(uid).toBeLessThan(16_000)
    expect(JSON.stringify(pod.spec)).not.toContain(`"runAsUser":${uid}`)
  })
})

test('uids spread: 1000 pods of a node share none more than a few times', () => {
  const [pod] = fc.sample(pods, 1)
  const uids = Array.from({ length: 1000 }, (_, i) => proxyUid(pod as Pod, `seed ${i}`))
  const most = Math.max(...Object.values(Object.groupBy(uids, String)).map((same) => same?.length ?? 0))
  expect(most).toBeLessThanOrEqual(8)
})
