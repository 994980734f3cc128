import 'reflect-metadata'
import { webcrypto } from 'node:crypto'
import * as x509 from '@peculiar/x509'
import type { KeyPair } from '../../certs/issue.ts'

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256' } as const
const SIGNING = { name: 'ECDSA', hash: 'SHA-256' } as const

interface Odd {
  readonly root: KeyPair
  readonly names: readonly { readonly type: 'dns' | 'url' | 'email'; readonly value: string }[]
  readonly commonName?: string
  /** Whether it may sign others. */
  readonly ca?: boolean
}

/** What our own issuer would never sign, and what whoever holds a root may: valid for an hour. */
export const oddCertificate = async ({ root, names, commonName = 'odd', ca = false }: Odd): Promise<KeyPair> => {
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])
  const [der] = x509.PemConverter.decode(root.key)
  if (der === undefined) throw new Error('no key')
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: Buffer.from(webcrypto.getRandomValues(new Uint8Array(8)))
      .toString('hex')
      .replace(/^./, '4'),
    subject: [{ CN: [commonName] }],
    issuer: new x509.X509Certificate(root.cert).subject,
    notBefore: new Date(Date.now() - 60_000),
    notAfter: new Date(Date.now() + 3_600_000),
    signingAlgorithm: SIGNING,
    publicKey: keys.publicKey,
    signingKey: await webcrypto.subtle.importKey('pkcs8', der, ALGORITHM, false, ['sign']),
    extensions: [
      new x509.BasicConstraintsExtension(ca, undefined, true),
      new x509.KeyUsagesExtension(ca ? x509.KeyUsageFlags.keyCertSign : x509.KeyUsageFlags.digitalSignature, true),
      new x509.SubjectAlternativeNameExtension([...names]),
    ],
  })
  const key = x509.PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey), 'PRIVATE KEY')
  return { cert: certificate.toString('pem'), key }
}
