/** The hub's rights, at home and in a member: enough for all that it does, and each of them needed for something. */

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ObjectMeta } from '../../api/meta.ts'
import {
  API_VERSION,
  DEFAULT_TRUST_DOMAIN,
  FIELD_MANAGER,
  MANAGED_BY,
  MCS_SERVICE_NAME_LABEL,
  MCS_SOURCE_CLUSTER_LABEL,
} from '../../api/names.ts'
import {
  CLUSTERS,
  CONFIGMAPS,
  ENDPOINT_SLICES,
  MCS_EXPORTS,
  NAMESPACES,
  SECRETS,
  SERVICE_ACCOUNTS,
  SERVICE_EXPORTS,
  SERVICE_IMPORTS,
  SERVICES,
} from '../../api/resources.ts'
import { issueRoot, spiffeBundle } from '../../certs/spiffe.ts'
import { hubKubeconfig } from '../../cli/live/hub-kubeconfig.ts'
import { memoryName } from '../../federation/controller/memory.ts'
import { runFederation } from '../../federation/main.ts'
import { SLICES_MANAGED_BY, SLICES_MANAGED_BY_LABEL } from '../../federation/slices.ts'
import { createClient, type KubeClient } from '../../kube/client.ts'
import { must, mustOrMissing } from '../../kube/failure.ts'
import { LEASES } from '../../kube/lease.ts'
import type { KubeObject, Ref, Resource } from '../../kube/object.ts'
import { render } from '../chart/helm.ts'
import { type ApiServer, type Etcd, startApiServer, startEtcd } from '../kube/apiserver.ts'
import { kubectl, SYSTEM } from '../kube/compiler.ts'
import { CRDS } from '../kube/crds.ts'
import {
  type Audit,
  createAudit,
  createHolder,
  type Expectation,
  failsWithout,
  type Holder,
  holdsWithAll,
  type Right,
  rightsOf,
  runAs,
  type Trial,
  textOf,
} from '../kube/rights.ts'
import { freePorts } from '../lab/ports.ts'
import { until } from '../lab/run.ts'
import { QUICK } from './hub.ts'

const chart = await render('-s', 'templates/federation/rbac.yaml', '-s', 'templates/federation/member.yaml')
const HOME = rightsOf(chart, 'portolan-federation')
const MEMBER = rightsOf(chart, 'portolan-member')

/** `east` is where the hub's rights are tried; `west` gives it all of them. */
const NAMES = ['hub', 'east', 'west'] as const
type Name = (typeof NAMES)[number]

interface Site {
  readonly api: ApiServer
  readonly client: KubeClient
  readonly audit: Audit
}

let dir: string
let etcd: Etcd
let sites: Readonly<Record<Name, Site>>
let home: Holder
let west: Holder

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'portolan-rights-'))
  etcd = await startEtcd()
  sites = Object.fromEntries(
    await Promise.all(NAMES.map(async (name) => [name, await startSite(name)])),
  ) as typeof sites
  home = await holderAt('hub', 'home', HOME)
  west = await holderAt('west', 'member', MEMBER)
  await put(sites.hub, SERVICE_ACCOUNTS, { metadata: { namespace: SYSTEM, name: 'portolan-federation' } })
})
afterAll(async () => {
  await Promise.all(Object.values(sites ?? {}).map(({ client }) => client.close()))
  await Promise.all(Object.values(sites ?? {}).map(({ api }) => api.stop()))
  await etcd?.stop()
  await rm(dir, { recursive: true, force: true })
})

async function startSite(name: Name): Promise<Site> {
  const audit = await createAudit(dir, name)
  const api = await startApiServer({ etcd, args: audit.args })
  await kubectl(api, ['apply', ...CRDS])
  await kubectl(api, ['wait', '--for=condition=Established', 'crd', '--all', '--timeout=120s'])
  await kubectl(api, ['create', 'namespace', SYSTEM])
  return { api, client: createClient(api.connection), audit }
}

const holderAt = (site: Name, name: string, rights: readonly Right[]) =>
  createHolder(sites[site].client, sites[site].api.connection, SYSTEM, name, rights)

type Given = { readonly metadata: Ref & Omit<Partial<ObjectMeta>, 'namespace'>; readonly [field: string]: unknown }

