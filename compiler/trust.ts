import { isDeepStrictEqual } from 'node:util'
import { BUNDLE_KEY, isTrustDomain, spiffeId, TRUST_DOMAIN_KEY } from '../api/identity.ts'
import type { Issue } from '../api/issue.ts'
import type { KubeObject } from '../api/meta.ts'
import { GATEWAY_SERVICE_ACCOUNT, IDENTITY_CONFIGMAP, TRUST_CONFIGMAP } from '../api/names.ts'
import type { ConfigMap } from '../api/resources.ts'
import { TRUST_BUNDLES_KEY, TRUST_CLUSTERS_KEY } from '../api/trust.ts'
import { type Bundle, bundleDocument, readBundle } from '../api/trust-bundle.ts'
import { compare } from './order.ts'
import type { Peer, Trust } from './tables.ts'

/** Where the words about trust come from, and whose they are. */
export interface TrustSources {
  /** What the cluster's own identity server publishes. */
  readonly identity: ConfigMap | undefined
  /** What the hub says of all members; absent while the cluster has not joined one. */
  readonly told: ConfigMap | undefined
  readonly clusterKey: string
  /** Portolan's own. */
  readonly namespace: string
}

export interface TrustRead {
  /** Absent when nothing can be said safely: what proxies have must then stay. */
  readonly trust?: Trust
  readonly issues: readonly Issue<'TrustUnreadable'>[]
}

/**
 * Whom the cluster's proxies believe: the members as the hub tells of them, and its own roots first-hand, since a new one
 * must be known here before it is anywhere else.
 * @param before the last good answer, which stands in for what cannot be read
 */
export function readTrust({ identity, told, clusterKey, namespace }: TrustSources, before?: Trust): TrustRead {
  const own = identity && ownIdentity(identity)
  const members = told && membersOf(told)
  const issues = [own, members].flatMap((read) => (read?.ok === false ? [read.issue] : []))
  if (issues.length > 0) return { ...(before ? { trust: before } : {}), issues }

  const bundles = new Map(members?.ok ? members.value.bundles : [])
  const clusters = new Map(members?.ok ? members.value.clusters : [])
  const trustDomain = own?.ok ? own.value.trustDomain : ''
  if (own?.ok) {
    bundles.set(trustDomain, own.value.bundle)
    clusters.set(clusterKey, { trustDomain, gateway: spiffeId(trustDomain, namespace, GATEWAY_SERVICE_ACCOUNT) })
  }
  const trust = { trustDomain, bundle: bundleMap(bundles), clusters: sorted(clusters) }
  // What is made of an answer is kept as long as the answer is the same object.
  return { trust: isDeepStrictEqual(trust, before) && before ? before : trust, issues: [] }
}

/** The same out of a heap of objects; nothing when there is no word about trust among them. */
export function trustAmong(objects: readonly KubeObject[], clusterKey: string): TrustRead | undefined {
  const named = (name: string) =>
    objects.find((object): object is ConfigMap => object.kind === 'ConfigMap' && object.metadata.name === name)
  const [identity, told] = [named(IDENTITY_CONFIGMAP), named(TRUST_CONFIGMAP)]
  const namespace = (identity ?? told)?.metadata.namespace
  return namespace === undefined ? undefined : readTrust({ identity, told, clusterKey, namespace })
}

type Read<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly issue: Issue<'TrustUnreadable'> }

const unreadable = ({ metadata: { namespace, name } }: ConfigMap, key: string, why: string): Read<never> => ({
  ok: false,
  issue: {
    code: 'TrustUnreadable',
    object: { kind: 'ConfigMap', name, ...(namespace === undefined ? {} : { namespace }) },
    path: `data.${key}`,
    params: { why },
  },
})

function ownIdentity(map: ConfigMap): Read<{ readonly trustDomain: string; readonly bundle: Bundle }> {
  const trustDomain = map.data?.[TRUST_DOMAIN_KEY] ?? ''
  if (!isTrustDomain(trustDomain)) return unreadable(map, TRUST_DOMAIN_KEY, 'it is no trust domain')
  const read = readBundle(map.data?.[BUNDLE_KEY] ?? '')
  if (!read.ok) return unreadable(map, BUNDLE_KEY, read.problem)
  return { ok: true, value: { trustDomain, bundle: read.bundle } }
}

interface Members {
  readonly bundles: ReadonlyMap<string, Bundle>
  readonly clusters: ReadonlyMap<string, Peer>
}

function membersOf(map: ConfigMap): Read<Members> {
  const domains = fieldsIn(fieldsIn(parse(map.data?.[TRUST_BUNDLES_KEY]))?.['trust_domains'])
  if (domains === undefined) return unreadable(map, TRUST_BUNDLES_KEY, 'it is no map of trust domains')
  const bundles = new Map<string, Bundle>()
  for (const [trustDomain, document] of Object.entries(domains)) {
    if (!isTrustDomain(trustDomain)) return unreadable(map, TRUST_BUNDLES_KEY, `${trustDomain} is no trust domain`)
    const read = readBundle(JSON.stringify(document))
    if (!read.ok) return unreadable(map, TRUST_BUNDLES_KEY, `${trustDomain}: ${read.problem}`)
    bundles.set(trustDomain, read.bundle)
  }
  const listed = fieldsIn(parse(map.data?.[TRUST_CLUSTERS_KEY]))
  if (listed === undefined) return unreadable(map, TRUST_CLUSTERS_KEY, 'it is no map of clusters')
  const clusters = new Map<string, Peer>()
  for (const [clusterKey, word] of Object.entries(listed)) {
    const peer = peerIn(word)
    if (peer === undefined) return unreadable(map, TRUST_CLUSTERS_KEY, `${clusterKey} has no trust domain and gateway`)
    clusters.set(clusterKey, peer)
  }
  return { ok: true, value: { bundles, clusters } }
}

/** A gateway is of its cluster's trust domain, or others could stand in for it. */
function peerIn(word: unknown): Peer | undefined {
  const { trustDomain, gateway } = fieldsIn(word) ?? {}
  if (typeof trustDomain !== 'string' || typeof gateway !== 'string') return undefined
  return isTrustDomain(trustDomain) && gateway.startsWith(`spiffe://${trustDomain}/`)
    ? { trustDomain, gateway }
    : undefined
}

const sorted = <T>(map: ReadonlyMap<string, T>): Readonly<Record<string, T>> =>
  Object.fromEntries([...map].sort(([a], [b]) => compare(a, b)))

const bundleMap = (bundles: ReadonlyMap<string, Bundle>): string =>
  JSON.stringify({
    trust_domains: sorted(new Map([...bundles].map(([name, bundle]) => [name, bundleDocument(bundle)]))),
  })

const fieldsIn = (value: unknown): Readonly<Record<string, unknown>> | undefined =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : undefined

function parse(text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? '')
  } catch {
    return undefined
  }
}
