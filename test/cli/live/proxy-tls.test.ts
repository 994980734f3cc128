/** What `portolan check` makes of real Envoys that have what TLS takes, and of some that do not. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { IDENTITY_VOLUME, PROXY_CONTAINER } from '../../../api/names.ts'
import { spiffeId } from '../../../certs/spiffe.ts'
import type { CheckFacts } from '../../../cli/live/check-facts.ts'
import { proxyTls } from '../../../cli/live/check-trust.ts'
import { CERTIFICATES, speakTls } from '../../../cli/live/proxy-tls.ts'
import { compile } from '../../../compiler/compile.ts'
import type { MeshPod } from '../../../compiler/controller/pods.ts'
import type { Trust } from '../../../compiler/tables.ts'
import { failed, ok, type Result } from '../../../kube/failure.ts'
import * as build from '../../compiler/build.ts'
import { type Authority, bundleMap, startAuthority } from '../../envoy/authority.ts'
import type { RunningEnvoy } from '../../envoy/proxy.ts'
import { type Gateway, Identity, type Sidecar, startGateway, startSidecar, VIP_RANGE } from '../../envoy/site.ts'

const HOUR_MS = 3_600_000
const SYSTEM = 'portolan-system'
const DOMAIN = 'west.portolan.local'
const GATEWAY = spiffeId(DOMAIN, SYSTEM, 'portolan-gateway')
const NOTHING = { cert: '', key: '' }

let authority: Authority
let others: readonly Authority[]
let identity: Identity
const stops: (() => unknown)[] = []
beforeAll(async () => {
  authority = await startAuthority(DOMAIN)
  others = await Promise.all(['east', 'zoo'].map((name) => startAuthority(`${name}.portolan.local`)))
  identity = new Identity(await authority.issue(GATEWAY))
  stops.push(() => identity.remove())
})
afterAll(() => Promise.all(stops.map((stop) => stop())))

const trusting = (...roots: readonly Authority[]): Trust => ({
  trustDomain: DOMAIN,
  bundle: bundleMap(...roots),
  clusters: { [build.clusterKey('east')]: { trustDomain: DOMAIN, gateway: GATEWAY } },
})

const tablesWith = (trust: Trust) =>
  compile(
    build.snapshot({
      mesh: { ...build.mesh, vipRange: VIP_RANGE },
      trust,
      namespaces: [build.namespace('app')],
      imports: [build.serviceImport('shop/web', [{ cluster: 'east', host: '127.0.0.1', port: 9 }])],
      policies: [build.policy('shop/web', 'FailOver', ['east'])],
    }),
  )

const pod: MeshPod = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { namespace: SYSTEM, name: 'gateway-1' },
  spec: { containers: [] },
  phase: 'Running',
  ready: true,
}

/** @param hours from now */
const lookAt = (answer: Result<string>, hours = 0) => {
  const facts = {
    mesh: { mtls: true },
    proxies: { all: 1, answers: [{ pod, answer }] },
    now: new Date(Date.now() + hours * HOUR_MS),
  }
  return proxyTls.look(facts as unknown as CheckFacts).found.map(({ level, code }) => `${level} ${code}`)
}

const certificates = async ({ adminPort }: RunningEnvoy) =>
  ok(await (await fetch(`http://127.0.0.1:${adminPort}${CERTIFICATES}`)).text())
const saidOf = (proxy: RunningEnvoy) => async (hours: number) => lookAt(await certificates(proxy), hours)

const startingGateway = async (trust: Trust, identified: Identity): Promise<Gateway> => {
  const gateway = await startGateway(tablesWith(trust).gateway, build.clusterKey('west'), undefined, identified)
  stops.push(gateway.stop)
  return gateway
}

const startingSidecar = async (identified: Identity): Promise<Sidecar> => {
  const [table] = tablesWith(trusting(authority, ...others)).sidecars
  const sidecar = await startSidecar(table ?? expect.unreachable(), build.clusterKey('west'), [], identified)
  stops.push(sidecar.stop)
  return sidecar
}

