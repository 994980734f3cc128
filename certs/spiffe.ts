/**
 * SPIFFE identities as values: everything that it takes to make a world of clusters that trust each other, or do not.
 *
 * ```ts
 * const now = Date.now()
 * const root = await issueRoot({ commonName: 'east', now, lifeMs: DAY })                                   // KeyPair
 * const leaf = await issueIdentity({ root, id: spiffeId('east.portolan.local', 'shop', 'pay'), now, lifeMs: HOUR })
 * const late = await issueIdentity({ root, id, now: now - DAY, lifeMs: HOUR })                              // expired
 * const map = bundleMapText({ 'east.portolan.local': spiffeBundle([root.cert]), 'west…': spiffeBundle([other.cert]) })
 * ```
 *
 * A `KeyPair` is `{ cert, key }`, both PEM: write them to tls.crt and tls.key. A certificate that a foreign root has signed for
 * our id is `issueIdentity({ root: foreign, id: ours })`. The map goes to Envoy's SPIFFE validator as `trust_bundles`.
 */
import { X509Certificate } from 'node:crypto'
import { type BundleDocument, bundleDocument, rootOfCertificate } from '../api/trust-bundle.ts'

export { spiffeId } from '../api/identity.ts'
export { issueIdentity, issueRoot, type KeyPair } from './issue.ts'

/** A SPIFFE trust bundle of roots (PEM): the roots of one trust domain. @param sequence grows with every change of them */
export const spiffeBundle = (roots: readonly string[], sequence = 1): BundleDocument =>
  bundleDocument({ sequence, roots: roots.map((pem) => rootOfCertificate(new X509Certificate(pem))) })

/** Trust domains and whom they are vouched for by, as Envoy reads it; the same for the same bundles in any order. */
export const bundleMapText = (bundles: Readonly<Record<string, BundleDocument>>): string =>
  JSON.stringify({
    trust_domains: Object.fromEntries(Object.entries(bundles).toSorted(([a], [b]) => (a < b ? -1 : 1))),
  })

/** By which a root is known: SHA-256 of the certificate, hexadecimal. */
export const fingerprintOf = (pem: string): string =>
  new X509Certificate(pem).fingerprint256.replaceAll(':', '').toLowerCase()
