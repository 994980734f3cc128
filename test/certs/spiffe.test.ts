import { X509Certificate } from 'node:crypto'
import { expect, test } from 'vitest'
import { identityKeys, spiffeId } from '../../api/identity.ts'
import { readBundle } from '../../api/trust-bundle.ts'
import { bundleMapText, fingerprintOf, issueIdentity, issueRoot, spiffeBundle } from '../../certs/spiffe.ts'

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

test('a bundle holds roots as certificates alone, and gives them back', () => {
  const text = JSON.stringify(spiffeBundle([root.cert, other.cert], 7))
  const read = readBundle(text)
  if (!read.ok) throw new Error(read.problem)
  expect(read.bundle.sequence).toBe(7)
  expect(read.bundle.roots.map(({ fingerprint }) => fingerprint).sort()).toEqual(
    [root, other].map(({ cert }) => fingerprintOf(cert)).sort(),
  )
  expect(text).not.toContain('"d"')
})

test('a bundle map is the same bytes in any order', () => {
  const [a, b] = [spiffeBundle([root.cert]), spiffeBundle([other.cert])]
  expect(bundleMapText({ b, a })).toBe(bundleMapText({ a, b }))
})

test('each service account has keys of its own, however long its name', () => {
  expect(identityKeys('pay')).toEqual({ cert: 'pay.crt', key: 'pay.key' })
  const long = identityKeys('a'.repeat(253))
  expect(long.cert.length).toBeLessThanOrEqual(253)
  expect(long.cert).not.toBe(identityKeys(`${'a'.repeat(252)}b`).cert)
})
