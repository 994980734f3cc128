import { createPrivateKey, X509Certificate } from 'node:crypto'
import type { Secret } from '../../api/resources.ts'
import type { KeyPair } from '../issue.ts'

/** A root that somebody else keeps, cert-manager as a rule, or why it cannot be one of ours. */
export type Offered =
  | { readonly ok: true; readonly pair: KeyPair }
  /** Without any of the content. */
  | { readonly ok: false; readonly why: string }

const FIRST = /-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/

/**
 * Reads a Secret of type kubernetes.io/tls. It has to be self-signed: Envoy believes no chain that ends before
 * its root, and a root above it would vouch for other clusters as well.
 */
export const readOffered = (secret: Secret | undefined): Offered => {
  if (secret === undefined) return { ok: false, why: 'it is not there' }
  const text = (name: string) => Buffer.from(secret.data?.[name] ?? '', 'base64').toString('utf8')
  const cert = FIRST.exec(text('tls.crt'))?.[0]
  if (cert === undefined) return { ok: false, why: 'tls.crt holds no certificate' }
  const key = text('tls.key')
  try {
    const certificate = new X509Certificate(cert)
    if (!certificate.ca) return { ok: false, why: 'the certificate may not sign others: set isCA' }
    if (!certificate.verify(certificate.publicKey))
      return {
        ok: false,
        why: 'another has signed the certificate: proxies take roots that are self-signed, so name a SelfSigned issuer',
      }
    const secretKey = createPrivateKey(key)
    if (!certificate.checkPrivateKey(secretKey)) return { ok: false, why: 'tls.key is not the key of tls.crt' }
    if (secretKey.asymmetricKeyDetails?.namedCurve !== 'prime256v1')
      return { ok: false, why: 'its key is no ECDSA key of 256 bits: set privateKey.algorithm and privateKey.size' }
    const pkcs8 = secretKey.export({ type: 'pkcs8', format: 'pem' }).toString()
    return { ok: true, pair: { cert: `${cert}\n`, key: pkcs8 } }
  } catch {
    return { ok: false, why: 'tls.crt or tls.key cannot be read' }
  }
}
