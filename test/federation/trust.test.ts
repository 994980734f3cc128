/** What each member is told of whom to trust, without a cluster. */
import { X509Certificate } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { spiffeId } from '../../api/identity.ts'
import type { ConfigMap } from '../../api/resources.ts'
import { bundleDocument, rootOfCertificate } from '../../api/trust-bundle.ts'
import { issueRoot } from '../../certs/issue.ts'
import { heldRoots, vouchingOf, withUnheardTrust } from '../../federation/controller/observed-trust.ts'
import { type Published, type Trust, type TrustMember, trustData, trustOf } from '../../federation/trust.ts'

const SYSTEM = 'portolan-system'
const certificates = await Promise.all(
  ['a', 'b', 'c', 'd'].map((commonName) => issueRoot({ now: Date.now(), lifeMs: 3_600_000, commonName })),
)
const ROOTS = certificates.map(({ cert }) => rootOfCertificate(new X509Certificate(cert)))

const keyOf = (cluster: string) => `default/default/default/${cluster}`
const domainOf = (cluster: string) => `${cluster}.example`
const published = (cluster: string, ...which: readonly number[]): Published => ({
  trustDomain: domainOf(cluster),
  bundle: { sequence: 1, roots: which.flatMap((index) => ROOTS[index] ?? []) },
})
const member = (cluster: string, more: Partial<TrustMember> = {}): TrustMember => ({
  cluster,
  clusterKey: keyOf(cluster),
  trustDomain: domainOf(cluster),
  namespace: SYSTEM,
  holds: new Map(),
  connected: true,
  ...more,
})
const without = ({ published: _, ...rest }: TrustMember): TrustMember => rest

const configMap = (data: Readonly<Record<string, string>>): ConfigMap => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { namespace: SYSTEM, name: 'x' },
  data,
})
const written = (trust: Trust): ConfigMap => configMap(trustData(trust))
const dataOf = (members: readonly TrustMember[]) =>
  [...trustOf(members)].map(([cluster, trust]) => [cluster, trustData(trust)] as const).toSorted()

const NAMES = ['east', 'north', 'south', 'west']
const anyMembers = fc
  .array(
    fc.record({
      which: fc.subarray([0, 1, 2, 3], { minLength: 1 }),
      says: fc.constantFrom(...NAMES),
      hasIdentity: fc.boolean(),
      connected: fc.boolean(),
      holds: fc.array(fc.tuple(fc.constantFrom(...NAMES), fc.subarray([0, 1, 2, 3]))),
    }),
    { minLength: 1, maxLength: NAMES.length },
  )
  .map((all) =>
    all.map(({ which, says, hasIdentity, connected, holds }, index) =>
      member(NAMES[index] ?? '', {
        connected,
        holds: new Map(
          holds.map(([of, some]) => [domainOf(of), new Set(some.flatMap((each) => ROOTS[each]?.der ?? []))]),
        ),
        ...(hasIdentity ? { published: published(says, ...which) } : {}),
      }),
    ),
  )

describe('laws', () => {
  test('members are told the same in whatever order they come, byte by byte', () => {
    fc.assert(
      fc.property(anyMembers, fc.integer(), (members, seed) => {
        const shuffled = seed % 2 === 0 ? members.toReversed() : [...members.slice(1), ...members.slice(0, 1)]
        expect(dataOf(shuffled)).toEqual(dataOf(members))
        expect(dataOf(structuredClone(members) as readonly TrustMember[])).toEqual(dataOf(members))
      }),
    )
  })

  test('a root counts only for the trust domain of the member that it came from, whatever that says', () => {
    fc.assert(
      fc.property(anyMembers, (members) => {
        for (const { bundles, clusters } of trustOf(members).values()) {
          for (const each of members) {
            const own = each.published && bundleDocument(each.published.bundle)
            expect(bundles[domainOf(each.cluster)]).toEqual(own)
          }
          expect(Object.keys(bundles).length).toBe(members.filter((each) => each.published !== undefined).length)
          for (const [key, { trustDomain, gateway }] of Object.entries(clusters)) {
            expect(key).toBe(keyOf(trustDomain.split('.')[0] ?? ''))
            expect(gateway).toBe(spiffeId(trustDomain, SYSTEM, 'portolan-gateway'))
          }
        }
      }),
    )
  })

  test('of a member that is no more, nothing is left; the others are told of as before', () => {
    fc.assert(
      fc.property(anyMembers, fc.constantFrom(...NAMES), (members, gone) => {
        const before = trustOf(members)
        const after = trustOf(members.filter(({ cluster }) => cluster !== gone))
        expect(after.has(gone)).toBe(false)
        for (const [cluster, { bundles, clusters, held, awaited }] of after) {
          const { [domainOf(gone)]: _, ...others } = before.get(cluster)?.bundles ?? {}
          expect(bundles).toEqual(others)
          expect(Object.keys(clusters)).not.toContain(keyOf(gone))
          expect([...Object.values(held), ...Object.values(awaited)].flat()).not.toContain(keyOf(gone))
        }
      }),
    )
  })

  test('what is written is what is held: nobody is waited for any more', () => {
    fc.assert(
      fc.property(anyMembers, (members) => {
        const told = trustOf(members)
        const settled = members.map((each) => {
          const trust = told.get(each.cluster)
          return { ...each, holds: heldRoots({ readable: true, object: trust && written(trust) }) }
        })
        for (const [cluster, { held, awaited }] of trustOf(settled)) {
          const own = members.find((each) => each.cluster === cluster)?.published?.bundle.roots ?? []
          expect(Object.keys(held)).toEqual(own.map(({ fingerprint }) => fingerprint).toSorted())
          for (const holders of Object.values(held))
            expect(holders).toEqual(members.map(({ clusterKey }) => clusterKey))
          expect(Object.values(awaited).flat()).toEqual([])
        }
      }),
    )
  })
})

