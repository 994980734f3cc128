import { isDeepStrictEqual } from 'node:util'
import type { Logger } from 'pino'
import type { Cluster, GlobalServicesDecision } from '../../api/cluster.ts'
import { isTrustDomain, trustDomainOf } from '../../api/identity.ts'
import { CLUSTER_CONFIGMAP, FIELD_MANAGER, IDENTITY_CONFIGMAP } from '../../api/names.ts'
import { CLUSTERS } from '../../api/resources.ts'
import { declaredExports } from '../../compiler/doors.ts'
import { perObject } from '../../compiler/memo.ts'
import type { KubeClient } from '../../kube/client.ts'
import type { Failure, Result } from '../../kube/failure.ts'
import { informerLog } from '../../kube/informer-log.ts'
import { type Kubeconfig, parseKubeconfig } from '../../kube/kubeconfig.ts'
import { startPasses } from '../../kube/passes.ts'
import { changedStatus } from '../../kube/status.ts'
import type { Member as MemberObjects } from '../constituent.ts'
import { globalIn, globalServicesDecision } from '../global-services.ts'
import { createMerging, type Merged } from '../merging.ts'
import { type Site, sitesOf } from '../site.ts'
import { type WantedSlice, wantedSlices } from '../slices.ts'
import type { Published, TrustMember } from '../trust.ts'
import { accessBy, accessOf, type Found, secretKeyOf } from './access.ts'
import { assign, type Party } from './assign.ts'
import { clusterStatus } from './cluster-status.ts'
import type { KnownTrust } from './cluster-trust.ts'
import { type Desired, sameDesired } from './desired.ts'
import { gatewaysShared } from './gateways.ts'
import { createHolders } from './holders.ts'
import type { LinkTimes } from './link.ts'
import { type Member, startMember } from './member.ts'
import { createMemories } from './memories.ts'
import { type Memory, memoryName } from './memory.ts'
import type { Metrics } from './metrics.ts'
import type { Observed, ObservedImport } from './observed.ts'
import { heldRoots } from './observed-trust.ts'
import { isElsewhere } from './plan-member.ts'
import { inParallel } from './pool.ts'
import { startRegistry } from './registry.ts'
import { createStatuses, type Peer } from './statuses.ts'
import { createClusterTeller } from './tell.ts'
import { createTrust } from './trusts.ts'
import { twinsOf } from './twins.ts'
import {
  type Asked,
  type Declared,
  declaredOf,
  servicesIn,
  standardIn,
  type View,
  viewOf,
  withoutEndpoints,
} from './view.ts'

export interface HubOptions {
  readonly client: KubeClient
  /** Portolan's own namespace at the hub. */
  readonly namespace: string
  /** Name of this replica. */
  readonly instance: string
  readonly createNamespaces: boolean
  /** Suffix of the trust domains that members are given. */
  readonly trustDomain: string
  readonly times: LinkTimes
  readonly isLeader: () => boolean
  readonly metrics: Metrics
  readonly log: Logger
}

/** The hub at work, for one term of leadership: all that it knows begins and ends with it. */
export interface Hub {
  /** Names of what has not been listed yet; empty = at work. */
  readonly missing: () => readonly string[]
  /** It may write again. */
  readonly touch: () => void
  readonly stop: () => Promise<void>
}

/** One cluster, for as long as it is registered or something of the hub is left in it. */
interface Entry {
  readonly name: string
  readonly member: Member
  /** Absent when it has left. */
  cluster?: Cluster | undefined
  found?: Found | undefined
  /** The newest view, remembered or not, and what it was made of. */
  live?: View | undefined
  declared?: Declared | undefined
  made?: Pick<Observed, 'exports' | 'services' | 'mcsExports'> | undefined
  /** The view as remembered. */
  view?: View | undefined
  /** What `objects` were made of. */
  merged?: View | undefined
  /** What is merged: what the hub would know after a restart, too. Absent = nothing is known of it. */
  objects?: MemberObjects | undefined
  /** The last good word for who vouches for it, as remembered. */
  published?: Published | undefined
  desired?: Desired | undefined
  /** When counts that have changed are to be written; milliseconds of performance.now. */
  countsDue?: number | undefined
}

