import { X509Certificate } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { spiffeId } from '../../api/identity.ts'
import { CA_SECRET, IDENTITY_CONFIGMAP, IDENTITY_SECRET } from '../../api/names.ts'
import { CONFIGMAPS, NAMESPACES, PODS, SECRETS, SERVICE_ACCOUNTS } from '../../api/resources.ts'
import { must, mustOrMissing } from '../../kube/failure.ts'
import { until } from '../lab/run.ts'
import { DOMAIN, type IdentityStage, type Replica, SYSTEM, startStage } from './server.ts'

let stage: IdentityStage
let replicas: readonly Replica[]
beforeAll(async () => {
  stage = await startStage()
  await stage.member('shop', 'pay', 'cart')
  replicas = [stage.start({ identity: 'one' }), stage.start({ identity: 'two' })]
})
afterAll(() => stage?.stop())

const chains = async (namespace: string, account: string) => {
  const { certificate } = await stage.identity(namespace, account)
  const { roots } = await stage.state()
  return roots.some(({ cert }) => certificate.verify(new X509Certificate(cert).publicKey))
}

describe('issues', () => {
  test('every service account of a mesh namespace an identity for a day, by one root that is published', async () => {
    const { certificate } = await stage.identity('shop', 'pay')
    expect(certificate.subjectAltName).toBe(`URI:${spiffeId(DOMAIN, 'shop', 'pay')}`)
    const life = certificate.validToDate.getTime() - certificate.validFromDate.getTime()
    expect(Math.round(life / 60_000)).toBe(24 * 60 + 5)
    expect((await stage.identity('shop', 'cart')).cert).not.toBe((await stage.identity('shop', 'pay')).cert)
    expect(await chains('shop', 'pay')).toBe(true)
    const { trustDomain, ids, number } = await stage.published()
    expect({ trustDomain, number }).toEqual({ trustDomain: DOMAIN, number: 1 })
    expect(ids).toEqual((await stage.state()).roots.map(({ id }) => id))
    expect(ids).toHaveLength(1)
  })

  test("the accounts of gateway and egress one, and no other account of Portolan's own namespace", async () => {
    for (const account of ['portolan-gateway', 'portolan-egress'])
      expect((await stage.identity(SYSTEM, account)).certificate.subjectAltName).toBe(
        `URI:${spiffeId(DOMAIN, SYSTEM, account)}`,
      )
    must(await stage.client.create(SERVICE_ACCOUNTS, { metadata: { namespace: SYSTEM, name: 'portolan-other' } }))
    await stage.member('later', 'app')
    await stage.identity('later', 'app')
    expect(await stage.mounted(SYSTEM, 'portolan-other')).toBeUndefined()
  })

  test('nothing in a namespace of no mesh, or of another', async () => {
    for (const [name, labels] of [
      ['plain', {}],
      ['other', { 'flomesh.io/monitored-by': 'another' }],
    ] as const) {
      must(await stage.client.create(NAMESPACES, { metadata: { name, labels } }))
      must(await stage.client.create(SERVICE_ACCOUNTS, { metadata: { namespace: name, name: 'app' } }))
    }
    await stage.member('after', 'app')
    await stage.identity('after', 'app')
    expect(await stage.mounted('plain', 'app')).toBeUndefined()
    expect(await stage.mounted('other', 'app')).toBeUndefined()
  })
})