test('how far a new root has got: who holds it, and whom to wait for', () => {
  const east = member('east', { published: published('east', 0, 1) })
  const holding = (...which: readonly number[]) =>
    new Map([[domainOf('east'), new Set(which.flatMap((each) => ROOTS[each]?.der ?? []))]])
  const trust = trustOf([
    { ...east, holds: holding(0, 1) },
    member('north', { published: published('north', 2), holds: holding(0) }),
    member('dead', { published: published('dead', 3), holds: holding(0), connected: false }),
    member('older'),
  ]).get('east')
  const [old = '', fresh = ''] = [0, 1].map((index) => ROOTS[index]?.fingerprint ?? '')
  expect(trust?.held).toEqual({ [old]: ['dead', 'east', 'north'].map(keyOf), [fresh]: [keyOf('east')] })
  expect(trust?.awaited).toEqual({ [old]: [], [fresh]: [keyOf('north')] })
})

test.each<[string, Partial<TrustMember>, readonly string[], readonly string[]]>([
  ['as it should be', { published: published('west', 1) }, ['west.example'], [keyOf('west')]],
  ['without identity', {}, [], []],
  ['with certificates of another name still', { published: published('other', 1) }, ['west.example'], []],
])('a member %s', (_, more, bundles, clusters) => {
  const trust = trustOf([member('east', { published: published('east', 0) }), member('west', more)]).get('east')
  expect(Object.keys(trust?.bundles ?? {})).toEqual(['east.example', ...bundles])
  expect(Object.keys(trust?.clusters ?? {})).toEqual([keyOf('east'), ...clusters])
})

test('a name too long for a trust domain is nobody’s', () => {
  const { trustDomain: _, ...long } = member('west', { published: published('west', 1) })
  expect(trustOf([long]).get('west')).toEqual({ bundles: {}, clusters: {}, held: {}, awaited: {} })
})

describe('clusters of which nothing is known yet', () => {
  const [east, west] = [
    member('east', { published: published('east', 0) }),
    member('west', { published: published('west', 1) }),
  ]
  const before = trustOf([east, west]).get('east') as Trust
  const now = trustOf([east, without(west)]).get('east') as Trust

  test('stay as the member knows them', () => {
    const { held, awaited } = now
    expect(withUnheardTrust(now, written(before), new Set([keyOf('west')]))).toEqual({ ...before, held, awaited })
  })
  test('and no others', () => {
    expect(withUnheardTrust(now, written(before), new Set())).toBe(now)
    expect(withUnheardTrust(now, written(before), new Set([keyOf('north')]))).toBe(now)
    expect(withUnheardTrust(now, undefined, new Set([keyOf('west')]))).toBe(now)
  })
  test('what is known counts more than what is there', () => {
    const other = trustOf([east, { ...west, published: published('west', 2) }]).get('east') as Trust
    expect(withUnheardTrust(other, written(before), new Set([keyOf('west')]))).toBe(other)
  })
  test.each([
    '',
    '{',
    '[]',
    '{"x":null}',
    '{"trust_domains":[]}',
    '{"trust_domains":{"east.example":{"keys":[1,{}]}}}',
  ])('what somebody has spoilt is nothing: %s', (text) => {
    const spoilt = configMap({ 'trust.json': text, 'clusters.json': text })
    expect(withUnheardTrust(now, spoilt, new Set([keyOf('west'), 'x']))).toBe(now)
    expect([...heldRoots({ readable: true, object: spoilt }).values()].flatMap((ders) => [...ders])).toEqual([])
  })
})

test.each<[string, Readonly<Record<string, string>>, string]>([
  ['no trust domain', { 'bundle.json': '{}' }, 'data.trustDomain is no trust domain'],
  ['no bundle', { trustDomain: 'east.example' }, 'data["bundle.json"]: it is not a JSON object'],
  ['no roots', { trustDomain: 'east.example', 'bundle.json': '{"keys":[]}' }, 'data["bundle.json"]: it lists no keys'],
])('what a member says of itself is refused: %s', (_, data, problem) => {
  expect(vouchingOf(configMap(data))).toEqual({ state: 'malformed', problem })
})
