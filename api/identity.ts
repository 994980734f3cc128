import { createHash } from 'node:crypto'

/** Key of the ConfigMaps portolan-identity and portolan-cluster: the trust domain that the cluster has, or is to have. */
export const TRUST_DOMAIN_KEY = 'trustDomain'
/** Key of the ConfigMap portolan-identity: a SPIFFE trust bundle, as JSON. */
export const BUNDLE_KEY = 'bundle.json'

/** A trust domain as SPIFFE writes it, of at most 255 characters. */
export const TRUST_DOMAIN = '^[a-z0-9]([-a-z0-9._]*[a-z0-9])?$'
export const TRUST_DOMAIN_MAX = 255

const WELL_FORMED = new RegExp(TRUST_DOMAIN)

export const isTrustDomain = (text: string): boolean => text.length <= TRUST_DOMAIN_MAX && WELL_FORMED.test(text)

/** Only the name counts, so a cluster that moves to another region, zone or group is still the same to others. */
export const trustDomainOf = (clusterKey: string, suffix: string): string => `${clusterKey.split('/').at(-1)}.${suffix}`

/** Who a pod is, by its service account. */
export const spiffeId = (trustDomain: string, namespace: string, serviceAccount: string): string =>
  `spiffe://${trustDomain}/ns/${namespace}/sa/${serviceAccount}`

/** Keys of a Secret may have 253 characters, as many as the name of a service account. */
const LONGEST_NAME = 249

/** Under which keys of its namespace's Secret portolan-identity a service account has its certificate and private key. */
export const identityKeys = (serviceAccount: string): { readonly cert: string; readonly key: string } => {
  const name =
    serviceAccount.length <= LONGEST_NAME
      ? serviceAccount
      : `${serviceAccount.slice(0, 200)}.${createHash('sha256').update(serviceAccount).digest('hex').slice(0, 32)}`
  return { cert: `${name}.crt`, key: `${name}.key` }
}