const WRITES_AT_ONCE = 8
const NOTHING_DECLARED: Declared = { exports: [], services: [] }
const COUNTS_MS = 2_000

export function startHub(options: HubOptions): Hub {
  const { client, namespace, createNamespaces, metrics, log } = options
  const passes = startPasses(reconcile, {
    quietMs: 20,
    mostMs: 200,
    restedMs: 500,
    // When members were last seen, when credentials expire.
    everyMs: 10_000,
    retry: { firstMs: 250, mostMs: 15_000 },
    onError: (err) => log.error({ err }, 'a pass failed'),
  })
  const registry = startRegistry({
    client,
    namespace,
    observe: informerLog(metrics.informerEvents, log),
    onChange: passes.touch,
  })
  const memories = createMemories({ client, namespace, registry })
  const merging = createMerging()
  const holders = createHolders()
  const statuses = createStatuses(holders, passes.touch)
  const trust = createTrust()
  const teller = createClusterTeller({ client, instance: options.instance, log })
  const entries = new Map<string, Entry>()
  const kubeconfigs = new Map<string, { readonly text: string; readonly parsed: Kubeconfig }>()
  const stopping: Promise<void>[] = []

  const mayWrite = () => !passes.isStopped() && options.isLeader()

  async function reconcile(): Promise<number> {
    if (registry.missing().length > 0 || !mayWrite()) return 0
    enrol()
    const twins = findTwins()
    const active = [...entries.values()].filter(
      (entry) => entry.cluster !== undefined && !twins.has(entry.name) && !isAnothers(entry),
    )
    const asked = askedOf(active)
    for (const entry of active) entry.member.watchSlices(isAsked(entry, asked))
    const unremembered = await inParallel(active, WRITES_AT_ONCE, (entry) => remember(entry, asked))
    if (!mayWrite()) return 0

    const started = performance.now()
    const sites = sitesOf(active.flatMap(({ cluster }) => cluster ?? []))
    const merged = merging(
      active.flatMap(({ objects }) => objects ?? []),
      active.flatMap(({ cluster }) => cluster ?? []),
    )
    tellAll(active, sites, merged, asked)
    metrics.mergeSeconds.observe((performance.now() - started) / 1_000)

    const unreleased = await inParallel([...entries.values()], WRITES_AT_ONCE, (entry) => release(entry, active))
    const sharers = gatewaysShared(active.flatMap(({ cluster }) => cluster ?? []))
    const unsaid = await inParallel([...entries.values()], WRITES_AT_ONCE, (entry) =>
      say(entry, twins.get(entry.name), sharers.get(entry.name)),
    )
    count(active)
    return [...unremembered, ...unreleased, ...unsaid].filter((isDone) => !isDone).length
  }

  /** One entry for each cluster that is registered, and for each that is remembered. */
  function enrol() {
    const clusters = new Map(registry.clusters().map((cluster) => [cluster.metadata.name, cluster]))
    registry.follow([...clusters.values()].flatMap((cluster) => secretKeyOf(cluster, namespace) ?? []))
    for (const cluster of clusters.values()) register(cluster)
    for (const memory of memories.all()) if (!clusters.has(memory.cluster.name)) bidFarewell(memory)
    for (const entry of entries.values()) {
      if (clusters.has(entry.name)) continue
      entry.cluster = entry.found = entry.published = undefined
      know(entry, undefined)
      holders.update(entry.name, undefined)
      // Nothing was ever written into it, or somebody wants it to be left alone.
      if (memories.of(entry.name) === undefined) drop(entry)
    }
  }

  function entryOf(name: string): Entry {
    const known = entries.get(name)
    if (known !== undefined) return known
    const { instance, times } = options
    const entry: Entry = {
      name,
      member: startMember({ name, instance, times, mayWrite, metrics, log, onChange: passes.touch }),
    }
    entries.set(name, entry)
    return entry
  }

  function drop(entry: Entry) {
    entries.delete(entry.name)
    kubeconfigs.delete(entry.name)
    stopping.push(entry.member.stop())
  }

  function register(cluster: Cluster) {
    const { name, uid } = cluster.metadata
    const entry = entryOf(name)
    if (entry.cluster?.metadata.uid !== uid) {
      teller.joined(name)
      // What was remembered of another Cluster of this name says nothing about this one.
      const memory = memories.of(name)
      const view = memory?.cluster.uid === uid ? memory?.view : undefined
      entry.published = memory?.cluster.uid === uid ? memory?.published : undefined
      know(entry, view)
    }
    entry.cluster = cluster
    shareByAnnotation(entry)
    entry.found = accessOf(cluster, namespace, registry.secret, (text) => parse(name, text))
    if (entry.found !== undefined) entry.member.connect(entry.found.ok ? entry.found.access : undefined)
  }

  /** Begins with what is remembered. */
  function know(entry: Entry, view: View | undefined) {
    entry.live = entry.view = view
    entry.declared = view && withoutEndpoints(view)
    entry.made = entry.objects = entry.merged = undefined
  }

  /** What is merged is made of what is remembered, and of what the Cluster says of global Services. */
  function shareByAnnotation(entry: Entry) {
    const { name, cluster, view, objects } = entry
    if (view === undefined) return
    const globalServices = areGlobal(cluster, view)
    if (objects !== undefined && entry.merged === view && objects.globalServices === globalServices) return
    entry.objects = { cluster: name, ...view, globalServices }
    entry.merged = view
  }

  function parse(name: string, text: string): Kubeconfig {
    const known = kubeconfigs.get(name)
    if (known?.text === text) return known.parsed
    const parsed = parseKubeconfig(text)
    kubeconfigs.set(name, { text, parsed })
    return parsed
  }

  /** A cluster that has left is emptied over the access that worked last. */
  function bidFarewell({ cluster, kubeconfig }: Memory) {
    const entry = entryOf(cluster.name)
    const found = accessBy(kubeconfig, cluster.namespace, (text) => parse(cluster.name, text))
    entry.member.connect(found.ok ? found.access : undefined)
  }

  function apiServerOf({ name, member, cluster, found }: Entry): string | undefined {
    const seen = member.seen()
    if (seen !== undefined) return seen.apiServer
    const memory = memories.of(name)
    const isSame = found?.ok === true && memory?.kubeconfig === found.access.text
    return isSame || cluster === undefined ? memory?.cluster.apiServer : undefined
  }

  const findTwins = () =>
    twinsOf(
      [...entries.values()].flatMap((entry) =>
        entry.cluster === undefined ? [] : [{ cluster: entry.cluster, apiServer: apiServerOf(entry) }],
      ),
    )

  /** Writes down what a member exports, and how to reach it, before anything is made of it. */
  async function remember(entry: Entry, asked: Asked): Promise<boolean> {
    const { name, cluster, member } = entry
    const seen = member.seen()
    const [site] = cluster === undefined ? [] : sitesOf([cluster])
    if (seen === undefined || site === undefined) return true
    // A moment, so that an export is not told twice, without its endpoints and with them.
    if (seen.observed.awaitsSlices) return true
    const view = viewIn(entry, seen.observed, asked)
    const published = publishedBy(entry, seen.observed)
    const { access, apiServer } = seen
    const memory: Memory = {
      cluster: {
        name,
        uid: cluster?.metadata.uid ?? '',
        clusterKey: site.clusterKey,
        namespace: access.namespace,
        ...(apiServer === undefined ? {} : { apiServer }),
      },
      kubeconfig: access.text,
      view,
      ...(published === undefined ? {} : { published }),
    }
    const before = memories.of(name)?.cluster
    const failure = memories.has(memory) ? undefined : await write('remember', name, () => memories.keep(memory))
    // Nothing may be made of what would be forgotten, unless it can never be remembered.
    if (failure !== undefined && failure.reason !== 'Invalid' && failure.reason !== 'Forbidden') return false
    entry.view = view
    shareByAnnotation(entry)
    entry.published = published
    const isSame = before?.uid === memory.cluster.uid && before.apiServer !== undefined
    if (isSame && apiServer !== undefined && before.apiServer !== apiServer) teller.replaced(name)
    return failure === undefined
  }

  /** What nobody can read (any more) says nothing new. */
  function publishedBy({ published }: Entry, { vouching }: Observed): Published | undefined {
    if (vouching.state === 'published') return vouching.published
    return vouching.state === 'none' ? undefined : published
  }

  /** Whether another hub has said who the member is. */
  function isAnothers({ member }: Entry): boolean {
    const observed = member.seen()?.observed
    return observed !== undefined && isElsewhere(observed, registry.hub() ?? '')
  }

  /** As the member was last seen, or as it is remembered. */
  function lookAtDeclared(entry: Entry): Declared | undefined {
    const observed = entry.member.seen()?.observed
    if (observed === undefined) return entry.declared
    const { exports, services, mcsExports } = observed
    const { made } = entry
    if (made?.exports !== exports || made.services !== services || made.mcsExports !== mcsExports) {
      entry.made = observed
      entry.declared = declaredOf(observed, entry.declared)
    }
    return entry.declared
  }

  function viewIn(entry: Entry, { slices }: Observed, asked: Asked): View {
    entry.live = viewOf(entry.declared ?? NOTHING_DECLARED, slices, asked, entry.live)
    return entry.live
  }

  /** Endpoints are of use for services that somebody exports by the standard, or shares by annotation. */
  function askedOf(active: readonly Entry[]): Asked {
    const all = active.flatMap((entry) => {
      const declared = lookAtDeclared(entry)
      return declared === undefined ? [] : [{ declared, shared: areGlobal(entry.cluster, declared) }]
    })
    const slices = all.flatMap(({ declared }) => [...standardIn(declared)])
    const backends = all.flatMap(({ declared, shared }) => (shared ? [...globalIn(declared.services)] : []))
    return { slices: new Set(slices), backends: new Set([...slices, ...backends]) }
  }

  function isAsked({ declared }: Entry, { backends }: Asked): boolean {
    if (backends.size === 0 || declared === undefined) return false
    const own = servicesIn(declared)
    return [...backends].some((key) => own.has(key))
  }

  /** Tells each member what to hold. */
  function tellAll(active: readonly Entry[], sites: readonly Site[], merged: Merged, asked: Asked) {
    const seen = new Map(
      active.flatMap(({ name, member }) => {
        const observed = member.seen()?.observed
        return observed === undefined ? [] : [[name, observed] as const]
      }),
    )
    for (const [name, { imports }] of seen) holders.update(name, imports)
    const peers = sites.map(({ name, clusterKey }): Peer => ({ name, clusterKey, known: seen.has(name) }))
    const identities = new Map(
      sites.map(({ name, clusterKey }) => {
        const trustDomain = trustDomainFor(name)
        const { cluster, view } = entries.get(name) ?? {}
        const globalServices = view !== undefined && areGlobal(cluster, view)
        return [name, { clusterKey, globalServices, ...(trustDomain === undefined ? {} : { trustDomain }) }]
      }),
    )
    const assigned = assign(
      [...entries.values()].map((entry) => partyOf(entry, active)),
      {
        hub: registry.hub() ?? '',
        namespace,
        createNamespaces,
        identities,
        imports: new Map(merged.members.map((each) => [each.cluster, each.imports])),
        slices: slicesFor(merged, asked),
        statuses: statuses(merged.services, peers, seen),
        trust: trust(active.flatMap((entry) => trustMemberOf(entry, identities.get(entry.name)) ?? [])),
      },
    )
    for (const entry of entries.values()) want(entry, assigned.get(entry.name))
  }

  /** What each member holds of the others' endpoints. */
  function slicesFor({ members }: Merged, { slices }: Asked): ReadonlyMap<string, readonly WantedSlice[]> {
    // Nobody exports by the standard: imports are too many to be looked through for nothing.
    if (slices.size === 0) return new Map()
    const slicesIn = (cluster: string) => entries.get(cluster)?.view?.slices
    return new Map(members.map(({ cluster, imports }) => [cluster, wantedSlices(imports, slicesIn)]))
  }

  function partyOf(entry: Entry, active: readonly Entry[]): Party {
    const { name, member, cluster, objects } = entry
    const seenIn = member.seen()?.access.namespace
    const rememberedIn = memories.of(name)?.cluster.namespace
    return {
      name,
      registered: cluster !== undefined,
      isAnothers: isAnothers(entry),
      isTakenOver: cluster === undefined && isTakenOver(entry, active),
      isUndecided: isUndecided(entry),
      isHeard: objects !== undefined,
      ...(seenIn === undefined ? {} : { seenIn }),
      ...(rememberedIn === undefined ? {} : { rememberedIn }),
    }
  }

  function trustMemberOf(
    { name, member, published }: Entry,
    identity: { readonly clusterKey: string; readonly trustDomain?: string } | undefined,
  ): TrustMember | undefined {
    if (identity === undefined) return undefined
    const { clusterKey, trustDomain } = identity
    const seen = member.seen()
    const health = member.health()
    return {
      cluster: name,
      clusterKey,
      ...(trustDomain === undefined ? {} : { trustDomain }),
      namespace: seen?.access.namespace ?? memories.of(name)?.cluster.namespace ?? namespace,
      ...(published === undefined ? {} : { published }),
      holds: heldRoots(seen?.observed.trust),
      connected: health?.listed === true && health.trouble === undefined,
    }
  }

  function want(entry: Entry, desired: Desired | undefined) {
    if (desired === undefined) return entry.member.want(undefined)
    if (entry.desired === undefined || !sameDesired(entry.desired, desired)) entry.desired = desired
    entry.member.want(entry.desired)
  }

  /** Forgets a member that has left once nothing of the hub is in it, or once it has another name. */
  async function release(entry: Entry, active: readonly Entry[]): Promise<boolean> {
    if (entry.cluster !== undefined) return true
    const renamed = isTakenOver(entry, active) || isAnothers(entry)
    const health = entry.member.health()
    const why =
      health === undefined ? 'the kubeconfig that is remembered cannot be used' : health.trouble?.failure.message
    if (!renamed && !entry.member.isAsWanted()) {
      if (why !== undefined) teller.leftBehind(entry.name, why, `${namespace}/${memoryName(entry.name)}`)
      return true
    }
    if ((await write('forget', entry.name, () => memories.forget(entry.name))) !== undefined) return false
    if (!renamed) teller.left(entry.name)
    drop(entry)
    return true
  }

  /** Whether the same API server has joined by another name. */
  function isTakenOver(entry: Entry, active: readonly Entry[]): boolean {
    const apiServer = apiServerOf(entry)
    return apiServer !== undefined && active.some((other) => apiServerOf(other) === apiServer)
  }

  /** Nothing when the name is too long for one. */
  function trustDomainFor(name: string): string | undefined {
    const trustDomain = trustDomainOf(name, options.trustDomain)
    return isTrustDomain(trustDomain) ? trustDomain : undefined
  }

  function knownTrust({ name, member, published }: Entry): KnownTrust {
    const trustDomain = trustDomainFor(name)
    const seen = member.seen()
    const there = seen?.access.namespace ?? memories.of(name)?.cluster.namespace ?? namespace
    return {
      source: `${there}/${IDENTITY_CONFIGMAP}`,
      ...(trustDomain === undefined ? {} : { trustDomain }),
      ...(seen === undefined ? {} : { vouching: seen.observed.vouching }),
      ...(published === undefined ? {} : { published }),
    }
  }

  async function say(
    entry: Entry,
    twin: string | undefined,
    sameGateway: readonly string[] | undefined,
  ): Promise<boolean> {
    const { cluster, member, objects, found, view } = entry
    if (cluster === undefined) return true
    const seen = member.seen()
    const contact = member.lastSeen()
    const elsewhere =
      seen !== undefined && isAnothers(entry) ? `${seen.access.namespace}/${CLUSTER_CONFIGMAP}` : undefined
    const isPart = twin === undefined && elsewhere === undefined
    const wanted = clusterStatus(cluster, {
      access: found,
      health: member.health(),
      ...(twin === undefined ? {} : { twin }),
      ...(elsewhere === undefined ? {} : { elsewhere }),
      ...(contact === undefined ? {} : { lastSeen: new Date(contact).toISOString().replace(/\.\d+/, '') }),
      ...(isPart && objects === undefined ? {} : { exports: isPart ? exportsOf(objects) : 0 }),
      ...(seen === undefined ? {} : { imports: isPart ? ownImports(seen.observed.imports) : 0 }),
      ...(isPart && view !== undefined ? { globalServices: decisionOn(cluster, view) } : {}),
      ...(isPart ? { trust: knownTrust(entry), ...(sameGateway === undefined ? {} : { sameGateway }) } : {}),
    })
    teller.expiry(cluster, found)
    const now = new Date().toISOString().replace(/\.\d+/, '')
    const status = changedStatus(wanted, cluster, FIELD_MANAGER.federation, now)
    if (status === undefined || !mayWrite() || isOnlyCounts(entry, status)) return true
    const { name, uid } = cluster.metadata
    const object = { metadata: { name, ...(uid === undefined ? {} : { uid }) }, status }
    const options = { manager: FIELD_MANAGER.federation, subresource: 'status' } as const
    const failure = await write('applyStatus', name, async () => {
      const written = await client.apply<Cluster>(CLUSTERS, object, options)
      if (written.ok) {
        registry.written(written.value)
        teller.status(cluster, written.value)
      }
      return written
    })
    entry.countsDue = undefined
    // It is gone, or another one has its name.
    return failure === undefined || failure.reason === 'NotFound' || failure.reason === 'Conflict'
  }

  /** Counts that change with every import wait a moment for those that come after. */
  function isOnlyCounts(
    entry: Entry,
    { exports: _, imports: __, ...rest }: Readonly<Record<string, unknown>>,
  ): boolean {
    const { exports: ___, imports: ____, ...before } = entry.cluster?.status ?? {}
    if (!isDeepStrictEqual(rest, before)) return false
    const now = performance.now()
    entry.countsDue ??= now + COUNTS_MS
    if (entry.countsDue <= now) return false
    setTimeout(passes.touch, entry.countsDue - now + 1).unref()
    return true
  }

  async function write(
    action: string,
    cluster: string,
    body: () => Promise<Result<unknown>>,
  ): Promise<Failure | undefined> {
    if (!mayWrite()) return { reason: 'Aborted', message: 'this replica does not lead any more' }
    const written = await body()
    const failure = written.ok ? undefined : written.failure
    metrics.writes.inc({ cluster, action, result: failure?.reason ?? 'ok' })
    if (failure === undefined) log.debug({ action, cluster }, 'written at the hub')
    else log.warn({ action, cluster, reason: failure.reason }, failure.message)
    return failure
  }

  function count(active: readonly Entry[]) {
    metrics.members.reset()
    metrics.exports.reset()
    metrics.imports.reset()
    for (const { cluster } of entries.values()) {
      if (cluster === undefined) continue
      const managed = cluster.status?.conditions?.find(({ type }) => type === 'Managed')
      metrics.members.inc({ reason: managed?.reason ?? 'Connecting' })
    }
    metrics.leaving.set([...entries.values()].filter(({ cluster }) => cluster === undefined).length)
    for (const { name, objects, member } of active) {
      metrics.exports.set({ cluster: name }, exportsOf(objects))
      metrics.imports.set({ cluster: name }, ownImports(member.seen()?.observed.imports ?? new Map()))
    }
  }

  return {
    missing: registry.missing,
    touch: passes.touch,
    stop: async () => {
      await passes.stop()
      await Promise.all([...stopping, ...[...entries.values()].map(({ member }) => member.stop()), registry.stop()])
      for (const gauge of [metrics.members, metrics.exports, metrics.imports, metrics.leaving]) gauge.reset()
    },
  }
}

/** Not known yet whether it can be reached, and what it is then. */
const isUndecided = ({ cluster, found, member }: Entry): boolean => {
  const { asked = false, listed = false, trouble } = member.health() ?? {}
  return cluster !== undefined && (found === undefined || (found.ok && trouble === undefined && !(asked && listed)))
}

/** However many objects offer a service, it is one. */
const exportsOf = (objects: MemberObjects | undefined): number => (objects === undefined ? 0 : offeredIn(objects))
const offeredIn = perObject((objects: MemberObjects): number => declaredExports(objects).length)

const ownImports = perObject(
  (imports: ReadonlyMap<string, ObservedImport>): number => [...imports.values()].filter(({ ours }) => ours).length,
)

const decisionOn = (cluster: Cluster | undefined, { clusterMesh }: Pick<View, 'clusterMesh'>): GlobalServicesDecision =>
  globalServicesDecision(cluster?.spec.globalServices, clusterMesh === true)

const areGlobal = (...asked: Parameters<typeof decisionOn>): boolean => decisionOn(...asked) === 'Shared'