async function put<T extends KubeObject>({ client }: Site, resource: Resource<T>, object: Given, manager = 'test') {
  must(await client.apply(resource, object as never, { manager }))
}
const read = async <T extends KubeObject>({ client }: Site, resource: Resource<T>, ref: Ref) =>
  mustOrMissing(await client.get(resource, ref))
const remove = async ({ client }: Site, resource: Resource, ref: Ref) =>
  mustOrMissing(await client.delete(resource, ref))

/** One hub and a namespace that no other has seen. */
interface World {
  readonly namespace: string
  readonly ports: { readonly health: number; readonly metrics: number }
  /** Who the hub is at home, and in east. */
  readonly home: Holder
  readonly east: Holder
  readonly kubeconfig: string
  readonly since: string
  left: boolean
}

const key = (name: string) => `default/default/default/${name}`
const pay = (world: World): Ref => ({ namespace: world.namespace, name: 'pay' })
const memory: Ref = { namespace: SYSTEM, name: memoryName('east') }
const identity: Ref = { namespace: SYSTEM, name: 'portolan-cluster' }
const trust: Ref = { namespace: SYSTEM, name: 'portolan-trust' }

async function offer(site: Site, namespace: string) {
  const metadata = { namespace, name: 'pay' }
  await put(site, NAMESPACES, { metadata: { name: namespace } })
  await put(site, SERVICES, { metadata, spec: { ports: [{ name: 'http', port: 8080 }] } })
  await put(site, SERVICE_EXPORTS, { metadata, spec: { rules: [{ portNumber: 8080, path: `/${namespace}` }] } })
}

/** The same by the standard, with a pod. */
async function offerStandard(site: Site, namespace: string) {
  const metadata = { namespace, name: 'pay' }
  await put(site, NAMESPACES, { metadata: { name: namespace } })
  await put(site, SERVICES, { metadata, spec: { ports: [{ name: 'http', port: 8080 }] } })
  await put(site, ENDPOINT_SLICES, {
    metadata: { ...metadata, labels: { 'kubernetes.io/service-name': 'pay' } },
    addressType: 'IPv4',
    endpoints: [{ addresses: ['192.0.2.7'] }],
    ports: [{ name: 'http', port: 8080 }],
  })
  await put(site, MCS_EXPORTS, { metadata })
}

/** Clusters whose endpoints a site is told of. */
const sourcesIn = async ({ client }: Site, { namespace }: World) =>
  must(await client.list(ENDPOINT_SLICES, { namespace })).items.flatMap(
    ({ metadata }) => metadata.labels?.[MCS_SOURCE_CLUSTER_LABEL] ?? [],
  )

/** An import in east as a hub before this one has made it. */
async function leftover(namespace: string, giver: string) {
  await put(sites.east, NAMESPACES, { metadata: { name: namespace } })
  const endpoint = { clusterKey: key(giver), target: { host: '192.0.2.1', port: 80, path: '/pay' } }
  const metadata = { namespace, name: 'pay', labels: MANAGED_BY }
  const spec = { ports: [{ name: 'http', port: 8080, protocol: 'TCP', endpoints: [endpoint] }] }
  await put(sites.east, SERVICE_IMPORTS, { metadata, spec }, FIELD_MANAGER.federation)
}

const givers = async (world: World) =>
  (await read(sites.east, SERVICE_IMPORTS, pay(world)))?.spec.ports.flatMap(({ endpoints = [] }) =>
    endpoints.map(({ clusterKey }) => clusterKey),
  )

const get = async (port: number, path: string) => fetch(`http://127.0.0.1:${port}${path}`)
const conditionOf = async (type: string, object: KubeObject | undefined) =>
  (
    object as { status?: { conditions?: readonly { type: string; status: string }[] } } | undefined
  )?.status?.conditions?.find((each) => each.type === type)?.status
const isManaged = async () =>
  (await conditionOf('Managed', await read(sites.hub, CLUSTERS, { name: 'east' }))) === 'True'
const takenUp = async ({ kubeconfig }: World) => {
  const secret = await read(sites.hub, SECRETS, memory)
  return secret?.data?.['kubeconfig'] === Buffer.from(kubeconfig).toString('base64')
}

interface Said extends KubeObject {
  readonly reason: string
  readonly series?: { readonly lastObservedTime: string }
}
const EVENTS: Resource<Said> = {
  group: 'events.k8s.io',
  version: 'v1',
  plural: 'events',
  kind: 'Event',
  namespaced: true,
}
const events = async ({ client }: Site, namespace: string, reason: string) =>
  must(await client.list(EVENTS, { namespace })).items.filter((each) => each.reason === reason)
