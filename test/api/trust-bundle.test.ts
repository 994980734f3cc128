import { X509Certificate } from 'node:crypto'
import { beforeAll, describe, expect, test } from 'vitest'
import { bundleDocument, readBundle, rootOfCertificate } from '../../api/trust-bundle.ts'
import { issueLeaf, issueRoot, type KeyPair } from '../../certs/issue.ts'

const validity = { now: Date.now(), lifeMs: 3_600_000 }
let first: KeyPair
let second: KeyPair
let leaf: KeyPair
beforeAll(async () => {
  ;[first, second] = await Promise.all([
    issueRoot({ ...validity, commonName: 'first' }),
    issueRoot({ ...validity, commonName: 'second' }),
  ])
  leaf = await issueLeaf({ ...validity, root: first, dnsNames: ['leaf.example'] })
})

const der = ({ cert }: KeyPair) => new X509Certificate(cert).raw.toString('base64')
const key = (pair: KeyPair, more: object = {}) => ({ use: 'x509-svid', x5c: [der(pair)], ...more })
const written = (...keys: readonly object[]) => JSON.stringify({ sequence_number: 3, keys })

describe('a bundle', () => {
  test('is read, and written as SPIFFE has it', () => {
    const read = readBundle(written(key(first)))
    expect(read).toEqual({
      ok: true,
      bundle: { sequence: 3, roots: [rootOfCertificate(new X509Certificate(first.cert))] },
    })
    expect(read.ok && bundleDocument(read.bundle)).toMatchObject({
      sequence_number: 3,
      keys: [{ kty: 'EC', crv: 'P-256', use: 'x509-svid', x5c: [der(first)] }],
    })
  })

  test('makes the same bytes in whatever order it comes, and however often a root', () => {
    const [a, b] = [
      readBundle(written(key(first), key(second))),
      readBundle(written(key(second), key(first), key(second))),
    ]
    expect(a.ok && JSON.stringify(bundleDocument(a.bundle))).toBe(b.ok && JSON.stringify(bundleDocument(b.bundle)))
  })

  test('takes certificates alone: a key that got into it goes no further', () => {
    const read = readBundle(written(key(first, { d: 'private', kid: 'x', x: 'somebody else’s' })))
    expect(read.ok && JSON.stringify(bundleDocument(read.bundle))).not.toMatch(/private|kid|somebody/)
  })

  test.each<[string, () => string, string]>([
    ['no JSON', () => '{', 'it is not a JSON object'],
    ['a list', () => '[]', 'it is not a JSON object'],
    ['no keys', () => '{"sequence_number":1}', 'it lists no keys'],
    ['an empty list', () => written(), 'it lists no keys'],
    ['too many', () => written(...Array.from({ length: 9 }, () => key(first))), 'it lists 9 keys; at most 8 are taken'],
    ['a text for a key', () => written('x' as never), 'keys[0] is not an object'],
    ['another use', () => written(key(first, { use: 'jwt-svid' })), 'keys[0].use is not x509-svid'],
    ['a chain', () => written(key(first), key(first, { x5c: ['a', 'b'] })), 'keys[1].x5c is not one certificate'],
    ['no certificate', () => written(key(first, { x5c: ['bm9uZQ=='] })), 'keys[0].x5c holds no certificate'],
    ['PEM', () => written(key(first, { x5c: [Buffer.from(first.cert).toString('base64')] })), 'keys[0].x5c holds no'],
    ['a leaf', () => written(key(leaf)), 'keys[0].x5c holds a certificate that may not sign others'],
    [
      'a sequence that is none',
      () => JSON.stringify({ sequence_number: -1, keys: [key(first)] }),
      'sequence_number is',
    ],
  ])('is refused as a whole: %s', (_, text, problem) => {
    expect(readBundle(text())).toEqual({ ok: false, problem: expect.stringContaining(problem) })
  })
})
