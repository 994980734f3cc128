/** How roots of members get to the other members, on real API servers. */
import { X509Certificate } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { trustDomainOf } from '../../api/identity.ts'
import { DEFAULT_TRUST_DOMAIN } from '../../api/names.ts'
import { CLUSTERS, CONFIGMAPS, type ConfigMap } from '../../api/resources.ts'
import type { Held, TrustClusters } from '../../api/trust.ts'
import { rootOfCertificate } from '../../api/trust-bundle.ts'
import { issueRoot, spiffeBundle } from '../../certs/spiffe.ts'
import { SYSTEM } from '../kube/compiler.ts'
import { until } from '../lab/run.ts'
import {
  clusterOf,
  conditionOf,
  enlist,
  event,
  imports,
  keyOf,
  managed,
  offer,
  type Replica,
  type Site,
  type Stage,
  startStage,
  warningsOf,
} from './hub.ts'

const domainOf = (name: string) => trustDomainOf(name, DEFAULT_TRUST_DOMAIN)

interface TestRoot {
  readonly pem: string
  readonly der: string
  readonly fingerprint: string
}
async function newRoot(commonName: string): Promise<TestRoot> {
  const { cert } = await issueRoot({ commonName, now: Date.now(), lifeMs: 3_600_000 })
  const { der, fingerprint } = rootOfCertificate(new X509Certificate(cert))
  return { pem: cert, der, fingerprint }
}

let stage: Stage
let replica: Replica
let east: Site
let west: Site
let north: Site
let roots: Readonly<Record<'east' | 'west' | 'next' | 'foreign', TestRoot>>
beforeAll(async () => {
  const names = ['east', 'west', 'next', 'foreign'] as const
  roots = Object.fromEntries(await Promise.all(names.map(async (name) => [name, await newRoot(name)]))) as typeof roots
  stage = await startStage(['east', 'west', 'north'])
  ;[east, west, north] = stage.members as [Site, Site, Site]
  replica = await stage.start()
  await publish(east, [roots.east])
  await publish(west, [roots.west])
  for (const site of stage.members) await enlist(stage, site)
  for (const { name } of stage.members) await managed(stage, name, 'Connected')
})
afterAll(() => stage?.stop())

/** As the identity server of a cluster does. */
const publish = (site: Site, which: readonly TestRoot[], trustDomain = domainOf(site.name)) =>
  publishText(site, JSON.stringify(spiffeBundle(which.map(({ pem }) => pem))), trustDomain)

const publishText = (site: Site, bundle: string, trustDomain = domainOf(site.name)) =>
  site.apply({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { namespace: SYSTEM, name: 'portolan-identity' },
    data: { trustDomain, 'bundle.json': bundle },
  })

interface Told {
  readonly roots: Readonly<Record<string, readonly string[]>>
  readonly clusters: TrustClusters
  readonly held: Held
  readonly awaited: Held
}

const configMapOf = (site: Site, name: string) => site.get<ConfigMap>(CONFIGMAPS, { namespace: SYSTEM, name })

async function told(site: Site): Promise<Told | undefined> {
  const data = (await configMapOf(site, 'portolan-trust'))?.data
  if (data === undefined) return undefined
  const read = (key: string) => JSON.parse(data[`${key}.json`] ?? '')
  const domains: Readonly<Record<string, { keys: readonly { x5c: readonly string[] }[] }>> = read('trust').trust_domains
  return {
    roots: Object.fromEntries(
      Object.entries(domains).map(([domain, { keys }]) => [domain, keys.flatMap(({ x5c }) => x5c).toSorted()]),
    ),
    clusters: read('clusters'),
    held: read('held'),
    awaited: read('awaited'),
  }
}

const ders = (...which: readonly TestRoot[]) => which.map(({ der }) => der).toSorted()

/** Resolves once the sites hold these roots of a member and no others. */
const holds = (sites: readonly Site[], name: string, ...which: readonly TestRoot[]) =>
  until(`${sites.map((site) => site.name).join(', ')} know ${which.length} roots of ${name}`, async () => {
    const all = await Promise.all(sites.map(told))
    const wanted = JSON.stringify(which.length === 0 ? undefined : ders(...which))
    return all.every((each) => each !== undefined && JSON.stringify(each.roots[domainOf(name)]) === wanted)
  })

const trusted = (name: string, reason: string) =>
  until(`Trusted of ${name} is ${reason}`, async () => {
    const cluster = await clusterOf(stage, name)
    return conditionOf(cluster, 'Trusted')?.reason === reason ? cluster : undefined
  })

const gateway = (name: string) => ({
  trustDomain: domainOf(name),
  gateway: `spiffe://${domainOf(name)}/ns/${SYSTEM}/sa/portolan-gateway`,
})

test('every member is told its trust domain, and whose roots vouch for whom; one without identity is not among them', async () => {
  await holds(stage.members, 'east', roots.east)
  await holds(stage.members, 'west', roots.west)
  for (const site of stage.members) {
    expect((await configMapOf(site, 'portolan-cluster'))?.data?.['trustDomain']).toBe(domainOf(site.name))
    expect((await told(site))?.clusters).toEqual({ [keyOf('east')]: gateway('east'), [keyOf('west')]: gateway('west') })
  }
  const cluster = await trusted('east', 'RootsKnown')
  expect(cluster.status).toMatchObject({
    trustDomain: 'east.portolan.local',
    roots: [{ fingerprint: roots.east.fingerprint.slice(0, 16), expires: expect.stringMatching(/^20.*Z$/) }],
  })
  expect(conditionOf(await trusted('north', 'IdentityMissing'), 'Trusted')).toMatchObject({ status: 'False' })
  expect((await event(stage.hub, 'east', 'RootAdded')).note).toContain(roots.east.fingerprint.slice(0, 16))
  expect(warningsOf(replica)).toEqual([])
})

