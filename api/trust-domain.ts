/** Part of SPIFFE ids, and of nothing else: lower case, as names of clusters are. */
const TRUST_DOMAIN = /^[a-z0-9]([-a-z0-9._]*[a-z0-9])?$/
/** The longest that SPIFFE allows. */
const TRUST_DOMAIN_MAX = 255

export const isTrustDomain = (text: string): boolean => text.length <= TRUST_DOMAIN_MAX && TRUST_DOMAIN.test(text)

/**
 * The trust domain of a cluster: no two clusters of one hub have the same. Nothing when the name is too long for one.
 * @param cluster the last part of its key: a change of region, zone or group changes no identity
 * @param suffix {@link DEFAULT_TRUST_DOMAIN}, unless the chart says otherwise
 */
export function trustDomainOf(cluster: string, suffix: string): string | undefined {
  const trustDomain = `${cluster}.${suffix}`
  return isTrustDomain(trustDomain) ? trustDomain : undefined
}

/** Last part of a clusterKey. */
export const nameInKey = (clusterKey: string): string => clusterKey.slice(clusterKey.lastIndexOf('/') + 1)
