import { beforeAll, describe, expect, test } from 'vitest'
import type { ConfigMap } from '../../api/resources.ts'
import { issueRoot, spiffeBundle } from '../../certs/spiffe.ts'
import { readTrust, trustAmong } from '../../compiler/trust.ts'
import { clusterKey } from './build.ts'

const NS = 'portolan-system'
const place = { clusterKey: clusterKey('west'), namespace: NS }
const OWN_GATEWAY = `spiffe://west.portolan.local/ns/${NS}/sa/portolan-gateway`
const EAST = { trustDomain: 'east.portolan.local', gateway: 'spiffe://east.portolan.local/ns/mesh/sa/portolan-gateway' }

const configMap = (name: string, data: Record<string, string>): ConfigMap => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { namespace: NS, name },
  data,
})

let identity: ConfigMap
let told: ConfigMap
let newest: ReturnType<typeof spiffeBundle>

const root = async (commonName: string) => (await issueRoot({ commonName, now: Date.now(), lifeMs: 3_600_000 })).cert
const trustedBy = (bundle: string) => JSON.parse(bundle).trust_domains as Record<string, { keys: { x5c: string[] }[] }>

beforeAll(async () => {
  const [old, next, east] = await Promise.all(['west', 'west again', 'east'].map(root))
  newest = spiffeBundle([old ?? '', next ?? ''])
  identity = configMap('portolan-identity', {
    trustDomain: 'west.portolan.local',
    'bundle.json': JSON.stringify(newest),
  })
  told = configMap('portolan-trust', {
    'trust.json': JSON.stringify({
      trust_domains: {
        'east.portolan.local': spiffeBundle([east ?? '']),
        'west.portolan.local': spiffeBundle([old ?? '']),
      },
    }),
    'clusters.json': JSON.stringify({
      [clusterKey('west')]: { trustDomain: 'west.portolan.local', gateway: OWN_GATEWAY },
      [clusterKey('east')]: EAST,
    }),
  })
})

describe('whom the proxies of a cluster believe', () => {
  test('nobody, before there is an identity', () => {
    const { trust, issues } = readTrust({ ...place, identity: undefined, told: undefined })
    expect([trust, issues]).toEqual([{ trustDomain: '', bundle: '{"trust_domains":{}}', clusters: {} }, []])
  })

  test('itself, before it joins a hub', () => {
    const { trust } = readTrust({ ...place, identity, told: undefined })
    expect(trust?.trustDomain).toBe('west.portolan.local')
    expect(trust?.clusters).toEqual({
      [clusterKey('west')]: { trustDomain: 'west.portolan.local', gateway: OWN_GATEWAY },
    })
    expect(Object.keys(trustedBy(trust?.bundle ?? ''))).toEqual(['west.portolan.local'])
  })

  test('all members, and its own newest root before the hub has heard of it', () => {
    const { trust, issues } = readTrust({ ...place, identity, told })
    expect(issues).toEqual([])
    expect(trust?.clusters[clusterKey('east')]).toEqual(EAST)
    const domains = trustedBy(trust?.bundle ?? '')
    expect(Object.keys(domains)).toEqual(['east.portolan.local', 'west.portolan.local'])
    expect(domains['west.portolan.local']?.keys.map(({ x5c }) => x5c[0]).sort()).toEqual(
      newest.keys.map(({ x5c }) => x5c[0]).sort(),
    )
  })

  test('the same answer is the same object, so that nothing is made anew', () => {
    const first = readTrust({ ...place, identity, told }).trust
    expect(readTrust({ ...place, identity: { ...identity }, told: { ...told } }, first).trust).toBe(first)
  })

  test('is found among manifests', () => {
    expect(trustAmong([told, identity], place.clusterKey)?.trust?.clusters[clusterKey('east')]).toEqual(EAST)
    expect(trustAmong([], place.clusterKey)).toBeUndefined()
  })
})

describe('a damaged word leaves everything as it was', () => {
  const damaged: readonly (readonly [string, 'identity' | 'told', Record<string, string>, string])[] = [
    ['no bundle', 'identity', { 'bundle.json': '{' }, 'data.bundle.json'],
    ['no trust domain', 'identity', { trustDomain: 'Not One' }, 'data.trustDomain'],
    ['no map of trust domains', 'told', { 'trust.json': '[]' }, 'data.trust.json'],
    ['a bundle without keys', 'told', { 'trust.json': '{"trust_domains":{"a.b":{"keys":[]}}}' }, 'data.trust.json'],
    ['no map of clusters', 'told', { 'clusters.json': 'east' }, 'data.clusters.json'],
    [
      'a gateway of another trust domain',
      'told',
      { 'clusters.json': JSON.stringify({ [clusterKey('east')]: { ...EAST, trustDomain: 'north.portolan.local' } }) },
      'data.clusters.json',
    ],
  ]

  test.each(damaged)('%s', (_, which, data, path) => {
    const good = { identity, told }
    const before = readTrust({ ...place, ...good }).trust
    const bad = { ...good, [which]: { ...good[which], data: { ...good[which].data, ...data } } }
    const { trust, issues } = readTrust({ ...place, ...bad }, before)
    expect(trust).toBe(before)
    expect(issues).toMatchObject([{ code: 'TrustUnreadable', path }])
    // Without anything to fall back on nothing is said: in plain HTTP nobody would know who calls.
    expect(readTrust({ ...place, ...bad }).trust).toBeUndefined()
  })
})
