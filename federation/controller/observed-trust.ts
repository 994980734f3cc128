import { BUNDLE_KEY, isTrustDomain, TRUST_DOMAIN_KEY } from '../../api/identity.ts'
import type { ConfigMap } from '../../api/resources.ts'
import { TRUST_BUNDLES_KEY, TRUST_CLUSTERS_KEY, type TrustClusters } from '../../api/trust.ts'
import { readBundle } from '../../api/trust-bundle.ts'
import { perObject } from '../../compiler/memo.ts'
import type { Bundles, HeldRoots, Published, Trust } from '../trust.ts'

/** What a member says of its own identity. */
export type Vouching =
  | { readonly state: 'published'; readonly published: Published }
  /** It has none, or does not say so yet. */
  | { readonly state: 'none' }
  /** The hub may not look: the chart there is older than identities. */
  | { readonly state: 'unreadable' }
  | { readonly state: 'malformed'; readonly problem: string }

/** What the hub has told a member before. */
export type TrustThere =
  | { readonly readable: true; readonly object: ConfigMap | undefined }
  /** The hub may not look, and so does not write either. */
  | { readonly readable: false }

/** @param object ConfigMap {@link IDENTITY_CONFIGMAP} */
export const vouchingOf = perObject(({ data = {} }: ConfigMap): Vouching => {
  const trustDomain = data[TRUST_DOMAIN_KEY] ?? ''
  if (!isTrustDomain(trustDomain)) return { state: 'malformed', problem: `data.${TRUST_DOMAIN_KEY} is no trust domain` }
  const read = readBundle(data[BUNDLE_KEY] ?? '')
  if (!read.ok) return { state: 'malformed', problem: `data["${BUNDLE_KEY}"]: ${read.problem}` }
  return { state: 'published', published: { trustDomain, bundle: read.bundle } }
})

const NOTHING: HeldRoots = new Map()

/** Roots that a member holds. What somebody has spoilt counts as nothing. */
export const heldRoots = (there: TrustThere | undefined): HeldRoots =>
  there?.readable === true && there.object !== undefined ? rootsIn(there.object) : NOTHING

const rootsIn = perObject(
  (object: ConfigMap): HeldRoots =>
    new Map(Object.entries(bundlesIn(object)).map(([trustDomain, bundle]) => [trustDomain, dersIn(bundle)])),
)

const dersIn = (bundle: unknown): ReadonlySet<string> => {
  const keys = isFields(bundle) && Array.isArray(bundle['keys']) ? (bundle['keys'] as readonly unknown[]) : []
  const certificates = keys.flatMap((key) => (isFields(key) ? key['x5c'] : []))
  return new Set(certificates.filter((each) => typeof each === 'string'))
}

/**
 * The trust as it is to be written: of clusters of which nothing is known yet, what is there stays.
 * @param unheard their keys
 */
export function withUnheardTrust(trust: Trust, there: ConfigMap | undefined, unheard: ReadonlySet<string>): Trust {
  if (there === undefined || unheard.size === 0) return trust
  const known = clustersIn(there)
  const kept = [...unheard].toSorted().flatMap((key) => {
    const entry = known[key]
    return entry === undefined || trust.clusters[key] !== undefined ? [] : [[key, entry] as const]
  })
  if (kept.length === 0) return trust
  const bundles = bundlesIn(there)
  return {
    ...trust,
    clusters: sorted({ ...trust.clusters, ...Object.fromEntries(kept) }),
    bundles: sorted({
      ...Object.fromEntries(
        kept.flatMap(([, { trustDomain }]) => {
          const bundle = bundles[trustDomain]
          return bundle === undefined ? [] : [[trustDomain, bundle] as const]
        }),
      ),
      ...trust.bundles,
    }),
  }
}

const sorted = <T>(map: Readonly<Record<string, T>>): Readonly<Record<string, T>> =>
  Object.fromEntries(Object.entries(map).toSorted(([a], [b]) => (a < b ? -1 : 1)))

const bundlesIn = perObject((object: ConfigMap): Bundles => {
  const bundles = fieldsIn(object, TRUST_BUNDLES_KEY)['trust_domains']
  return isFields(bundles) ? (bundles as Bundles) : {}
})

const clustersIn = perObject(
  (object: ConfigMap): TrustClusters =>
    Object.fromEntries(
      Object.entries(fieldsIn(object, TRUST_CLUSTERS_KEY)).flatMap(([key, entry]) => {
        const { trustDomain, gateway } = isFields(entry) ? entry : {}
        return typeof trustDomain === 'string' && typeof gateway === 'string' ? [[key, { trustDomain, gateway }]] : []
      }),
    ),
)

type Fields = Readonly<Record<string, unknown>>

function fieldsIn({ data = {} }: ConfigMap, key: string): Fields {
  try {
    const value: unknown = JSON.parse(data[key] ?? '{}')
    return isFields(value) ? value : {}
  } catch {
    return {}
  }
}

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
