/** Roots and trust domains change while the server is watched, stopped and started: no certificate is ever without its root. */
import { X509Certificate } from 'node:crypto'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { spiffeId } from '../../api/identity.ts'
import { CA_SECRET, CLUSTER_CONFIGMAP, IDENTITY_SECRET, TRUST_CONFIGMAP } from '../../api/names.ts'
import { CONFIGMAPS, SECRETS } from '../../api/resources.ts'
import { must, mustOrMissing } from '../../kube/failure.ts'
import { portolan } from '../cli/session.ts'
import { until } from '../lab/run.ts'
import { DOMAIN, type IdentityStage, LIVES, type Replica, SYSTEM, startStage } from './server.ts'

const OWN = 'default/default/default/east'
const WEST = 'default/default/default/west'
const QUICK = { lives: { ...LIVES, settleMs: 1_500 } }

let stage: IdentityStage
let running: Replica[] = []
const outputs: string[] = []
beforeAll(async () => {
  stage = await startStage()
  await stage.member('shop', 'pay', 'cart')
})
afterEach(async () => {
  outputs.push(...running.map((replica) => replica.log()))
  await Promise.all(running.map((replica) => replica.stop()))
  running = []
})
afterAll(() => stage?.stop())

const run = (...names: readonly string[]) => {
  running.push(...names.map((identity) => stage.start({ ...QUICK, identity })))
}
const cli = async (line: string) => {
  const session = await portolan([...line.split(' '), '--kubeconfig', stage.api.kubeconfig])
  outputs.push(session.out, session.err)
  return session
}
const phases = async () => (await stage.state()).roots.map(({ phase }) => phase)
const settled = () => until('one root signs, and no other is there', async () => (await phases()).join() === 'signing')
const hub = async (data: Readonly<Record<string, unknown>>) => {
  const texts = Object.fromEntries(Object.entries(data).map(([key, value]) => [key, JSON.stringify(value)]))
  const metadata = { namespace: SYSTEM, name: TRUST_CONFIGMAP }
  must(await stage.client.apply(CONFIGMAPS, { metadata, data: texts }, { manager: 'test' }))
}
const clusters = { [OWN]: {}, [WEST]: {} }

/** Looks at what others see as fast as it can, until told to stop: a leaf in a Secret always has its root published. */
const watchTrust = () => {
  let stopped = false
  let looks = 0
  const watching = (async () => {
    const orphans: string[] = []
    while (!stopped) {
      // In this order: a leaf that is read now must be by a root that is published afterwards.
      const pairs = await Promise.all([stage.mounted('shop', 'pay'), stage.mounted('shop', 'cart')])
      const found = mustOrMissing(await stage.client.get(CONFIGMAPS, { namespace: SYSTEM, name: 'portolan-identity' }))
      const roots = found === undefined ? [] : (await stage.published()).pems
      for (const pair of pairs) {
        if (pair === undefined) continue
        const known = roots.some((pem) => pair.certificate.verify(new X509Certificate(pem).publicKey))
        if (!known) orphans.push(pair.certificate.serialNumber)
      }
      looks += 1
    }
    return orphans
  })()
  return async () => {
    stopped = true
    const orphans = await watching
    expect(looks).toBeGreaterThan(5)
    return orphans
  }
}

