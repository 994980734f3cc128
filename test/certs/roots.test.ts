import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  after,
  type Circumstances,
  lostPhase,
  type Phase,
  planRoots,
  type RootAction,
  type RootRecord,
  signerOf,
} from '../../certs/identity/roots.ts'

const HOUR = 3_600_000
const LIFE = 90 * HOUR
const SETTLE = HOUR

const root = (id: string, bornAt: number, phase: Phase, since = bornAt, canSign = true): RootRecord => ({
  id,
  bornAt,
  notAfter: bornAt + LIFE,
  canSign,
  phase,
  since,
})
const calm: Circumstances = {
  published: new Set(['a', 'b']),
  inUse: new Set(['a']),
  lacking: () => [],
  rollAfter: undefined,
  force: undefined,
  settleMs: SETTLE,
}
const a = root('a', 0, 'signing')
const b = (phase: Phase, since = HOUR) => root('b', HOUR, phase, since)

describe('the plan for roots', () => {
  test.each<[string, number, RootRecord[], Partial<Circumstances>, RootAction]>([
    ['nothing there', 0, [], {}, { do: 'add' }],
    [
      'one that nobody has been told of',
      0,
      [root('a', 0, 'new')],
      { published: new Set() },
      { do: 'wait', until: 60 * HOUR },
    ],
    ['one that has been published', 0, [root('a', 0, 'new')], {}, { do: 'enter', id: 'a', phase: 'trusted' }],
    ['the first of all has nobody to wait for', 0, [root('a', 0, 'trusted')], {}, { do: 'sign', id: 'a' }],
    ['all is well', HOUR, [a], {}, { do: 'wait', until: 60 * HOUR }],
    ['two thirds of its life', 60 * HOUR, [a], {}, { do: 'add' }],
    ['somebody wants another', HOUR, [a], { rollAfter: 'a' }, { do: 'add' }],
    [
      'somebody wanted another, and there is one',
      HOUR,
      [a, b('trusted')],
      { rollAfter: 'a' },
      { do: 'wait', until: 2 * HOUR },
    ],
    [
      'the one wanted was made in the same second, and sorts before it by name',
      HOUR,
      [root('z', 0, 'signing'), root('b', 0, 'trusted', HOUR)],
      { rollAfter: 'z' },
      { do: 'wait', until: 2 * HOUR },
    ],
    [
      'another is wanted of one that does not sign yet',
      HOUR,
      [a, b('trusted')],
      { rollAfter: 'b' },
      { do: 'wait', until: 2 * HOUR },
    ],
    ['a new one settles', 2 * HOUR - 1, [a, b('trusted')], {}, { do: 'wait', until: 2 * HOUR }],
    ['a new one has settled', 2 * HOUR, [a, b('trusted')], {}, { do: 'sign', id: 'b' }],
    [
      'a member lacks it',
      3 * HOUR,
      [a, b('trusted')],
      { lacking: () => ['m'] },
      { do: 'wait', until: 60 * HOUR + HOUR },
    ],
    [
      'a member lacks it, and is not to be waited for',
      3 * HOUR,
      [a, b('trusted')],
      { lacking: () => ['m'], force: 'b' },
      { do: 'sign', id: 'b' },
    ],
    [
      'force is for one root alone',
      3 * HOUR,
      [a, b('trusted')],
      { lacking: () => ['m'], force: 'a' },
      { do: 'wait', until: 61 * HOUR },
    ],
    ['force does not shorten the settling', HOUR, [a, b('trusted')], { force: 'b' }, { do: 'wait', until: 2 * HOUR }],
    [
      'the old one has leaves',
      3 * HOUR,
      [root('a', 0, 'retiring', 2 * HOUR), b('signing')],
      {},
      { do: 'wait', until: 61 * HOUR },
    ],
    [
      'the old one has none any more',
      3 * HOUR,
      [root('a', 0, 'retiring', 2 * HOUR), b('signing')],
      { inUse: new Set(['b']) },
      { do: 'enter', id: 'a', phase: 'retired' },
    ],
    [
      'one of them comes back',
      3 * HOUR,
      [root('a', 0, 'retired', 2 * HOUR), b('signing')],
      {},
      { do: 'enter', id: 'a', phase: 'retiring' },
    ],
    [
      'pods read theirs anew',
      3 * HOUR,
      [root('a', 0, 'retired', 3 * HOUR), b('signing')],
      { inUse: new Set(['b']) },
      { do: 'wait', until: 4 * HOUR },
    ],
    [
      'pods have read theirs anew',
      4 * HOUR,
      [root('a', 0, 'retired', 3 * HOUR), b('signing')],
      { inUse: new Set(['b']) },
      { do: 'drop', ids: ['a'] },
    ],
    ['one is dead', 90 * HOUR, [a, b('signing')], {}, { do: 'drop', ids: ['a'] }],
    ['the key of the only one is lost', HOUR, [root('a', 0, 'retiring', 0, false)], {}, { do: 'add' }],
    ['one made by a clock that was ahead', 0, [root('b', HOUR, 'signing')], {}, { do: 'add' }],
  ])('%s', (_, now, roots, circumstances, action) => {
    expect(planRoots(now, roots, { ...calm, ...circumstances })).toEqual(action)
  })

  test('who signs', () => {
    expect(signerOf([a, b('trusted')], HOUR)).toEqual({ id: 'a', settled: true })
    expect(signerOf([root('a', 0, 'retiring', 0, false), b('trusted')], HOUR)).toEqual({ id: 'b', settled: false })
    expect(signerOf([root('a', 0, 'new')], HOUR)).toBeUndefined()
    expect(signerOf([root('a', 0, 'signing', 0, false)], HOUR)).toBeUndefined()
  })

  test('one signs at most, whatever comes before', () => {
    const signed = after([a, b('trusted'), root('c', 0, 'retired')], { do: 'sign', id: 'b' }, 9)
    expect(signed.map(({ id, phase, since }) => [id, phase, since])).toEqual([
      ['a', 'retiring', 9],
      ['b', 'signing', 9],
      ['c', 'retired', 0],
    ])
  })
})