describe('heals', () => {
  const ref = { namespace: 'shop', name: IDENTITY_SECRET }

  test('a Secret that was deleted', async () => {
    const { cert } = await stage.identity('shop', 'pay')
    must(await stage.client.delete(SECRETS, ref))
    const again = await stage.identity('shop', 'pay')
    expect(again.cert).not.toBe(cert)
    expect(await chains('shop', 'pay')).toBe(true)
  })

  test.each([
    ['a certificate that is none', { 'pay.crt': Buffer.from('none').toString('base64') }],
    ['a key of somebody else', { 'pay.key': 'cart' }],
    ['a key that is gone', { 'pay.key': null }],
  ])('%s, and leaves the other alone', async (_, damage) => {
    const before = await stage.identity('shop', 'pay')
    const cart = await stage.identity('shop', 'cart')
    const secret = must(await stage.client.get(SECRETS, ref))
    const data = Object.fromEntries(
      Object.entries(damage).map(([key, value]) => [key, value === 'cart' ? secret.data?.['cart.key'] : value]),
    )
    must(await stage.client.patch(SECRETS, ref, { type: 'merge', body: { data } }))
    await until('healed', async () => {
      const pair = await stage.identity('shop', 'pay')
      return pair.cert !== before.cert
    })
    expect((await stage.identity('shop', 'cart')).cert).toBe(cart.cert)
  })

  test('its publication', async () => {
    const { ids } = await stage.published()
    must(await stage.client.delete(CONFIGMAPS, { namespace: SYSTEM, name: IDENTITY_CONFIGMAP }))
    await until('published', async () => (await stage.published().catch(() => undefined)) !== undefined)
    expect((await stage.published()).ids).toEqual(ids)
  })

  test('the loss of its roots: leaves stay, and their root stays trusted although nobody has its key', async () => {
    const { cert } = await stage.identity('shop', 'pay')
    const { ids } = await stage.published()
    must(await stage.client.delete(SECRETS, { namespace: SYSTEM, name: CA_SECRET }))
    const { roots } = await until('two roots, the new one published', async () => {
      const now = await stage.published()
      return now.ids.length === 2 && now.roots.every(({ phase }) => phase !== 'new') && now
    })
    expect(roots.map(({ id, phase }) => [ids.includes(id), phase])).toEqual([
      [true, 'retiring'],
      [false, 'trusted'],
    ])
    expect((await stage.identity('shop', 'pay')).cert).toBe(cert)
    await stage.member('newcomer', 'app')
    expect(await chains('newcomer', 'app')).toBe(true)
    const { roots: kept } = await stage.state()
    expect(kept.map(({ canSign }) => canSign)).toEqual([false, true])
  })
})

describe('removes', () => {
  test('the identity of an account that is gone', async () => {
    await stage.identity('shop', 'cart')
    must(await stage.client.delete(SERVICE_ACCOUNTS, { namespace: 'shop', name: 'cart' }))
    await until('removed', async () => (await stage.mounted('shop', 'cart')) === undefined)
    expect(await stage.mounted('shop', 'pay')).toBeDefined()
  })

  test('the Secret of a namespace that leaves the mesh', async () => {
    await stage.member('leaver', 'app')
    await stage.identity('leaver', 'app')
    const body = { metadata: { labels: { 'flomesh.io/monitored-by': null } } }
    must(await stage.client.patch(NAMESPACES, { name: 'leaver' }, { type: 'merge', body }))
    const secret = () => stage.client.get(SECRETS, { namespace: 'leaver', name: IDENTITY_SECRET })
    await until('removed', async () => mustOrMissing(await secret()) === undefined)
  })
})

test('a namespace that leaves the mesh keeps the identity of a pod with a sidecar as long as it runs', async () => {
  await stage.member('slow', 'app', 'other')
  await stage.identity('slow', 'app')
  await stage.identity('slow', 'other')
  const pod = {
    metadata: { namespace: 'slow', name: 'runner' },
    spec: {
      serviceAccountName: 'app',
      automountServiceAccountToken: false,
      initContainers: [{ name: 'portolan-proxy', image: 'proxy:1', restartPolicy: 'Always' }],
      containers: [{ name: 'app', image: 'app:1' }],
    },
  }
  must(await stage.client.create(PODS, pod as never))
  const body = { metadata: { labels: { 'flomesh.io/monitored-by': null } } }
  must(await stage.client.patch(NAMESPACES, { name: 'slow' }, { type: 'merge', body }))
  await until('the others are gone', async () => (await stage.mounted('slow', 'other')) === undefined)
  expect(await stage.mounted('slow', 'app')).toBeDefined()
  await stage.api.kubectl(['delete', 'pod', '-n', 'slow', 'runner', '--force'])
  await until('it is gone', async () => (await stage.mounted('slow', 'app')) === undefined)
})

test("another's Secret of the same name is left alone, and reported", async () => {
  must(await stage.client.create(NAMESPACES, { metadata: { name: 'taken' } }))
  const ref = { namespace: 'taken', name: IDENTITY_SECRET }
  must(await stage.client.create(SECRETS, { metadata: ref, data: { mine: 'bWluZQ==' } } as never))
  await stage.member('taken', 'app')
  await until('reported', async () =>
    (await stage.api.kubectl(['get', 'events', '-n', 'taken', '-o', 'name'])).stdout.includes(IDENTITY_SECRET),
  )
  expect(must(await stage.client.get(SECRETS, ref)).data).toEqual({ mine: 'bWluZQ==' })
  expect(replicas.map((replica) => replica.log()).join()).toContain('IdentitySecretForeign')
})
