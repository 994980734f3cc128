/** Who leads: the decision by a table and by a law, the election on a real API server. */
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createClient } from '../../kube/client.ts'
import { must } from '../../kube/failure.ts'
import { LEASES, type Lease, next, type Standing, startElection } from '../../kube/lease.ts'
import { until } from '../lab/run.ts'
import { ADMIN, type ApiServer, startApiServer } from './apiserver.ts'
import { startLine } from './line.ts'

const ME = { identity: 'me', durationSeconds: 15 }
const NOW = 100_000
const WALL = '2026-01-01T00:00:00.000000Z'
const lease = (spec: Lease['spec']): Lease => ({
  apiVersion: 'coordination.k8s.io/v1',
  kind: 'Lease',
  metadata: { namespace: 'default', name: 'x', resourceVersion: '1' },
  ...(spec === undefined ? {} : { spec }),
})

describe('next', () => {
  test.each([
    ['no Lease', undefined, NOW, 'take', 0],
    ['a Lease without spec', {}, NOW, 'take', 1],
    ['given back', { holderIdentity: '', leaseTransitions: 4 }, NOW, 'take', 5],
    ['mine', { holderIdentity: 'me', leaseTransitions: 4 }, NOW, 'renew', 4],
    ['mine and old', { holderIdentity: 'me', leaseTransitions: 4 }, NOW - 60_000, 'renew', 4],
    ["another's, just seen", { holderIdentity: 'you', leaseDurationSeconds: 10 }, NOW, 'wait', undefined],
    ["another's, nearly over", { holderIdentity: 'you', leaseDurationSeconds: 10 }, NOW - 9_999, 'wait', undefined],
    [
      "another's, over",
      { holderIdentity: 'you', leaseDurationSeconds: 10, leaseTransitions: 1 },
      NOW - 10_000,
      'take',
      2,
    ],
    [
      "another's, renewed by a clock of 1970",
      { holderIdentity: 'you', leaseDurationSeconds: 10, renewTime: '1970-01-01T00:00:00.000000Z' },
      NOW,
      'wait',
      undefined,
    ],
  ] as const)('%s', (_, spec, since, does, transitions) => {
    const step = next({ lease: spec && lease(spec), since }, ME, NOW, WALL)
    expect(step.do).toBe(does)
    if (step.do === 'wait') return
    expect(step.spec).toMatchObject({ holderIdentity: 'me', renewTime: WALL })
    expect(step.spec.leaseTransitions).toBe(transitions)
  })

  test('whatever the order of reads, writes and pauses, two never lead at once', () => {
    const D = 15_000
    // Each step: who acts, how long after the last, whether it reads or writes what it decided on its last read.
    const steps = fc.array(fc.record({ who: fc.nat(2), after: fc.nat(9_000), act: fc.constantFrom('read', 'write') }), {
      minLength: 20,
      maxLength: 200,
    })
    fc.assert(
      fc.property(steps, (script) => {
        let stored: Lease | undefined
        let version = 0
        let now = 0
        const candidates = [0, 1, 2].map((id) => ({
          identity: `c${id}`,
          seen: { lease: undefined as Lease | undefined, since: 0 },
          readAt: -1,
          leadsUntil: -1,
        }))
        for (const { who, after, act } of script) {
          now += after
          const me = candidates[who]
          if (me === undefined) continue
          if (act === 'read') {
            if (stored === undefined || stored.metadata.resourceVersion !== me.seen.lease?.metadata.resourceVersion)
              me.seen = { lease: stored, since: now }
            me.readAt = now
          } else if (me.readAt >= 0) {
            const step = next(me.seen, { identity: me.identity, durationSeconds: D / 1_000 }, now, WALL)
            // Optimistic concurrency, as the API server keeps it.
            if (step.do !== 'wait' && stored?.metadata.resourceVersion === me.seen.lease?.metadata.resourceVersion) {
              version += 1
              const metadata = { namespace: 'default', name: 'x', resourceVersion: `${version}` }
              stored = { ...lease(step.spec), metadata }
              me.seen = { lease: stored, since: now }
              me.leadsUntil = me.readAt + (D * 2) / 3
            }
            me.readAt = -1
          }
          if (candidates.filter(({ leadsUntil }) => leadsUntil > now).length > 1) return false
        }
        return true
      }),
      { numRuns: 2_000 },
    )
  })
})

describe('election', () => {
  let api: ApiServer
  beforeAll(async () => {
    api = await startApiServer()
  })
  afterAll(() => api?.stop())

  test('two candidates: one leads at any time; cut off, it stops by itself before the other starts; given back, the next starts at once', async () => {
    const durationSeconds = 6
    const cable = await startLine(api.port)
    const ref = { namespace: 'default', name: 'race' }
    const clients = [
      createClient(api.connectionOf(ADMIN, `https://127.0.0.1:${cable.port}`), { timeoutMs: 2_000 }),
      createClient(api.connection, { timeoutMs: 2_000 }),
    ]
    const standings: readonly Standing[][] = [[], []]
    const run = (index: number) => {
      const client = clients[index]
      if (client === undefined) throw new Error('no such candidate')
      return startElection({
        client,
        lease: ref,
        identity: `c${index}`,
        durationSeconds,
        onChange: (standing) => standings[index]?.push(standing),
      })
    }
    const first = run(0)
    await until('the first leads', first.isLeader)
    const second = run(1)

    let both = 0
    let samples = 0
    const watching = setInterval(() => {
      samples += 1
      if (first.isLeader() && second.isLeader()) both += 1
    }, 5)
    await new Promise((resolve) => setTimeout(resolve, 1_500))
    expect(second.isLeader()).toBe(false)

    cable.cut()
    await until('the second leads', second.isLeader, { every: 5 })
    expect(first.isLeader()).toBe(false)

    // The first comes back as a follower, and takes over without waiting when the second leaves in order.
    cable.mend()
    const holder = async () => {
      const found = await clients[0]?.get(LEASES, ref)
      return must(found ?? { ok: false, failure: { reason: 'Unknown', message: '' } }).spec?.holderIdentity
    }
    await until('the first looks again', async () => (await holder()) === 'c1')
    await second.stop()
    // Given back, not left to run out.
    expect(['', 'c0']).toContain(await holder())
    await until('the first leads again', first.isLeader, { every: 5 })

    expect(standings[0]).toEqual(['leads', 'paused', 'follows', 'leads'])

    // Cut off for less than anybody else waits, it goes on where it was.
    cable.cut()
    await until('the first pauses', () => !first.isLeader(), { every: 5 })
    cable.mend()
    await until('the first leads once more', first.isLeader, { every: 5 })
    expect(standings[0]?.slice(4)).toEqual(['paused', 'leads'])

    clearInterval(watching)
    expect(samples).toBeGreaterThan(20)
    expect(both).toBe(0)
    await first.stop()
    expect(
      must(
        await api
          .kubectl(['get', 'lease', 'race', '-o', 'jsonpath={.spec.holderIdentity}'])
          .then(({ stdout }) => ({ ok: true as const, value: stdout })),
      ),
    ).toBe('')
    await cable.close()
    await Promise.all(clients.map((client) => client.close()))
  })
})