describe('a roll', () => {
  test('of a cluster that has no hub: one command, three phases', async () => {
    run('one', 'two')
    await stage.identity('shop', 'pay')
    await settled()
    const [before] = (await stage.state()).roots
    const { cert } = await stage.identity('shop', 'pay')
    const stop = watchTrust()
    const { code, out } = await cli('ca roll --timeout 120')
    expect(await stop()).toEqual([])
    expect({ code, steps: out.split('\n').map((line) => line.split(' ')[0]) }).toEqual({
      code: 0,
      steps: expect.arrayContaining(['root', '1/3', '3/3', 'done:']),
    })
    const { roots } = await stage.state()
    expect(roots.map(({ id, phase }) => [id === before?.id, phase])).toEqual([[false, 'signing']])
    expect((await stage.identity('shop', 'pay')).cert).not.toBe(cert)
    expect((await stage.published()).ids).toEqual(roots.map(({ id }) => id))
    const status = await cli('ca status')
    expect(status.code).toBe(0)
    expect(status.out).toContain(`trust domain ${DOMAIN}, roots made by Portolan`)
  })

  test('waits for the members of the hub, says for whom, and goes on when they hold the root', async () => {
    run('one')
    await settled()
    await hub({ 'clusters.json': clusters, 'held.json': {} })
    expect((await cli('ca roll --no-wait')).out).toContain('portolan ca status')
    await until('the settling time is over', async () => (await cli('ca status')).out.includes('problem:'))
    const waiting = await cli('ca status')
    expect(waiting.code).toBe(1)
    expect(waiting.out).toContain(`the roll waits for ${WEST} (the hub cannot reach it): bring the member back`)
    expect(await phases()).toEqual(['signing', 'trusted'])
    const late = await cli('ca roll --timeout 1')
    expect(late.code).toBe(1)
    expect(late.out).toContain('is on its way already')
    expect(late.err).toContain(`it waits for ${WEST} (the hub cannot reach it)`)

    const next = (await stage.state()).roots.find(({ phase }) => phase === 'trusted')?.id ?? ''
    await hub({ 'clusters.json': clusters, 'held.json': { [next]: [WEST] } })
    await settled()
    expect((await stage.state()).roots.map(({ id }) => id)).toEqual([next])
  })

  test('does not wait for them when it is told so', async () => {
    run('one')
    await settled()
    await hub({ 'clusters.json': clusters, 'held.json': {} })
    const { code, out } = await cli('ca roll --force --timeout 120')
    expect({ code, out }).toEqual({ code: 0, out: expect.stringContaining('done:') })
  })

  test('goes on where it was when the server ends between any two of its steps', async () => {
    await hub({ 'clusters.json': {} })
    const stop = watchTrust()
    run('one')
    await settled()
    await cli('ca roll --no-wait')
    for (let life = 0; life < 8; life++) {
      await Promise.all(running.splice(0).map((replica) => replica.stop()))
      run(`life-${life}`)
      await new Promise((resolve) => setTimeout(resolve, 150 + 200 * life))
    }
    await settled()
    expect(await stop()).toEqual([])
  })
})

test('joining a hub: all leaves anew, and others are told when pods have had time to read them', async () => {
  run('one')
  await settled()
  const metadata = { namespace: SYSTEM, name: CLUSTER_CONFIGMAP }
  const data = { clusterKey: OWN, trustDomain: 'east.mesh.example', hub: 'h' }
  must(await stage.client.apply(CONFIGMAPS, { metadata, data }, { manager: 'test' }))
  const id = async () => (await stage.identity('shop', 'pay')).certificate.subjectAltName
  await until('a new leaf', async () => (await id()) === `URI:${spiffeId('east.mesh.example', 'shop', 'pay')}`)
  expect((await stage.published()).trustDomain).toBe(DOMAIN)
  await until('published', async () => (await stage.published()).trustDomain === 'east.mesh.example')
  must(await stage.client.delete(CONFIGMAPS, metadata))
  await until('back', async () => (await stage.published()).trustDomain === DOMAIN)
  expect(await id()).toBe(`URI:${spiffeId(DOMAIN, 'shop', 'pay')}`)
})

test('no private key is anywhere but in the Secrets that are for them', async () => {
  const secrets = [
    must(await stage.client.get(SECRETS, { namespace: SYSTEM, name: CA_SECRET })),
    must(await stage.client.get(SECRETS, { namespace: 'shop', name: IDENTITY_SECRET })),
  ]
  const keys = secrets.flatMap(({ data = {} }) =>
    Object.entries(data)
      .filter(([name]) => name.endsWith('.key'))
      .map(([, value]) => value),
  )
  expect(keys.length).toBeGreaterThanOrEqual(3)
  const kinds = 'configmaps,events,events.v1.events.k8s.io,serviceaccounts,leases,namespaces,pods'
  const { stdout } = await stage.api.kubectl(['get', kinds, '-A', '-o', 'yaml', '--show-managed-fields'])
  expect(stdout).toContain('bundle.json')
  const told = [...outputs, stdout]
  expect(outputs.join('').length).toBeGreaterThan(1_000)
  for (const text of told) {
    expect(text).not.toMatch(/PRIVATE KEY|"d":/)
    for (const key of keys) {
      expect(text).not.toContain(key.slice(60, 120))
      const body = Buffer.from(key, 'base64').toString().split('\n')[1] ?? ''
      expect(body.length).toBeGreaterThan(40)
      expect(text).not.toContain(body.slice(0, 40))
    }
  }
})
