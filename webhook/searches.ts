/**
 * What a node adds to the search list of its pods, in order: read from the resolv.conf of a pod with dnsPolicy
 * ClusterFirst, where the kubelet puts the cluster's own three domains in front.
 */
export const extraSearches = (resolvConf: string, clusterDomain: string): readonly string[] => {
  // The last search line counts, as in resolv.conf(5).
  const line = resolvConf.split('\n').findLast((text) => /^\s*search\s/.test(text)) ?? ''
  const domains = line.trim().split(/\s+/).slice(1)
  return [...new Set(domains)].filter((domain) => domain !== clusterDomain && !domain.endsWith(`svc.${clusterDomain}`))
}
