import { isTrustDomain, trustDomainOf } from '../../api/identity.ts'

/**
 * The one that a cluster is given. Nothing when its name is too long for one.
 * @param suffix of all of them
 */
export function trustDomainFor(name: string, suffix: string): string | undefined {
  const trustDomain = trustDomainOf(name, suffix)
  return isTrustDomain(trustDomain) ? trustDomain : undefined
}