/** What of the world a test may do to the server. */
type Event =
  | { readonly do: 'pass'; readonly minutes: number }
  | { readonly do: 'roll' }
  | { readonly do: 'away' | 'back'; readonly member: number }
  | { readonly do: 'loseKeys' }
  /** The process ends between a write and what was to follow it. */
  | { readonly do: 'crash'; readonly after: number }

const events: fc.Arbitrary<readonly Event[]> = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: fc.record({ do: fc.constant('pass' as const), minutes: fc.integer({ min: 1, max: 90 }) }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('roll' as const) }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('away' as const, 'back' as const), member: fc.nat(2) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('loseKeys' as const) }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('crash' as const), after: fc.nat(4) }) },
  ),
  { maxLength: 60 },
)

const MINUTE = 60_000
const PODS = 3
const LEAF = 400 * HOUR
/** Kubelets, the hub and proxies are quicker than the settling time, some more than others. */
const LAG = 50 * MINUTE
const HUB_LAG = 10 * MINUTE

test('whatever happens, every certificate that a pod shows is by a root that every member knows', () => {
  fc.assert(
    fc.property(events, (steps) => {
      let now = 0
      let made = 0
      let roots: readonly RootRecord[] = []
      let rollAfter: string | undefined
      let published: ReadonlySet<string> = new Set()
      const leaves: (string | undefined)[] = Array.from({ length: PODS })
      /** What others saw when, newest last. */
      let past: {
        readonly at: number
        readonly published: ReadonlySet<string>
        readonly leaves: readonly (string | undefined)[]
      }[] = []
      const frozen: (ReadonlySet<string> | undefined)[] = [undefined, undefined, undefined]
      const asOf = (at: number) => past.findLast((entry) => entry.at <= at) ?? past[0]
      /** What the proxies of a member go by after so long. */
      const bundleOf = (member: number, lag: number) => frozen[member] ?? asOf(now - lag)?.published ?? published
      /** As the hub tells: a member has been written to, whatever its proxies have read. */
      const lacking = (id: string) =>
        frozen.flatMap((_, member) => (bundleOf(member, HUB_LAG).has(id) ? [] : [`m${member}`]))
      const unknownTo = (id: string) =>
        frozen.flatMap((_, member) => [HUB_LAG, LAG].filter((lag) => !bundleOf(member, lag).has(id)))

      /** @param most how many steps until the process ends */
      const run = (most = Number.POSITIVE_INFINITY) => {
        let left = most
        const stops = () => left-- <= 0
        for (let acted = 0; ; acted++) {
          expect(acted).toBeLessThan(16)
          if (stops()) return
          published = new Set(roots.map(({ id }) => id))
          if (stops()) return
          const inUse = new Set(leaves.filter((id) => id !== undefined))
          const action = planRoots(now, roots, {
            published,
            inUse,
            lacking,
            rollAfter,
            force: undefined,
            settleMs: SETTLE,
          })
          if (action.do === 'wait') {
            expect(action.until).toBeGreaterThan(now)
            break
          }
          roots = action.do === 'add' ? [...roots, root(`r${made++}`, now, 'new')] : after(roots, action, now)
        }
        expect(roots.filter(({ phase }) => phase === 'signing').length).toBeLessThanOrEqual(1)
        const signer = signerOf(roots, now)
        for (const pod of leaves.keys()) {
          if (stops()) return
          const known = roots.some(({ id }) => id === leaves[pod])
          if (signer !== undefined && (!known || (signer.settled && leaves[pod] !== signer.id))) leaves[pod] = signer.id
        }
      }
      const note = () => {
        past = [...past, { at: now, published, leaves: [...leaves] }]
      }

      run()
      run()
      note()
      for (const step of steps) {
        if (step.do === 'roll') rollAfter = roots.find(({ phase }) => phase === 'signing')?.id
        if (step.do === 'away') frozen[step.member] ??= bundleOf(step.member, HUB_LAG)
        if (step.do === 'back') frozen[step.member] = undefined
        if (step.do === 'loseKeys') {
          // As the controller finds it: what leaves need is taken back from the publication, without its key.
          const used = new Set(leaves)
          roots = roots
            .filter(({ id }) => published.has(id))
            .flatMap((each) => {
              const phase = lostPhase(each, used.has(each.id), now, SETTLE)
              return phase === undefined ? [] : [{ ...each, canSign: false, phase: phase.phase, since: phase.since }]
            })
        }
        if (step.do === 'crash') run(step.after)
        const minutes = step.do === 'pass' ? step.minutes : 0
        for (let passed = 0; passed <= minutes; passed += 10) {
          run()
          note()
          const shown = asOf(now - LAG)?.leaves ?? leaves
          for (const id of [...shown, ...leaves])
            if (now > LAG)
              expect(unknownTo(id ?? 'none'), `at ${now / MINUTE} min, ${id}, ${JSON.stringify(roots)}`).toEqual([])
          now += Math.min(10, minutes - passed) * MINUTE
          if (passed === minutes) break
        }
      }
      expect(now).toBeLessThan(LEAF)
    }),
    { numRuns: 300 },
  )
})
