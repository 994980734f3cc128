import { describe, expect, test } from 'vitest'
import { identityKeys, spiffeId } from '../../api/identity.ts'
import { MANAGED_BY } from '../../api/names.ts'
import { planDomain } from '../../certs/identity/domain.ts'
import { type LeafWorld, observeIdentities, planLeaves, type Why } from '../../certs/identity/leaves.ts'
import { issueIdentity, issueRoot, type KeyPair } from '../../certs/spiffe.ts'

const HOUR = 3_600_000
const now = Date.UTC(2026, 0, 1)
const DOMAIN = 'east.portolan.local'
const root = await issueRoot({ commonName: 'a', now: now - 100 * HOUR, lifeMs: 1_000 * HOUR })
const base64 = (text: string) => Buffer.from(text).toString('base64')

const leaf = (bornAt: number, domain = DOMAIN) =>
  issueIdentity({ root, id: spiffeId(domain, 'shop', 'pay'), now: bornAt, lifeMs: 24 * HOUR })
const secretOf = (pairs: Readonly<Record<string, KeyPair>>, labels: Readonly<Record<string, string>> = MANAGED_BY) =>
  observeIdentities({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { namespace: 'shop', name: 'portolan-identity', labels },
    data: Object.fromEntries(
      Object.entries(pairs).flatMap(([account, { cert, key }]) => [
        [identityKeys(account).cert, base64(cert)],
        [identityKeys(account).key, base64(key)],
      ]),
    ),
  })
const worldOf = (pair: KeyPair | undefined, more: Partial<LeafWorld> = {}): LeafWorld => ({
  now,
  trustDomain: DOMAIN,
  demands: [{ namespace: 'shop', wanted: new Set(['pay']), kept: new Set() }],
  secrets: pair === undefined ? new Map() : new Map([['shop', secretOf({ pay: pair })]]),
  signer: { id: 'a', settled: true },
  rootOf: () => 'a',
  ...more,
})
const whys = (world: LeafWorld) => planLeaves(world).actions.flatMap(({ issue }) => issue.map(({ why }) => why))
const UNSETTLED = { signer: { id: 'b', settled: false } }

describe('a leaf is made', async () => {
  test.each<[string, KeyPair | undefined, Partial<LeafWorld>, readonly Why[]]>([
    ['when there is none', undefined, {}, ['missing']],
    ['not while nobody can sign', undefined, { signer: undefined }, []],
    ['by a root that has not settled, rather than none', undefined, UNSETTLED, ['missing']],
    ['not while it is fresh', await leaf(now - 15 * HOUR), {}, []],
    ['at two thirds of its life', await leaf(now - 16 * HOUR), {}, ['due']],
    ['not yet, when its successor would be by a root that has not settled', await leaf(now - 20 * HOUR), UNSETTLED, []],
    ['by whatever root there is before it expires', await leaf(now - 22 * HOUR), UNSETTLED, ['expired']],
    ['when it is of another trust domain', await leaf(now, 'west.portolan.local'), {}, ['otherId']],
    ['when nobody knows its root', await leaf(now), { rootOf: () => undefined }, ['unknownRoot']],
    ['when another root signs', await leaf(now), { signer: { id: 'b', settled: true } }, ['oldRoot']],
    ['not by a root that has not settled, for one that is good', await leaf(now), UNSETTLED, []],
    ['when a clock that was ahead has made it', await leaf(now + HOUR), {}, ['expired']],
    ['not when a clock was ahead by as much as peers are forgiven', await leaf(now + 4 * 60_000), {}, []],
    ['when its key is another’s', { ...(await leaf(now)), key: (await leaf(now)).key }, {}, ['damaged']],
  ])('%s', (_, pair, more, why) => {
    expect(whys(worldOf(pair, more))).toEqual(why)
  })
})

describe('a Secret', () => {
  test('of somebody else is left alone', async () => {
    const secrets = new Map([['shop', secretOf({}, {})]])
    expect(planLeaves(worldOf(undefined, { secrets })).actions).toEqual([])
  })

  test('loses who is gone, but not who still runs, and then goes as a whole', async () => {
    const pair = await leaf(now)
    const secrets = new Map([['shop', secretOf({ pay: pair, gone: pair, runs: pair })]])
    const demand = (wanted: readonly string[], kept: readonly string[]) =>
      planLeaves(
        worldOf(undefined, {
          secrets,
          demands: [{ namespace: 'shop', wanted: new Set(wanted), kept: new Set(kept) }],
        }),
      ).actions.map(({ remove, all }) => ({ remove, all }))
    expect(demand(['pay'], ['runs'])).toEqual([{ remove: ['gone.crt', 'gone.key'], all: false }])
    expect(demand([], []).map(({ all }) => all)).toEqual([true])
  })

  test('is watched without its private keys', async () => {
    const pair = await leaf(now)
    expect(JSON.stringify([...secretOf({ pay: pair }).leaves])).not.toContain(pair.key.split('\n')[1])
  })
})

describe('the trust domain that others are told of', () => {
  const told = { published: 'a', issued: 'a' }
  const moving = { published: 'a', issued: 'b' }
  test.each([
    ['is the first one at once', undefined, 'a', false, told],
    ['stays', told, 'a', false, told],
    ['stays while leaves are made anew', told, 'b', true, moving],
    ['waits for the last leaf', moving, 'b', true, moving],
    ['waits for pods from then on', moving, 'b', false, { ...moving, since: now }],
    [
      'waits until that is over',
      { ...moving, since: now - HOUR + 1 },
      'b',
      false,
      { ...moving, since: now - HOUR + 1 },
    ],
    ['is the new one then', { ...moving, since: now - HOUR }, 'b', false, { published: 'b', issued: 'b' }],
    ['waits anew for a leaf that comes back', { ...moving, since: now - HOUR }, 'b', true, moving],
    ['is the old one still when all is called off', { ...moving, since: now }, 'a', true, told],
  ])('%s', (_, before, assigned, strangers, after) => {
    expect(planDomain(now, before, assigned, strangers, HOUR)).toEqual(after)
  })
})
