import { X509Certificate } from 'node:crypto'
import { expect, test } from 'vitest'
import { identityKeys, isTrustDomain, spiffeId, trustDomainOf } from '../../api/identity.ts'
import { bundleMapText, fingerprintOf, issueIdentity, issueRoot, rootsOf, spiffeBundle } from '../../certs/spiffe.ts'

const HOUR = 3_600_000
const now = Date.UTC(2026, 0, 1)
const root = await issueRoot({ commonName: 'east', now, lifeMs: 24 * HOUR })
const other = await issueRoot({ commonName: 'west', now, lifeMs: 24 * HOUR })
const id = spiffeId('east.portolan.local', 'shop', 'pay')

test('an identity is one URI, for both ends of a connection, by its root and no longer than it', async () => {
  const leaf = await issueIdentity({ root, id, now, lifeMs: 48 * HOUR })
  const certificate = new X509Certificate(leaf.cert)
  expect(certificate.subjectAltName).toBe('URI:spiffe://east.portolan.local/ns/shop/sa/pay')
  expect(certificate.ca).toBe(false)
  expect(certificate.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2'])
  expect(certificate.publicKey.asymmetricKeyDetails).toEqual({ namedCurve: 'prime256v1' })
  expect(certificate.verify(new X509Certificate(root.cert).publicKey)).toBe(true)
  expect(certificate.verify(new X509Certificate(other.cert).publicKey)).toBe(false)
  expect(certificate.validTo).toBe(new X509Certificate(root.cert).validTo)
})

test('a bundle holds roots as JWK and certificate, and gives them back', () => {
  const bundle = spiffeBundle([root.cert, other.cert], 7)
  expect(bundle.sequence_number).toBe(7)
  expect(bundle.keys.map(({ kty, crv, use }) => [kty, crv, use])).toEqual([
    ['EC', 'P-256', 'x509-svid'],
    ['EC', 'P-256', 'x509-svid'],
  ])
  expect(rootsOf(bundle).map(fingerprintOf)).toEqual([root, other].map(({ cert }) => fingerprintOf(cert)))
  expect(rootsOf({ ...bundle, keys: [{ use: 'x509-svid', x5c: ['none'] }] })).toEqual([])
  expect(JSON.stringify(bundle)).not.toContain('"d"')
})

test('a bundle map is the same bytes in any order', () => {
  const [a, b] = [spiffeBundle([root.cert]), spiffeBundle([other.cert])]
  expect(bundleMapText({ b, a })).toBe(bundleMapText({ a, b }))
})

test.each([
  ['a/b/c/east', 'portolan.local', 'east.portolan.local'],
  ['a/b/c/east.example', 'mesh', 'east.example.mesh'],
])('the trust domain of %s is its name and %s', (key, suffix, domain) => {
  expect(trustDomainOf(key, suffix)).toBe(domain)
  expect(isTrustDomain(domain)).toBe(true)
})

test.each([['East.local'], [''], ['a/b'], ['-a'], ['a'.repeat(256)], ['spiffe://a']])('%s is no trust domain', (text) =>
  expect(isTrustDomain(text)).toBe(false),
)

test('each service account has keys of its own, however long its name', () => {
  expect(identityKeys('pay')).toEqual({ cert: 'pay.crt', key: 'pay.key' })
  const long = identityKeys('a'.repeat(253))
  expect(long.cert.length).toBeLessThanOrEqual(253)
  expect(long.cert).not.toBe(identityKeys(`${'a'.repeat(252)}b`).cert)
})
