import { createPrivateKey, X509Certificate } from 'node:crypto'
import { createServer, get } from 'node:https'
import type { AddressInfo } from 'node:net'
import { describe, expect, test } from 'vitest'
import { issueLeaf, issueRoot, type KeyPair, SKEW_MS } from '../../certs/issue.ts'
import { authorityOf, bundleOf, readAuthorities, writeAuthorities } from '../../certs/secret.ts'

const HOUR = 3_600_000
const NAME = 'portolan-webhook.portolan-system.svc'
const now = Date.UTC(2026, 0, 1)

const root = await issueRoot({ commonName: 'one', now, lifeMs: 24 * HOUR })
const leaf = await issueLeaf({ root, dnsNames: [NAME, `${NAME}.cluster.local`], now, lifeMs: HOUR })

describe('issue', () => {
  test('a root signs leaves and nothing else', () => {
    const certificate = new X509Certificate(root.cert)
    expect(certificate.ca).toBe(true)
    expect(certificate.verify(certificate.publicKey)).toBe(true)
    expect(certificate.publicKey.asymmetricKeyDetails).toEqual({ namedCurve: 'prime256v1' })
    expect(certificate.subject).toBe('CN=one')
  })

  test('a leaf is for its names, by its root, from a little before now', () => {
    const certificate = new X509Certificate(leaf.cert)
    const issuer = new X509Certificate(root.cert)
    expect(certificate.ca).toBe(false)
    expect(certificate.checkIssued(issuer)).toBe(true)
    expect(certificate.verify(issuer.publicKey)).toBe(true)
    expect(certificate.subjectAltName).toBe(`DNS:${NAME}, DNS:${NAME}.cluster.local`)
    expect(certificate.checkPrivateKey(createPrivateKey(leaf.key))).toBe(true)
    expect(certificate.validFromDate.getTime()).toBe(now - SKEW_MS)
    expect(certificate.validToDate.getTime()).toBe(now + HOUR)
  })

  test('a leaf does not outlive its root', async () => {
    const late = await issueLeaf({ root, dnsNames: [NAME], now: now + 23 * HOUR, lifeMs: 5 * HOUR })
    expect(new X509Certificate(late.cert).validToDate.getTime()).toBe(now + 24 * HOUR)
  })

  test('serial numbers are random', async () => {
    const issue = () => issueLeaf({ root, dnsNames: [NAME], now, lifeMs: HOUR })
    const leaves = await Promise.all(Array.from({ length: 20 }, issue))
    const serials = new Set(leaves.map(({ cert }) => new X509Certificate(cert).serialNumber))
    expect(serials.size).toBe(20)
    for (const serial of serials) expect(serial).toMatch(/^[4-7][0-9A-F]{31}$/)
  })
})

describe('the Secret', () => {
  const authority = authorityOf(root)

  test('gives back what was put in, whatever else stands there', async () => {
    const younger = authorityOf(await issueRoot({ commonName: 'two', now: now + HOUR, lifeMs: 24 * HOUR }))
    const data = writeAuthorities([younger, authority])
    expect(readAuthorities(data)).toEqual([authority, younger])
    expect(readAuthorities({ ...data, 'x.crt': 'cnViYmlzaA==', 'x.key': 'cnViYmlzaA==', other: '' })).toHaveLength(2)
    expect(bundleOf([authority, younger]).match(/BEGIN CERTIFICATE/g)).toHaveLength(2)
  })

  test("a root with another's key is none", async () => {
    const other = await issueRoot({ commonName: 'other', now, lifeMs: HOUR })
    expect(readAuthorities(writeAuthorities([{ ...authority, pair: { ...root, key: other.key } }]))).toEqual([])
  })

  test('an empty Secret holds none', () => {
    expect([readAuthorities(undefined), readAuthorities({})]).toEqual([[], []])
  })
})

describe('a client', () => {
  const call = async (served: KeyPair, ca: string): Promise<string> => {
    const server = createServer(served, (_request, response) => response.end('ok'))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    const answer = await new Promise<string>((resolve) => {
      get({ host: '127.0.0.1', port, servername: NAME, ca, agent: false }, (reply) => {
        reply.resume()
        resolve(String(reply.statusCode))
      }).on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
    })
    server.close()
    return answer
  }
  const today = Date.now()

  test.each([
    ['a good leaf', async (ca: KeyPair) => issueLeaf({ root: ca, dnsNames: [NAME], now: today, lifeMs: HOUR }), '200'],
    [
      'an expired leaf',
      async (ca: KeyPair) => issueLeaf({ root: ca, dnsNames: [NAME], now: today - 2 * HOUR, lifeMs: HOUR }),
      'CERT_HAS_EXPIRED',
    ],
    [
      'a leaf from the future',
      async (ca: KeyPair) => issueLeaf({ root: ca, dnsNames: [NAME], now: today + HOUR, lifeMs: HOUR }),
      'CERT_NOT_YET_VALID',
    ],
    [
      'a leaf for another name',
      async (ca: KeyPair) => issueLeaf({ root: ca, dnsNames: ['other.svc'], now: today, lifeMs: HOUR }),
      'ERR_TLS_CERT_ALTNAME_INVALID',
    ],
    [
      'a leaf of another root',
      async () => {
        const other = await issueRoot({ commonName: 'one', now: today, lifeMs: 24 * HOUR })
        return issueLeaf({ root: other, dnsNames: [NAME], now: today, lifeMs: HOUR })
      },
      'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
    ],
  ])('%s', async (_name, issue, outcome) => {
    const ca = await issueRoot({ commonName: 'one', now: today - 3 * HOUR, lifeMs: 24 * HOUR })
    expect(await call(await issue(ca), ca.cert)).toBe(outcome)
  })

  test('while a root is replaced, leaves of both are trusted', async () => {
    const roots = [
      await issueRoot({ commonName: 'one', now: today - HOUR, lifeMs: 24 * HOUR }),
      await issueRoot({ commonName: 'one', now: today, lifeMs: 24 * HOUR }),
    ]
    const bundle = bundleOf(roots.map(authorityOf))
    for (const ca of roots) {
      const issued = await issueLeaf({ root: ca, dnsNames: [NAME], now: today, lifeMs: HOUR })
      expect(await call(issued, bundle)).toBe('200')
    }
  })
})