const counted = (said: readonly Said[], { since }: World) =>
  said.some(({ series }) => (series?.lastObservedTime ?? '') >= since)

/** Runs a hub with all rights until something has come about. */
async function runUntil(world: World, what: string, probe: () => Promise<boolean>) {
  const stop = await start({ ...world, home })
  await until(what, probe, { timeout: 40_000, every: 25 })
  await stop()
}
const forgetStatus = async (site: Site, resource: Resource, ref: Ref) =>
  mustOrMissing(
    await site.client.patch(resource, ref, { type: 'merge', body: { status: null }, subresource: 'status' }),
  )

const LEADS: Expectation<World> = {
  name: 'leads',
  holds: async ({ ports }) => (await (await get(ports.metrics, '/metrics')).text()).includes('\nportolan_leading 1'),
}
const MANAGES: Expectation<World> = { name: 'says that it manages the member', holds: isManaged }
const REMEMBERS: Expectation<World> = {
  name: 'remembers the member',
  arrange: () => remove(sites.hub, SECRETS, memory),
  holds: async () => (await read(sites.hub, SECRETS, memory)) !== undefined,
}
const IMPORTS: Expectation<World> = {
  name: 'imports into the member what others export',
  arrange: async (world) => {
    await put(sites.east, NAMESPACES, { metadata: { name: world.namespace } })
    await offer(sites.west, world.namespace)
  },
  holds: async (world) => (await givers(world))?.includes(key('west')) ?? false,
}
const NAMES_IT: Expectation<World> = {
  name: 'tells the member who it is',
  arrange: () => remove(sites.east, CONFIGMAPS, identity),
  holds: async () => (await read(sites.east, CONFIGMAPS, identity))?.data?.['clusterKey'] === key('east'),
}

const TELLS_IT: Expectation<World> = {
  name: 'tells the member whom to trust',
  arrange: () => remove(sites.east, CONFIGMAPS, trust),
  holds: async () => (await read(sites.east, CONFIGMAPS, trust)) !== undefined,
}
const HANDS_ON: Expectation<World> = {
  name: 'hands on who vouches for the member',
  arrange: async ({ namespace }) => {
    // One that no hub has seen before.
    const { cert } = await issueRoot({ commonName: namespace, now: Date.now(), lifeMs: 3_600_000 })
    const bundle = spiffeBundle([cert])
    certificates.set(namespace, bundle.keys[0]?.x5c[0] ?? '')
    const data = { trustDomain: 'east.portolan.local', 'bundle.json': JSON.stringify(bundle) }
    await put(sites.east, CONFIGMAPS, { metadata: { namespace: SYSTEM, name: 'portolan-identity' }, data })
  },
  holds: async ({ namespace }) =>
    (await read(sites.west, CONFIGMAPS, trust))?.data?.['trust.json']?.includes(certificates.get(namespace) ?? '?') ??
    false,
}
const SEES_STANDARD: Expectation<World> = {
  name: 'lets others have what the member exports by the standard, with its endpoints',
  arrange: async (world) => {
    await put(sites.west, NAMESPACES, { metadata: { name: world.namespace } })
    await offerStandard(sites.east, world.namespace)
  },
  holds: async (world) => (await sourcesIn(sites.west, world)).includes('east'),
}
const BRINGS_ENDPOINTS: Expectation<World> = {
  name: 'tells the member of the endpoints of what others export by the standard',
  arrange: async (world) => {
    await put(sites.east, NAMESPACES, { metadata: { name: world.namespace } })
    await offerStandard(sites.west, world.namespace)
  },
  holds: async (world) => (await sourcesIn(sites.east, world)).includes('west'),
}
/** Namespace of a trial → DER of the root that it has made. */
const certificates = new Map<string, string>()