test('a root that a member changes reaches all, the member learns when it has, and the old one goes', async () => {
  const { fingerprint } = roots.next
  await publish(east, [roots.east, roots.next])
  await holds(stage.members, 'east', roots.east, roots.next)
  await until('east knows that all hold it', async () => {
    const { held = {}, awaited = {} } = (await told(east)) ?? {}
    return held[fingerprint]?.length === 3 && awaited[fingerprint]?.length === 0
  })
  expect((await told(west))?.held).toEqual({
    [roots.west.fingerprint]: ['east', 'north', 'west'].map((name) => keyOf(name)),
  })
  await publish(east, [roots.next])
  await holds(stage.members, 'east', roots.next)
  expect((await event(stage.hub, 'east', 'RootRemoved')).note).toContain(roots.east.fingerprint.slice(0, 16))
  expect((await trusted('east', 'RootsKnown')).status?.roots).toMatchObject([{ fingerprint: fingerprint.slice(0, 16) }])
})

test('what nobody can read is refused and told, and the roots stay', async () => {
  await publishText(east, '{"keys":[{"use":"x509-svid","x5c":["bm9uZQ=="]}]}')
  const refused = conditionOf(await trusted('east', 'RootsRefused'), 'Trusted')
  expect(refused).toMatchObject({
    status: 'False',
    message: expect.stringContaining('keys[0].x5c holds no certificate'),
  })
  await event(stage.hub, 'east', 'RootsRefused')
  await east.apply(...offer('shop/after-that'))
  await imports(west, 'shop/after-that', ['east'])
  await holds(stage.members, 'east', roots.next)
  await publish(east, [roots.next])
  await trusted('east', 'RootsKnown')
})

test('a member that claims the name of another vouches for itself alone', async () => {
  await publish(north, [roots.foreign], domainOf('east'))
  const pending = conditionOf(await trusted('north', 'TrustDomainPending'), 'Trusted')
  expect(pending?.message).toContain('east.portolan.local')
  await holds(stage.members, 'north', roots.foreign)
  await holds(stage.members, 'east', roots.next)
  expect(Object.keys((await told(west))?.clusters ?? {})).toEqual(['east', 'west'].map((name) => keyOf(name)))
  await publish(north, [roots.foreign])
  await trusted('north', 'RootsKnown')
  await until('north counts', async () => (await told(west))?.clusters[keyOf('north')] !== undefined)
})

test('identity that is switched off is forgotten', async () => {
  await north.remove(CONFIGMAPS, { namespace: SYSTEM, name: 'portolan-identity' })
  await holds(stage.members, 'north')
  await trusted('north', 'IdentityMissing')
  expect((await clusterOf(stage, 'north'))?.status?.roots).toEqual([])
})

const roleOf = (site: Site, resourceNames: readonly string[]) =>
  site.apply({
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'Role',
    metadata: { namespace: SYSTEM, name: 'portolan-member' },
    rules: [
      {
        apiGroups: [''],
        resources: ['configmaps'],
        resourceNames,
        verbs: ['list', 'watch', 'create', 'patch', 'delete'],
      },
    ],
  })

describe('a member of an older release, whose role knows of no trust', () => {
  test('is managed as ever, and says what it lacks', async () => {
    await replica.stop()
    await roleOf(north, ['portolan-cluster'])
    await north.remove(CONFIGMAPS, { namespace: SYSTEM, name: 'portolan-trust' })
    replica = await stage.start()
    await trusted('north', 'IdentityUnreadable')
    expect(conditionOf(await managed(stage, 'north', 'Connected'), 'Managed')?.status).toBe('True')
    await west.apply(...offer('shop/for-older'))
    await imports(north, 'shop/for-older', ['west'])
    expect(await told(north)).toBeUndefined()
  })
  test('takes part as soon as it is upgraded', async () => {
    await roleOf(north, ['portolan-cluster', 'portolan-trust', 'portolan-identity'])
    await holds([north], 'west', roots.west)
    await trusted('north', 'IdentityMissing')
  })
})

test('roots of a member that is down are those that it had, for a hub that never saw it as well', async () => {
  await west.api.kill()
  await managed(stage, 'west', 'Unreachable')
  await replica.stop()
  await east.remove(CONFIGMAPS, { namespace: SYSTEM, name: 'portolan-trust' })
  replica = await stage.start()
  await holds([east, north], 'west', roots.west)
  expect((await told(east))?.clusters[keyOf('west')]).toEqual(gateway('west'))
  await publish(east, [roots.east, roots.next])
  await until('nobody waits for it', async () => {
    const { held = {}, awaited = {} } = (await told(east)) ?? {}
    const { fingerprint } = roots.east
    return (
      held[fingerprint]?.join() === ['east', 'north'].map((name) => keyOf(name)).join() &&
      awaited[fingerprint]?.length === 0
    )
  })
  await west.api.start()
  await holds([west], 'east', roots.east, roots.next)
})

test('a member that leaves is no part of it any more, and forgets the others', async () => {
  await managed(stage, 'west', 'Connected')
  await stage.hub.remove(CLUSTERS, { name: 'west' })
  await holds([east, north], 'west')
  await until('nothing is left in it', async () => {
    const left = await Promise.all(['portolan-trust', 'portolan-cluster'].map((name) => configMapOf(west, name)))
    return left.every((each) => each === undefined)
  })
  expect((await told(east))?.clusters).toEqual({ [keyOf('east')]: gateway('east') })
})
