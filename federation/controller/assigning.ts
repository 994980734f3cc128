import { createCarrying } from '../carrying.ts'
import type { Merged } from '../merging.ts'
import type { Site } from '../site.ts'
import type { WantedSlice } from '../slices.ts'
import type { TrustMember } from '../trust.ts'
import { assign, type Party } from './assign.ts'
import { type Desired, sameDesired } from './desired.ts'
import { areGlobal, type Entry, isUndecided } from './entry.ts'
import type { Holders } from './holders.ts'
import type { HubOptions } from './hub-options.ts'
import type { Memories } from './memories.ts'
import { heldRoots } from './observed-trust.ts'
import type { Registry } from './registry.ts'
import type { Roster } from './roster.ts'
import { createStatuses, type Peer } from './statuses.ts'
import { trustDomainFor } from './trust-domain.ts'
import { createTrust } from './trusts.ts'
import type { Asked } from './view.ts'

export interface AssigningOptions {
  readonly hub: Pick<HubOptions, 'namespace' | 'createNamespaces' | 'trustDomain'>
  readonly registry: Registry
  readonly memories: Memories
  readonly roster: Roster
  readonly holders: Holders
  /** Something else may be to be said in a moment. */
  readonly touch: () => void
}

/** Tells each member what to hold. */
export type Assigning = (active: readonly Entry[], sites: readonly Site[], merged: Merged, asked: Asked) => void

export function createAssigning({ hub, registry, memories, roster, holders, touch }: AssigningOptions): Assigning {
  const { namespace, createNamespaces } = hub
  const { entries } = roster
  const statuses = createStatuses(holders, touch)
  const trust = createTrust()
  const carrying = createCarrying()

  /** What each member holds of the others' endpoints. */
  function slicesFor({ members }: Merged, { slices }: Asked): ReadonlyMap<string, readonly WantedSlice[]> {
    // Nobody exports by the standard: imports are too many to be looked through for nothing.
    if (slices.size === 0) return new Map()
    const found = [...entries.values()].flatMap(({ name, view }) =>
      view?.slices === undefined ? [] : [[name, view.slices] as const],
    )
    return carrying(members, new Map(found))
  }

  function partyOf(entry: Entry, active: readonly Entry[]): Party {
    const { name, member, cluster, objects } = entry
    const seenIn = member.seen()?.access.namespace
    const rememberedIn = memories.of(name)?.cluster.namespace
    return {
      name,
      registered: cluster !== undefined,
      isAnothers: roster.isAnothers(entry),
      isTakenOver: cluster === undefined && roster.isTakenOver(entry, active),
      isUndecided: isUndecided(entry),
      isHeard: objects !== undefined,
      ...(seenIn === undefined ? {} : { seenIn }),
      ...(rememberedIn === undefined ? {} : { rememberedIn }),
    }
  }

  function identityOf({ name, clusterKey }: Site) {
    const trustDomain = trustDomainFor(name, hub.trustDomain)
    const { cluster, view } = entries.get(name) ?? {}
    const globalServices = view !== undefined && areGlobal(cluster, view)
    return { clusterKey, globalServices, ...(trustDomain === undefined ? {} : { trustDomain }) }
  }

  function trustMemberOf(
    entry: Entry,
    identity: { readonly clusterKey: string; readonly trustDomain?: string } | undefined,
  ): TrustMember | undefined {
    if (identity === undefined) return undefined
    const { clusterKey, trustDomain } = identity
    const { name, member, published } = entry
    const health = member.health()
    return {
      cluster: name,
      clusterKey,
      ...(trustDomain === undefined ? {} : { trustDomain }),
      namespace: roster.namespaceIn(entry),
      ...(published === undefined ? {} : { published }),
      holds: heldRoots(member.seen()?.observed.trust),
      connected: health?.listed === true && health.trouble === undefined,
    }
  }

  function want(entry: Entry, desired: Desired | undefined) {
    if (desired === undefined) return entry.member.want(undefined)
    if (entry.desired === undefined || !sameDesired(entry.desired, desired)) entry.desired = desired
    entry.member.want(entry.desired)
  }

  return (active, sites, merged, asked) => {
    const seen = new Map(
      active.flatMap(({ name, member }) => {
        const observed = member.seen()?.observed
        return observed === undefined ? [] : [[name, observed] as const]
      }),
    )
    for (const [name, { imports }] of seen) holders.update(name, imports)
    const peers = sites.map(({ name, clusterKey }): Peer => ({ name, clusterKey, known: seen.has(name) }))
    const identities = new Map(sites.map((site) => [site.name, identityOf(site)]))
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
}
