/** What the ConfigMap {@link TRUST_CONFIGMAP} holds, by key. All of it is public. */

/** `{"trust_domains":{"<trust domain>":<bundle>}}`: whose roots vouch for whom, the cluster's own among them. */
export const TRUST_BUNDLES_KEY = 'trust.json'
/** {@link TrustClusters}. */
export const TRUST_CLUSTERS_KEY = 'clusters.json'
/** {@link Held}: for each of the cluster's own roots, the clusters that were seen to hold it. */
export const TRUST_HELD_KEY = 'held.json'
/** {@link Held}: for each of the cluster's own roots, the clusters that can be reached and do not hold it yet. */
export const TRUST_AWAITED_KEY = 'awaited.json'

/** By clusterKey, sorted: whom to expect where. A cluster that is not in it has no identity (yet). */
export type TrustClusters = Readonly<
  Record<
    string,
    {
      readonly trustDomain: string
      /** SPIFFE id of its gateway. */
      readonly gateway: string
    }
  >
>

/** Fingerprint of a root → clusterKeys, both sorted. */
export type Held = Readonly<Record<string, readonly string[]>>
