import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Action, type Leaf, type Lives, plan, type Root } from '../../certs/plan.ts'

const HOUR = 3_600_000
const lives: Lives = { rootMs: 90 * HOUR, leafMs: 9 * HOUR, settleMs: HOUR }

const root = (id: string, bornAt: number): Root => ({ id, bornAt, notAfter: bornAt + lives.rootMs })
const leaf = (rootId: string, bornAt: number): Leaf => ({ rootId, bornAt, notAfter: bornAt + lives.leafMs })

/** From the pauses, in minutes, every moment of 400 hours at which a replica looks. */
const timesOf = (pauses: readonly number[]): readonly number[] => {
  const times: number[] = []
  for (let at = 0, i = 0; at < 400 * HOUR; i++) {
    at += (pauses[i % pauses.length] ?? 1) * 60_000
    times.push(at)
  }
  return times
}

const a = root('a', 0)
const b = root('b', 60 * HOUR)

describe('plan', () => {
  test.each<[string, number, Root[], Leaf | undefined, Action]>([
    ['nothing there', 0, [], undefined, { type: 'addRoot' }],
    ['a first root signs at once', 0, [a], undefined, { type: 'issueLeaf', rootId: 'a' }],
    ['all is well', HOUR, [a], leaf('a', 0), { type: 'wait', until: 6 * HOUR }],
    ['a leaf at two thirds', 6 * HOUR, [a], leaf('a', 0), { type: 'issueLeaf', rootId: 'a' }],
    ['a leaf of another root', HOUR, [a], leaf('z', 0), { type: 'issueLeaf', rootId: 'a' }],
    ['a root at two thirds', 60 * HOUR, [a], leaf('a', 59 * HOUR), { type: 'addRoot' }],
    ['a new root does not sign yet', 60 * HOUR, [a, b], leaf('a', 59 * HOUR), { type: 'wait', until: 61 * HOUR }],
    ['a replica that starts meanwhile', 60 * HOUR, [a, b], undefined, { type: 'issueLeaf', rootId: 'a' }],
    ['a new root that has settled', 61 * HOUR, [b, a], leaf('a', 59 * HOUR), { type: 'issueLeaf', rootId: 'b' }],
    ['the old root stays', 69 * HOUR, [a, b], leaf('b', 67 * HOUR), { type: 'wait', until: 70 * HOUR }],
    ['until its leaves are gone', 70 * HOUR, [a, b], leaf('b', 67 * HOUR), { type: 'dropRoots', ids: ['a'] }],
    [
      'an older root put beside the first does not sign',
      0.5 * HOUR,
      [a, root('z', -9 * HOUR)],
      leaf('a', 0),
      { type: 'wait', until: HOUR },
    ],
    [
      'nor when the first counts as settled',
      2 * HOUR,
      [a, root('z', -5 * HOUR)],
      leaf('a', 0),
      { type: 'wait', until: 6 * HOUR },
    ],
    [
      'of an older one that is the last, leaves are made at once',
      HOUR,
      [root('z', -5 * HOUR)],
      leaf('a', 0),
      { type: 'issueLeaf', rootId: 'z' },
    ],
    ['a dead root goes', 95 * HOUR, [a, b], leaf('b', 94 * HOUR), { type: 'dropRoots', ids: ['a'] }],
    ['only a dead root', 95 * HOUR, [a], leaf('a', 80 * HOUR), { type: 'addRoot' }],
    ['an expired leaf', 20 * HOUR, [a], leaf('a', 0), { type: 'issueLeaf', rootId: 'a' }],
  ])('%s', (_name, now, roots, mine, action) => {
    expect(plan(now, roots, mine, lives)).toEqual(action)
  })

  test('for years and with any pauses: a served leaf is valid, and its root has been known for the settling time', () => {
    /** Pauses between looks of up to three replicas, over and over. */
    const replicas = fc.array(fc.array(fc.integer({ min: 1, max: 120 }), { minLength: 1, maxLength: 9 }), {
      minLength: 1,
      maxLength: 3,
    })
    fc.assert(
      fc.property(replicas, (minutes) => {
        const looks = minutes
          .flatMap((pauses, replica) => timesOf(pauses).map((at) => ({ at, replica })))
          .sort((x, y) => x.at - y.at)
        let roots: readonly Root[] = []
        const leaves = new Map<number, Leaf>()
        for (const { at, replica } of looks) {
          for (let acted = 0; acted < 8; acted++) {
            const action = plan(at, roots, leaves.get(replica), lives)
            if (action.type === 'wait') {
              expect(action.until).toBeGreaterThan(at)
              break
            }
            expect(acted).toBeLessThan(7)
            if (action.type === 'addRoot') roots = [...roots, root(`r${at}.${replica}`, at)]
            if (action.type === 'dropRoots') roots = roots.filter(({ id }) => !action.ids.includes(id))
            if (action.type === 'issueLeaf') leaves.set(replica, leaf(action.rootId, at))
          }
          for (const served of leaves.values()) {
            // A replica is asked at least every two hours here, well within the third of a leaf's life that is left.
            const signer = roots.find(({ id }) => id === served.rootId)
            expect(signer).toBeDefined()
            expect(served.notAfter).toBeGreaterThan(at)
            if (roots.some((other) => other.bornAt < (signer?.bornAt ?? 0))) {
              expect(served.bornAt - (signer?.bornAt ?? 0)).toBeGreaterThanOrEqual(lives.settleMs)
            }
          }
        }
      }),
      { numRuns: 20 },
    )
  })
})
