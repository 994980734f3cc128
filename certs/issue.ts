import 'reflect-metadata'
import { webcrypto } from 'node:crypto'
import * as x509 from '@peculiar/x509'

/** A private key and what certifies it, both PEM. */
export interface KeyPair {
  readonly cert: string
  readonly key: string
}

export interface Validity {
  /** Milliseconds since the epoch, as all times here. */
  readonly now: number
  readonly lifeMs: number
}

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256' } as const
const SIGNING = { name: 'ECDSA', hash: 'SHA-256' } as const

/** Certificates are valid this long before they are made, for peers whose clocks are behind. */
export const SKEW_MS = 5 * 60_000

const generate = () => webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])

const pemOfKey = async (key: webcrypto.CryptoKey): Promise<string> =>
  x509.PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', key), 'PRIVATE KEY')

const importKey = (pem: string) => {
  const [der] = x509.PemConverter.decode(pem)
  if (der === undefined) throw new Error('the text holds no PEM block')
  return webcrypto.subtle.importKey('pkcs8', der, ALGORITHM, false, ['sign'])
}

/** RFC 5280 wants a positive integer of at most 20 octets; the first is kept below 0x80 and above 0. */
const serialNumber = (): string => {
  const bytes = webcrypto.getRandomValues(new Uint8Array(16))
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40
  return Buffer.from(bytes).toString('hex')
}

const period = ({ now, lifeMs }: Validity) => ({
  notBefore: new Date(now - SKEW_MS),
  notAfter: new Date(now + lifeMs),
})

/** A self-signed root that may sign leaves and nothing else. ECDSA P-256, random serial. */
export const issueRoot = async (options: Validity & { readonly commonName: string }): Promise<KeyPair> => {
  const keys = await generate()
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name: [{ CN: [options.commonName] }],
    ...period(options),
    signingAlgorithm: SIGNING,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  })
  return { cert: certificate.toString('pem'), key: await pemOfKey(keys.privateKey) }
}

interface Signing extends Validity {
  readonly root: KeyPair
}

/** A server certificate for `dnsNames`, signed by `root`. It never outlives its root. */
export const issueLeaf = (options: Signing & { readonly dnsNames: readonly string[] }): Promise<KeyPair> =>
  issue(options, {
    commonName: options.dnsNames[0] ?? '',
    names: options.dnsNames.map((value) => ({ type: 'dns', value })),
    uses: [x509.ExtendedKeyUsage.serverAuth],
  })

/** A certificate by which the bearer of `id` (a SPIFFE id) calls and is called, signed by `root`. It never outlives its root. */
export const issueIdentity = (options: Signing & { readonly id: string }): Promise<KeyPair> =>
  issue(options, {
    commonName: 'portolan',
    names: [{ type: 'url', value: options.id }],
    uses: [x509.ExtendedKeyUsage.serverAuth, x509.ExtendedKeyUsage.clientAuth],
  })

const issue = async (
  { root, ...validity }: Signing,
  {
    commonName,
    names,
    uses,
  }: {
    readonly commonName: string
    readonly names: readonly { readonly type: 'dns' | 'url'; readonly value: string }[]
    readonly uses: x509.ExtendedKeyUsageType[]
  },
): Promise<KeyPair> => {
  const issuer = new x509.X509Certificate(root.cert)
  const keys = await generate()
  const { notBefore, notAfter } = period(validity)
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject: [{ CN: [commonName] }],
    issuer: issuer.subject,
    notBefore,
    notAfter: new Date(Math.min(notAfter.getTime(), issuer.notAfter.getTime())),
    signingAlgorithm: SIGNING,
    publicKey: keys.publicKey,
    signingKey: await importKey(root.key),
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension(uses),
      new x509.SubjectAlternativeNameExtension([...names]),
      await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  })
  return { cert: certificate.toString('pem'), key: await pemOfKey(keys.privateKey) }
}
