/** A root that cert-manager keeps, as it writes it: taken from its Secret, rolled in when there is another. */
import { generateKeyPairSync, X509Certificate } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Secret } from '../../api/resources.ts'
import { SECRETS } from '../../api/resources.ts'
import { readOffered } from '../../certs/identity/source.ts'
import { SKEW_MS } from '../../certs/issue.ts'
import { fingerprintOf, issueIdentity, issueRoot, type KeyPair } from '../../certs/spiffe.ts'
import { must } from '../../kube/failure.ts'
import { portolan } from '../cli/session.ts'
import { oddCertificate } from '../envoy/odd-certificate.ts'
import { until } from '../lab/run.ts'
import { type IdentityStage, LIVES, type Replica, SYSTEM, startStage } from './server.ts'

const HOUR = 3_600_000
const newRoot = (commonName: string, now = Date.now()) => issueRoot({ commonName, now, lifeMs: 24 * HOUR })
const base64 = (text: string) => Buffer.from(text).toString('base64')
const secretOf = ({ cert, key }: KeyPair): Secret => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { namespace: SYSTEM, name: 'portolan-root' },
  type: 'kubernetes.io/tls',
  data: { 'tls.crt': base64(cert), 'tls.key': base64(key), 'ca.crt': base64(cert) },
})

describe('a Secret', async () => {
  const root = await newRoot('one')
  const other = await newRoot('two')
  const leaf = await issueIdentity({ root, id: 'spiffe://a/ns/b/sa/c', now: Date.now(), lifeMs: HOUR })
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ type: 'pkcs8', format: 'pem' })

  test('as cert-manager writes it is read', () => {
    const read = readOffered(secretOf(root))
    if (!read.ok) throw new Error(read.why)
    expect(fingerprintOf(read.pair.cert)).toBe(fingerprintOf(root.cert))
  })

  test.each<[string, Secret | undefined, string]>([
    ['that is not there', undefined, 'it is not there'],
    ['that is empty', { ...secretOf(root), data: {} }, 'tls.crt holds no certificate'],
    ['with a certificate for a server', secretOf(leaf), 'the certificate may not sign others: set isCA'],
    [
      'with a root that another has signed',
      secretOf(await oddCertificate({ root, names: [], ca: true })),
      expect.stringContaining('another has signed') as string,
    ],
    ['with the key of another', secretOf({ ...root, key: other.key }), 'tls.key is not the key of tls.crt'],
    ['with a key that is none', secretOf({ ...root, key: 'none' }), 'tls.crt or tls.key cannot be read'],
    ['with an RSA key', secretOf({ ...root, key: String(rsa) }), 'tls.key is not the key of tls.crt'],
  ])('%s cannot be used, and why is said', (_, secret, why) => {
    expect(readOffered(secret)).toEqual({ ok: false, why })
  })
})

describe('the identity server', () => {
  let stage: IdentityStage
  let replica: Replica
  beforeAll(async () => {
    stage = await startStage()
    await stage.member('shop', 'pay')
    replica = stage.start({ caSecret: 'portolan-root', lives: { ...LIVES, settleMs: 4_000 } })
  })
  afterAll(() => stage?.stop())

  const write = async (root: KeyPair) => {
    const { metadata, type, data } = secretOf(root)
    must(await stage.client.apply(SECRETS, { metadata, type, data } as never, { manager: 'cert-manager', force: true }))
  }
  const roots = async () => (await stage.state()).roots.map(({ id, phase }) => [id, phase])

  test('waits for the Secret and says so; makes no root of its own', async () => {
    await until('said', async () => replica.log().includes('CaSecretUnusable'))
    expect(await stage.mounted('shop', 'pay')).toBeUndefined()
    // It makes certificates that are valid from now on, and not from some minutes ago as ours.
    const first = await newRoot('first', Date.now() + SKEW_MS)
    await write(first)
    const { certificate } = await stage.identity('shop', 'pay')
    expect(certificate.verify(new X509Certificate(first.cert).publicKey)).toBe(true)
    await until('it signs', async () => (await roots()).join() === [fingerprintOf(first.cert), 'signing'].join())
  })

  test('rolls another in when cert-manager has renewed it, whatever its age', async () => {
    const [[before] = []] = await roots()
    const next = await newRoot('next', Date.now() - HOUR)
    await write(next)
    const both = [`${before} signing`, `${fingerprintOf(next.cert)} trusted`].toSorted().join()
    await until('both are trusted, and the first signs', async () => {
      const said = (await roots()).map((each) => each.join(' '))
      return said.toSorted().join() === both
    })
    await until(
      'the new one alone',
      async () => (await roots()).join() === [fingerprintOf(next.cert), 'signing'].join(),
    )
    const { certificate } = await stage.identity('shop', 'pay')
    expect(certificate.verify(new X509Certificate(next.cert).publicKey)).toBe(true)
  })

  test('goes on by what it has when the Secret is damaged or gone', async () => {
    const { cert } = await stage.identity('shop', 'pay')
    must(await stage.client.delete(SECRETS, { namespace: SYSTEM, name: 'portolan-root' }))
    await stage.member('newcomer', 'app')
    await stage.identity('newcomer', 'app')
    expect((await stage.identity('shop', 'pay')).cert).toBe(cert)
  })

  test('is not asked for a roll: cert-manager is', async () => {
    const { code, err } = await portolan(['ca', 'roll', '--kubeconfig', stage.api.kubeconfig])
    expect(code).toBe(2)
    expect(err).toContain('cmctl renew portolan-root -n portolan-system')
    expect((await portolan(['ca', 'status', '--kubeconfig', stage.api.kubeconfig])).out).toContain(
      'roots from Secret portolan-root, which cert-manager keeps',
    )
  })
})