describe.each([
  ['a gateway', (identified: Identity) => startingGateway(trusting(authority, ...others), identified)],
  ['a sidecar', startingSidecar],
])('%s', (_, start) => {
  test('that has all it needs is well, until its certificate is not renewed', async () => {
    const said = saidOf(await start(identity))
    await expect.poll(() => said(0)).toEqual([])
    expect(await said(0.5)).toEqual([])
    expect(await said(0.9)).toEqual(['warning ProxyCertificateOld'])
    expect(await said(1.1)).toEqual(['error ProxyCertificateExpired'])
  })

  test('that found no certificate is told of, until it has one', async () => {
    const late = new Identity(NOTHING)
    stops.push(() => late.remove())
    const said = saidOf(await start(late))
    expect(await said(0)).toEqual(['error ProxyTlsNotReady'])
    late.renew(await authority.issue(GATEWAY))
    await expect.poll(() => said(0)).toEqual([])
  })
})

test('a gateway that has nobody’s roots is told of', async () => {
  const said = saidOf(await startingGateway(trusting(), identity))
  expect(await said(0)).toEqual(['error ProxyTlsNotReady'])
})

test('a proxy that cannot be asked is one thing that could not be looked at', () => {
  const answer = failed({ reason: 'Forbidden', message: 'pods/portforward is not for you' })
  expect(lookAt(answer)).toEqual(['warning CheckImpossible'])
})

describe('who is asked', () => {
  const now = new Date('2026-06-01T12:00:00Z')
  const made = (namespace: string, name: string, minutesAgo: number, more: Partial<MeshPod> = {}): MeshPod => ({
    ...pod,
    metadata: { namespace, name, creationTimestamp: new Date(now.getTime() - minutesAgo * 60_000).toISOString() },
    spec: { containers: [], initContainers: [{ name: PROXY_CONTAINER }], volumes: [{ name: IDENTITY_VOLUME }] },
    ...more,
  })
  const part = (component: string, minutesAgo: number): MeshPod => {
    const { metadata, spec, ...rest } = made(SYSTEM, component, minutesAgo)
    const labels = { 'app.kubernetes.io/component': component }
    return { ...rest, metadata: { ...metadata, labels }, spec: { ...spec, initContainers: [] } }
  }
  const asked = (own: readonly MeshPod[], mesh: readonly MeshPod[]) => {
    const { all, asked: names } = speakTls({ own, mesh }, tablesWith(trusting(authority)), SYSTEM, now)
    return { all, asked: names.map(({ metadata }) => metadata.name) }
  }

  test.each<[string, readonly MeshPod[], readonly MeshPod[], readonly string[]]>([
    [
      'the gateway and sidecars that call',
      [part('gateway', 5), part('dns', 5)],
      [made('app', 'web', 5)],
      ['gateway', 'web'],
    ],
    ['not who has just started', [part('gateway', 1)], [made('app', 'web', 1)], []],
    ['not who is not ready', [], [made('app', 'web', 5, { ready: false })], []],
    ['not who has no identity', [], [made('app', 'web', 5, { spec: { containers: [] } })], []],
    ['not who calls nobody by TLS', [], [made('elsewhere', 'web', 5)], []],
    ['the egress only where it calls somebody', [part('egress', 5)], [], []],
  ])('%s', (_, own, mesh, names) => {
    expect(asked(own, mesh)).toEqual({ all: names.length, asked: names })
  })

  test('of many sidecars the newest fifty', () => {
    const many = Array.from({ length: 60 }, (_, index) => made('app', `web-${index}`, 60 - index + 5))
    const { all, asked: names } = asked([], many)
    expect(all).toBe(60)
    expect(names).toEqual(
      many
        .toReversed()
        .slice(0, 50)
        .map(({ metadata }) => metadata.name),
    )
  })
})
