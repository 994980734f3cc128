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
import { type JsonWebKey, X509Certificate } from 'node:crypto'

export { spiffeId } from '../api/identity.ts'
export { issueIdentity, issueRoot, type KeyPair } from './issue.ts'

/** One root of a bundle: its public key as a JWK, and the certificate in DER, base64. */
interface BundleKey extends JsonWebKey {
  readonly use: 'x509-svid'
  readonly x5c: readonly [string]
}

/** A SPIFFE trust bundle: the roots of one trust domain. */
export interface SpiffeBundle {
  readonly sequence_number: number
  readonly keys: readonly BundleKey[]
}

/** @param roots PEM; the order is kept @param sequenceNumber counts what readers may have missed */
export const spiffeBundle = (roots: readonly string[], sequenceNumber = 1): SpiffeBundle => ({
  sequence_number: sequenceNumber,
  keys: roots.map((pem) => {
    const certificate = new X509Certificate(pem)
    return {
      ...certificate.publicKey.export({ format: 'jwk' }),
      use: 'x509-svid',
      x5c: [certificate.raw.toString('base64')],
    }
  }),
})

/** The roots of a bundle, PEM. What is no certificate is left out. */
export const rootsOf = ({ keys }: SpiffeBundle): readonly string[] =>
  keys.flatMap(({ x5c: [der] }) => {
    try {
      return [new X509Certificate(Buffer.from(der, 'base64')).toString()]
    } catch {
      return []
    }
  })

/** Trust domains and whom they are vouched for by, as Envoy reads it; the same for the same bundles in any order. */
export const bundleMapText = (bundles: Readonly<Record<string, SpiffeBundle>>): string =>
  JSON.stringify({
    trust_domains: Object.fromEntries(Object.entries(bundles).toSorted(([a], [b]) => (a < b ? -1 : 1))),
  })

/** By which a root is known: SHA-256 of the certificate, hexadecimal. */
export const fingerprintOf = (pem: string): string =>
  new X509Certificate(pem).fingerprint256.replaceAll(':', '').toLowerCase()