const AT_HOME: Readonly<Record<string, Expectation<World>>> = {
  'patch clusters.flomesh.io/status': MANAGES,
  'get namespaces kube-system': MANAGES,
  'create secrets': REMEMBERS,
  'patch secrets': REMEMBERS,
  'delete secrets': {
    name: 'forgets a member that has left',
    arrange: async (world) => {
      await runUntil(world, 'east is remembered', () => takenUp(world))
      await remove(sites.hub, CLUSTERS, { name: 'east' })
    },
    holds: async () => (await read(sites.hub, SECRETS, memory)) === undefined,
  },
  'get serviceaccounts portolan-federation': {
    name: 'lets what it remembers go with its account',
    arrange: () => remove(sites.hub, SECRETS, memory),
    holds: async () =>
      (await read(sites.hub, SECRETS, memory))?.metadata.ownerReferences?.[0]?.name === 'portolan-federation',
  },
  'create events.events.k8s.io': {
    name: 'reports of its clusters',
    arrange: async () => {
      for (const { metadata } of await events(sites.hub, 'default', 'Connected'))
        await remove(sites.hub, EVENTS, metadata)
    },
    holds: async () => (await events(sites.hub, 'default', 'Connected')).length > 0,
  },
  'patch events.events.k8s.io': {
    name: 'counts what it has reported of its clusters before',
    arrange: async (world) => {
      await runUntil(
        world,
        'east is reported',
        async () => (await events(sites.hub, 'default', 'Connected')).length > 0,
      )
      await forgetStatus(sites.hub, CLUSTERS, { name: 'east' })
    },
    holds: async (world) => counted(await events(sites.hub, 'default', 'Connected'), world),
  },
  'get leases.coordination.k8s.io portolan-federation': LEADS,
  'update leases.coordination.k8s.io portolan-federation': {
    ...LEADS,
    name: 'leads after another has',
    arrange: (world) => runUntil(world, 'another leads', () => LEADS.holds(world)),
  },
  'create leases.coordination.k8s.io': {
    ...LEADS,
    name: 'leads as the first',
    arrange: () => remove(sites.hub, LEASES, { namespace: SYSTEM, name: 'portolan-federation' }),
  },
}

/** Lets east leave as soon as it is one of the hub's. */
async function leaves(world: World): Promise<boolean> {
  if (!world.left && (await takenUp(world)) && (await isManaged())) {
    await remove(sites.hub, CLUSTERS, { name: 'east' })
    world.left = true
  }
  return world.left
}

const IN_MEMBER: Readonly<Record<string, Expectation<World>>> = {
  'patch serviceexports.flomesh.io/status': {
    name: 'says of an export where it is imported',
    arrange: (world) => offer(sites.east, world.namespace),
    holds: async (world) =>
      (await conditionOf('Exported', await read(sites.east, SERVICE_EXPORTS, pay(world)))) !== undefined,
  },
  'list serviceexports.multicluster.x-k8s.io': SEES_STANDARD,
  'patch serviceexports.multicluster.x-k8s.io/status': {
    name: 'says of an export of the standard that others have it',
    arrange: (world) => offerStandard(sites.east, world.namespace),
    holds: async (world) => (await conditionOf('Ready', await read(sites.east, MCS_EXPORTS, pay(world)))) !== undefined,
  },
  'list endpointslices.discovery.k8s.io': SEES_STANDARD,
  'create endpointslices.discovery.k8s.io': BRINGS_ENDPOINTS,
  'patch endpointslices.discovery.k8s.io': BRINGS_ENDPOINTS,
  'delete endpointslices.discovery.k8s.io': {
    name: 'withdraws the endpoints of what nobody exports any more',
    arrange: async ({ namespace }) => {
      await put(sites.east, NAMESPACES, { metadata: { name: namespace } })
      const labels = {
        ...MANAGED_BY,
        [SLICES_MANAGED_BY_LABEL]: SLICES_MANAGED_BY,
        [MCS_SERVICE_NAME_LABEL]: 'pay',
        [MCS_SOURCE_CLUSTER_LABEL]: 'west',
      }
      const slice = { metadata: { namespace, name: 'left', labels }, addressType: 'IPv4', endpoints: [] }
      await put(sites.east, ENDPOINT_SLICES, slice, FIELD_MANAGER.federation)
    },
    holds: async (world) => (await sourcesIn(sites.east, world)).length === 0,
  },
  'create serviceimports.flomesh.io': IMPORTS,
  'patch serviceimports.flomesh.io': IMPORTS,
  'delete serviceimports.flomesh.io': {
    name: 'withdraws from the member what nobody exports any more',
    arrange: (world) => leftover(world.namespace, 'west'),
    holds: async (world) => (await givers(world)) === undefined,
  },
  'get serviceimports.flomesh.io': {
    name: 'keeps endpoints of a cluster that it has not heard of yet',
    arrange: async (world) => {
      await leftover(world.namespace, 'north')
      await offer(sites.west, world.namespace)
    },
    holds: async (world) => (await givers(world))?.join() === [key('north'), key('west')].join(),
  },
  'create namespaces': {
    name: 'makes the namespace of an import',
    arrange: (world) => offer(sites.west, world.namespace),
    holds: async (world) => (await read(sites.east, NAMESPACES, { name: world.namespace })) !== undefined,
  },
  'create configmaps portolan-cluster': NAMES_IT,
  'patch configmaps portolan-cluster': NAMES_IT,
  'delete configmaps portolan-cluster': {
    name: 'takes the name back from a member that leaves',
    holds: async (world) => (await leaves(world)) && (await read(sites.east, CONFIGMAPS, identity)) === undefined,
  },
  'list configmaps portolan-identity': HANDS_ON,
  'list configmaps portolan-trust': TELLS_IT,
  'create configmaps portolan-trust': TELLS_IT,
  'patch configmaps portolan-trust': TELLS_IT,
  'delete configmaps portolan-trust': {
    name: 'takes back from a member that leaves whom it trusted',
    holds: async (world) => (await leaves(world)) && (await read(sites.east, CONFIGMAPS, trust)) === undefined,
  },
  'create events.events.k8s.io': {
    name: 'reports in the member who imports from it',
    arrange: (world) => offer(sites.east, world.namespace),
    holds: async (world) => (await events(sites.east, world.namespace, 'Exported')).length > 0,
  },
  'patch events.events.k8s.io': {
    name: 'counts what it has reported in the member before',
    arrange: async (world) => {
      await offer(sites.east, 'again')
      await forgetStatus(sites.east, SERVICE_EXPORTS, { namespace: 'again', name: 'pay' })
      const said = async () => (await events(sites.east, 'again', 'Exported')).length > 0
      if (!(await said())) {
        await enlist('east', await kubeconfigAt('east', await holderAt('east', `${world.namespace}-before`, MEMBER)))
        await runUntil(world, 'the export is reported', said)
        await enlist('east', world.kubeconfig)
      }
      await forgetStatus(sites.east, SERVICE_EXPORTS, { namespace: 'again', name: 'pay' })
    },
    holds: async (world) => counted(await events(sites.east, 'again', 'Exported'), world),
  },
}

