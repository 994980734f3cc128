import { spiffeId } from '../api/identity.ts'
import { GATEWAY_SERVICE_ACCOUNT } from '../api/names.ts'
import {
  type Held,
  TRUST_AWAITED_KEY,
  TRUST_BUNDLES_KEY,
  TRUST_CLUSTERS_KEY,
  TRUST_HELD_KEY,
  type TrustClusters,
} from '../api/trust.ts'
import { type Bundle, bundleDocument } from '../api/trust-bundle.ts'
import { perObject } from '../compiler/memo.ts'
import { by } from '../compiler/order.ts'

/** What a cluster says of its own identity. */
export interface Published {
  /** Of the certificates that its workloads have now. */
  readonly trustDomain: string
  readonly bundle: Bundle
}

/** Trust domain → DER of roots, as a cluster holds them. */
export type HeldRoots = ReadonlyMap<string, ReadonlySet<string>>

/** A member as far as trust goes. */
export interface TrustMember {
  /** Name of its Cluster. */
  readonly cluster: string
  readonly clusterKey: string
  /** The one that it is to have; absent when its name is too long for one. */
  readonly trustDomain?: string
  /** Portolan's own namespace there. */
  readonly namespace: string
  /** Absent when it has no identity, or none is known. */
  readonly published?: Published
  /** Of all members, as it was last seen. */
  readonly holds: HeldRoots
  /** Whether its API server can be reached now. */
  readonly connected: boolean
}

/** What one member is told. */
export interface Trust {
  readonly bundles: Bundles
  readonly clusters: TrustClusters
  readonly held: Held
  readonly awaited: Held
}

/** By trust domain, sorted; each as SPIFFE writes it. */
export type Bundles = Readonly<Record<string, object>>

/**
 * Whom each member may trust for what, by the name of its Cluster. A root counts for the trust domain that its member has
 * been given, whatever it says itself, so that no member can vouch for another.
 */
export function trustOf(members: readonly TrustMember[]): ReadonlyMap<string, Trust> {
  const sorted = members.toSorted(by(({ clusterKey }) => clusterKey))
  const bundles = record(
    sorted.flatMap(({ trustDomain, published }) =>
      trustDomain === undefined || published === undefined ? [] : [[trustDomain, documentOf(published.bundle)]],
    ),
  )
  const clusters = record(
    sorted.flatMap(({ clusterKey, trustDomain, namespace, published }) =>
      // Until its certificates say so, it would be taken for somebody else.
      trustDomain === undefined || published?.trustDomain !== trustDomain
        ? []
        : [[clusterKey, { trustDomain, gateway: spiffeId(trustDomain, namespace, GATEWAY_SERVICE_ACCOUNT) }]],
    ),
  )
  return new Map(sorted.map((member) => [member.cluster, { bundles, clusters, ...spreadOf(member, sorted) }]))
}

const documentOf = perObject(bundleDocument)

/** How far a member's own roots have got. */
function spreadOf(
  { trustDomain, published }: TrustMember,
  all: readonly TrustMember[],
): Pick<Trust, 'held' | 'awaited'> {
  if (trustDomain === undefined) return { held: {}, awaited: {} }
  const roots = published?.bundle.roots ?? []
  const keysOf = (which: (member: TrustMember, der: string) => boolean): Held =>
    record(
      roots.map(({ fingerprint, der }) => [
        fingerprint,
        all.filter((member) => which(member, der)).map(({ clusterKey }) => clusterKey),
      ]),
    )
  const holds = (member: TrustMember, der: string) => member.holds.get(trustDomain)?.has(der) ?? false
  return {
    held: keysOf(holds),
    // One that cannot be reached would hold up a rotation for as long as it is gone, and one without identity for ever.
    awaited: keysOf((member, der) => member.connected && member.published !== undefined && !holds(member, der)),
  }
}

function record<T>(entries: readonly (readonly [string, T])[]): Readonly<Record<string, T>> {
  return Object.fromEntries(entries.toSorted(by(([key]) => key)))
}

const bundlesText = perObject((bundles: Bundles) => JSON.stringify({ trust_domains: bundles }))

/** Data of the ConfigMap; the same trust makes the same bytes. */
export const trustData = perObject(
  ({ bundles, clusters, held, awaited }: Trust): Readonly<Record<string, string>> => ({
    [TRUST_BUNDLES_KEY]: bundlesText(bundles),
    [TRUST_CLUSTERS_KEY]: JSON.stringify(clusters),
    [TRUST_HELD_KEY]: JSON.stringify(held),
    [TRUST_AWAITED_KEY]: JSON.stringify(awaited),
  }),
)
