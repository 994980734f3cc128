import { isDeepStrictEqual } from 'node:util'
import type { Cluster } from '../../api/cluster.ts'
import { CLUSTER_CONFIGMAP, FIELD_MANAGER, IDENTITY_CONFIGMAP } from '../../api/names.ts'
import { CLUSTERS } from '../../api/resources.ts'
import { changedStatus } from '../../kube/status.ts'
import { clusterStatus } from './cluster-status.ts'
import type { KnownTrust } from './cluster-trust.ts'
import { decisionOn, type Entry, exportsOf, ownImports } from './entry.ts'
import type { HubOptions } from './hub-options.ts'
import type { Registry } from './registry.ts'
import type { Roster } from './roster.ts'
import type { ClusterTeller } from './tell.ts'
import { trustDomainFor } from './trust-domain.ts'
import type { Write } from './writes.ts'

export interface SayingOptions {
  readonly hub: Pick<HubOptions, 'client' | 'trustDomain'>
  readonly registry: Registry
  readonly roster: Roster
  readonly teller: ClusterTeller
  readonly mayWrite: () => boolean
  readonly write: Write
  /** Counts are to be written in a moment. */
  readonly touch: () => void
}

/**
 * Says in a Cluster's status how things are with it. Resolves with whether that is done.
 * @param twin name of an older Cluster with the same API server
 * @param sameGateway names of other Clusters with the same gateway
 */
export type Saying = (
  entry: Entry,
  twin: string | undefined,
  sameGateway: readonly string[] | undefined,
) => Promise<boolean>

const COUNTS_MS = 2_000

export function createSaying({ hub, registry, roster, teller, mayWrite, write, touch }: SayingOptions): Saying {
  function knownTrust(entry: Entry): KnownTrust {
    const { name, member, published } = entry
    const trustDomain = trustDomainFor(name, hub.trustDomain)
    const seen = member.seen()
    return {
      source: `${roster.namespaceIn(entry)}/${IDENTITY_CONFIGMAP}`,
      ...(trustDomain === undefined ? {} : { trustDomain }),
      ...(seen === undefined ? {} : { vouching: seen.observed.vouching }),
      ...(published === undefined ? {} : { published }),
    }
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
    setTimeout(touch, entry.countsDue - now + 1).unref()
    return true
  }

  return async (entry, twin, sameGateway) => {
    const { cluster, member, objects, found, view } = entry
    if (cluster === undefined) return true
    const seen = member.seen()
    const contact = member.lastSeen()
    const elsewhere =
      seen !== undefined && roster.isAnothers(entry) ? `${seen.access.namespace}/${CLUSTER_CONFIGMAP}` : undefined
    const isPart = twin === undefined && elsewhere === undefined
    const wanted = clusterStatus(cluster, {
      access: found,
      health: member.health(),
      ...(twin === undefined ? {} : { twin }),
      ...(elsewhere === undefined ? {} : { elsewhere }),
      ...(contact === undefined ? {} : { lastSeen: new Date(contact).toISOString().replace(/\.\d+/, '') }),
      ...(isPart && objects === undefined ? {} : { exports: isPart ? exportsOf(entry) : 0 }),
      ...(seen === undefined ? {} : { imports: isPart ? ownImports(entry) : 0 }),
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
      const written = await hub.client.apply<Cluster>(CLUSTERS, object, options)
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
}