function expectationOf(right: Right, where: 'home' | 'member'): Expectation<World> {
  const named = (where === 'home' ? AT_HOME : IN_MEMBER)[textOf(right)]
  if (named !== undefined) return named
  if (right.verb === 'list') return MANAGES
  if (right.verb === 'watch') {
    const what = textOf(right).replace('watch ', '')
    return {
      name: `is told of changes of ${what}${where === 'home' ? '' : ' in the member'}`,
      holds: (world) =>
        where === 'home'
          ? sites.hub.audit.watches(world.home.user, right)
          : sites.east.audit.watches(world.east.user, right),
    }
  }
  throw new Error(`nothing is expected of ${textOf(right)}`)
}

async function start({ ports, home: holder }: World): Promise<() => Promise<void>> {
  const { stop, finished } = runAs(holder, sites.hub.api.connection, (own, signal) =>
    runFederation(
      {
        namespace: SYSTEM,
        identity: holder.user,
        lease: 'portolan-federation',
        leaseSeconds: 3,
        createNamespaces: true,
        trustDomain: DEFAULT_TRUST_DOMAIN,
        healthPort: ports.health,
        metricsPort: ports.metrics,
        times: QUICK,
      },
      own,
      pino({ level: 'silent' }),
      signal,
    ),
  )
  return async () => {
    stop()
    await finished
  }
}

async function kubeconfigAt(site: 'east' | 'west', { token }: Holder): Promise<string> {
  const { connection, server } = sites[site].api
  const { ca } = (await connection.credentials()).tls
  return hubKubeconfig({ cluster: site, server, ca: String(ca), token, namespace: SYSTEM })
}

/** As `portolan cluster join` does. */
async function enlist(name: string, kubeconfig: string) {
  const secret = { namespace: SYSTEM, name: `portolan-kubeconfig-${name}` }
  const data = { kubeconfig: Buffer.from(kubeconfig).toString('base64') }
  await put(sites.hub, SECRETS, { metadata: secret, data })
  const spec = { gatewayHost: `gateway.${name}.example`, gatewayPort: 80, kubeconfigSecretRef: { name: secret.name } }
  await put(sites.hub, CLUSTERS, { apiVersion: API_VERSION, kind: 'Cluster', metadata: { name }, spec })
}

