/** Certificates for tests, the bad ones among them: what a cluster would never issue, somebody else may. */
import 'reflect-metadata'
import { webcrypto } from 'node:crypto'
import * as x509 from '@peculiar/x509'
import { bundleDocument, rootOfCertificate } from '../../api/trust-bundle.ts'
import { X509Certificate } from 'node:crypto'
import type { KeyPair } from '../../certs/issue.ts'

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256' } as const
const SIGNING = { name: 'ECDSA', hash: 'SHA-256' } as const
const HOUR = 3_600_000

export interface Authority {
  readonly trustDomain: string
  readonly der: string
  /** A leaf for a SPIFFE id, or for none. Times in milliseconds from now. */
  readonly issue: (id: string | undefined, life?: { readonly from?: number; readonly to?: number }) => Promise<KeyPair>
}

const pemOfKey = async (key: webcrypto.CryptoKey): Promise<string> =>
  x509.PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', key), 'PRIVATE KEY')

const newKeys = () => webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])

export const startAuthority = async (trustDomain: string): Promise<Authority> => {
  const keys = await newKeys()
  const root = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: '01',
    name: [{ O: [trustDomain] }],
    notBefore: new Date(Date.now() - HOUR),
    notAfter: new Date(Date.now() + 24 * HOUR),
    signingAlgorithm: SIGNING,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true),
      new x509.SubjectAlternativeNameExtension([{ type: 'url', value: `spiffe://${trustDomain}` }]),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  })
  let issued = 1
  return {
    trustDomain,
    der: Buffer.from(root.rawData).toString('base64'),
    issue: async (id, { from = -HOUR, to = HOUR } = {}) => {
      const own = await newKeys()
      const names: readonly x509.JsonGeneralName[] =
        id === undefined ? [{ type: 'dns', value: 'nobody' }] : [{ type: 'url', value: id }]
      const leaf = await x509.X509CertificateGenerator.create({
        serialNumber: (++issued).toString(16).padStart(4, '0'),
        subject: [{ O: ['a workload'] }],
        issuer: root.subject,
        notBefore: new Date(Date.now() + from),
        notAfter: new Date(Date.now() + to),
        signingAlgorithm: SIGNING,
        publicKey: own.publicKey,
        signingKey: keys.privateKey,
        extensions: [
          new x509.BasicConstraintsExtension(false, undefined, true),
          new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
          new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth, x509.ExtendedKeyUsage.clientAuth]),
          new x509.SubjectAlternativeNameExtension([...names]),
          await x509.AuthorityKeyIdentifierExtension.create(keys.publicKey),
        ],
      })
      return { cert: leaf.toString('pem'), key: await pemOfKey(own.privateKey) }
    },
  }
}

/** The roots of some trust domains, as proxies read them. */
export const bundleMap = (...authorities: readonly Pick<Authority, 'trustDomain' | 'der'>[]): string => {
  const domains = Map.groupBy(authorities, ({ trustDomain }) => trustDomain)
  const bundles = [...domains].map(([name, own]) => [
    name,
    bundleDocument({
      sequence: 1,
      roots: own.map(({ der }) => rootOfCertificate(new X509Certificate(Buffer.from(der, 'base64')))),
    }),
  ])
  return JSON.stringify({ trust_domains: Object.fromEntries(bundles) })
}