let made = 0

async function trial(
  expectation: Expectation<World>,
  where: 'home' | 'member',
  rights: { readonly home: readonly Right[]; readonly east: readonly Right[] },
): Promise<Trial<World>> {
  const namespace = `t${++made}`
  const [health = 0, metrics = 0] = await freePorts(2)
  const [homeHolder, east] = await Promise.all([
    holderAt('hub', `home-${namespace}`, rights.home),
    holderAt('east', `member-${namespace}`, rights.east),
  ])
  const kubeconfig = await kubeconfigAt('east', east)
  await enlist('east', kubeconfig)
  await enlist('west', await kubeconfigAt('west', west))
  // Registered, never heard of.
  await enlist('north', kubeconfig.replaceAll(sites.east.api.server, 'https://127.0.0.1:1'))
  await forgetStatus(sites.hub, CLUSTERS, { name: 'east' })
  const since = new Date().toISOString()
  const world: World = { namespace, ports: { health, metrics }, home: homeHolder, east, kubeconfig, since, left: false }
  const [audit, holder] = where === 'home' ? [sites.hub.audit, homeHolder] : [sites.east.audit, east]
  return { expectation, audit, holder, world, start: () => start(world) }
}

test('a cluster joins, exports, imports and disagrees, gets new credentials and another hub, and leaves: nothing is refused', async () => {
  const { world } = await trial(MANAGES, 'home', { home: HOME, east: MEMBER })
  const first = await start(world)
  await until('east is managed', async () => (await isManaged()) && (await takenUp(world)), { every: 25 })

  await offer(sites.east, world.namespace)
  await offer(sites.west, world.namespace)
  await until('east imports from west', async () => (await givers(world))?.join() === key('west'), { every: 25 })
  const metadata = pay(world)
  await put(sites.west, SERVICES, { metadata, spec: { ports: [{ name: 'other', port: 8080 }] } })
  const disagrees = async (site: Site) => conditionOf('Conflict', await read(site, SERVICE_EXPORTS, metadata))
  await until('they disagree', async () => (await disagrees(sites.east)) === 'True', { every: 25 })

  const renewed = await holderAt('east', `renewed-${world.namespace}`, MEMBER)
  const kubeconfig = await kubeconfigAt('east', renewed)
  await enlist('east', kubeconfig)
  await until('the new credentials are in use', () => takenUp({ ...world, kubeconfig }), { every: 25 })

  const [health = 0, metrics = 0] = await freePorts(2)
  const second = await start({ ...world, ports: { health, metrics } })
  await first()
  await put(sites.west, SERVICES, { metadata, spec: { ports: [{ name: 'http', port: 8080 }] } })
  await until('they agree again', async () => (await disagrees(sites.east)) === 'False', { every: 25 })

  await remove(sites.hub, CLUSTERS, { name: 'east' })
  await until('east is forgotten', async () => (await read(sites.hub, SECRETS, memory)) === undefined, { every: 25 })
  expect(await givers(world)).toBeUndefined()
  await second()
  const refused = await Promise.all([
    sites.hub.audit.refusals(world.home.user),
    ...[world.east, renewed].map(({ user }) => sites.east.audit.refusals(user)),
    sites.west.audit.refusals(west.user),
  ])
  expect(refused.flat().map(textOf)).toEqual([])
})

describe.each([
  ['at home', 'home', HOME],
  ['in a member', 'member', MEMBER],
] as const)('%s', (place, where, rights) => {
  const all = new Map(rights.map((right) => expectationOf(right, where)).map((each) => [each.name, each]))
  test.each([...all])('with all its rights the hub %s', async (_, expectation) =>
    holdsWithAll(await trial(expectation, where, { home: HOME, east: MEMBER })),
  )

  test.each(rights.map((right) => [textOf(right), `the hub ${expectationOf(right, where).name}`, right] as const))(
    `is needed ${place}: %s: %s`,
    async (_, __, right) => {
      const others = rights.filter((each) => each !== right)
      const given = where === 'home' ? { home: others, east: MEMBER } : { home: HOME, east: others }
      await failsWithout(right, await trial(expectationOf(right, where), where, given))
    },
  )
})
