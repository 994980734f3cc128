/** The whole way of a call in a pod that has IPv6 alone, and in one that has both families: capture, proxy, gateway. */
import { chmod, copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  EXPLICIT_MTLS_BOOTSTRAP,
  EXPLICIT_PORT,
  GATEWAY_MOUNT,
  GATEWAY_PORT,
  IDENTITY_MOUNT,
  METRICS_PORT,
  MTLS_BOOTSTRAP,
  ROUTES_MOUNT,
} from '../../api/names.ts'
import { familyOf, hostAndPort, refusingAddress } from '../../api/vip-range.ts'
import { compile } from '../../compiler/compile.ts'
import { gatewayFiles, sidecarFiles } from '../../compiler/files.ts'
import { GATEWAY_BOOTSTRAPS } from '../../compiler/gateway-bootstraps.ts'
import type { Trust } from '../../compiler/tables.ts'
import { captureScript } from '../../webhook/inject-capture.ts'
import * as build from '../compiler/build.ts'
import { tryRun } from '../lab/run.ts'
import { debianPackages, envoy } from '../lab/toolchain.ts'
import { bundleMap, startAuthority } from './authority.ts'
import type { Place } from './ipv6-netns.ts'
import { Mount } from './proxy.ts'
import { Identity } from './site.ts'

const UID = { pod: 15_007, explicit: 15_008, gateway: 15_009 }
const APP = 9000
const STREAM = 9001
const isRoot = process.getuid?.() === 0
if (!isRoot) console.warn('skipped: the tests of IPv6 need root, for a network namespace')

let binary: string
let directory: string
const stops: (() => unknown)[] = []
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'portolan-ipv6-'))
  // Whatever user the proxy is must be able to read and run what is its own.
  await chmod(directory, 0o755)
  binary = join(directory, 'envoy')
  await copyFile(await envoy(), binary)
  await chmod(binary, 0o755)
})
afterAll(async () => {
  for (const stop of stops) stop()
  await rm(directory, { recursive: true })
})

/** What a pod sees of a mount, moved to where the test has it. */
const mounted = async (files: Readonly<Record<string, string>>, at: Readonly<Record<string, string>>) => {
  const mount = new Mount()
  stops.push(() => mount.remove())
  const moved = Object.entries({ ...at, [ROUTES_MOUNT]: mount.directory, [GATEWAY_MOUNT]: mount.directory })
  const move = (text: string) => moved.reduce((all, [from, to]) => all.replaceAll(from, to), text)
  mount.swap(Object.fromEntries(Object.entries(files).map(([name, text]) => [name, move(text)])))
  await chmod(mount.directory, 0o755)
  return mount.directory
}

/** Proxies of one place would have the same ports there. */
const otherPorts = (by: number) =>
  Object.fromEntries([15_000, METRICS_PORT].map((port) => [`"port_value":${port}`, `"port_value":${port + by}`]))

interface Case {
  readonly name: string
  readonly vipRange: string
  /** Of the pod, by family. */
  readonly pod: Readonly<Partial<Record<4 | 6, string>>>
  /** Where the other cluster's gateway is, and the application behind it. */
  readonly gateway: string
  readonly app: string
}

const CASES: readonly Case[] = [
  {
    name: 'a pod with IPv6 alone',
    vipRange: 'fd00:240:240::/112',
    pod: { 6: 'fd00:a::1' },
    gateway: 'fd00:e::1',
    app: 'fd00:ea::1',
  },
  {
    name: 'a pod with both families, imports at IPv4 and a gateway at IPv6',
    vipRange: '240.240.0.0/16',
    pod: { 4: '10.99.0.1', 6: 'fd00:a::1' },
    gateway: 'fd00:e::1',
    app: '10.99.1.1',
  },
  {
    name: 'a pod with both families, imports at IPv6 and a gateway at IPv4',
    vipRange: 'fd00:240:240::/112',
    pod: { 4: '10.99.0.1', 6: 'fd00:a::1' },
    gateway: '10.99.2.1',
    app: 'fd00:ea::1',
  },
  {
    name: 'a pod with IPv6 alone, imports at IPv4: only by the proxy of explicit mode',
    vipRange: '240.240.0.0/16',
    pod: { 6: 'fd00:a::1' },
    gateway: 'fd00:e::1',
    app: 'fd00:ea::1',
  },
]

/** A cluster that exports a page, one for nobody here, and a stream, which is one of HTTP that no proxy reads; the other imports them. */
const placeOf = async ({ vipRange, pod, gateway, app }: Case) => {
  const authorities = await Promise.all(['west', 'east'].map((name) => startAuthority(`${name}.portolan.local`)))
  const [west, east] = authorities
  if (west === undefined || east === undefined) throw new Error('there are two')
  const trustIn = (cluster: string): Trust => ({
    ...build.trustIn(cluster, 'west', 'east'),
    bundle: bundleMap(...authorities),
  })
  const mesh = { ...build.mesh, vipRange }
  const families = Object.keys(pod).map((family): 'IPv4' | 'IPv6' => `IPv${family as '4' | '6'}`)
  const beside = build.service('default/kubernetes', { ipFamilies: families })
  const exported = (name: string, port: number, spec: object = {}) => ({
    service: build.service(`shop/${name}`, { clusterIP: 'None', ports: [{ ...spec, port }] }),
    slice: { ...build.pods(`shop/${name}`, [app], port), addressType: `IPv${familyOf(app)}` as const },
  })
  const all = [exported('web', APP), exported('closed', APP), exported('db', STREAM, { appProtocol: 'tcp' })]
  const exporter = compile(
    build.snapshot({
      mesh: { ...mesh, clusterKey: build.clusterKey('east') },
      trust: trustIn('east'),
      services: [beside, ...all.map(({ service }) => service)],
      endpointSlices: all.map(({ slice }) => slice),
      exports: [
        build.serviceExport('shop/web', { rules: [{ portNumber: APP, path: '/east/web' }] }),
        build.serviceExport('shop/closed', {
          rules: [{ portNumber: APP, path: '/east/closed' }],
          allowedClients: [{ clusters: ['north'] }],
        }),
        build.serviceExport('shop/db'),
      ],
    }),
  )
  const at = (path: string) => [{ cluster: 'east', host: gateway, port: GATEWAY_PORT, path }]
  const importer = compile(
    build.snapshot({
      mesh,
      trust: trustIn('west'),
      services: [beside],
      explicit: ['app'],
      imports: [
        build.serviceImport('shop/web', at('/east/web'), [{ port: 80 }]),
        build.serviceImport('shop/closed', at('/east/closed'), [{ port: 80 }]),
        build.serviceImport('shop/db', at(''), [{ port: STREAM, appProtocol: 'tcp' }]),
      ],
      policies: ['web', 'closed', 'db'].map((name) => build.policy(`shop/${name}`, 'ActiveActive')),
    }),
  )
  const [table] = importer.sidecars
  if (table === undefined) throw new Error('there is no table')
  const gatewayOf = `spiffe://east.portolan.local/ns/portolan-system/sa/portolan-gateway`
  const identities = {
    pod: new Identity(await west.issue('spiffe://west.portolan.local/ns/app/sa/curl')),
    gateway: new Identity(await east.issue(gatewayOf)),
  }
  for (const identity of Object.values(identities)) {
    stops.push(() => identity.remove())
    for (const path of [identity.directory]) await chmod(path, 0o755)
  }
  const routes = sidecarFiles(table, importer.cluster.key).files
  const ours = { [IDENTITY_MOUNT]: identities.pod.directory }
  const [captor, explicit, served] = await Promise.all([
    mounted(routes, ours),
    mounted(routes, { ...ours, ...otherPorts(100) }),
    mounted(
      gatewayFiles(exporter.gateway, undefined, { namespace: 'portolan-system', clusterKey: exporter.cluster.key })
        .files,
      { [IDENTITY_MOUNT]: identities.gateway.directory, ...otherPorts(200) },
    ),
  ])
  const none = { excludedPorts: [], excludedRanges: [], includedPorts: [], includedRanges: [], excludedInterfaces: [] }
  const place: Place = {
    envoy: binary,
    addresses: [...new Set([...Object.values(pod), gateway, app])].map(
      (host) => `${host}/${host.includes(':') ? 128 : 32}`,
    ),
    proxies: [
      { uid: UID.gateway, bootstrap: join(served, GATEWAY_BOOTSTRAPS.mtls), metricsPort: METRICS_PORT + 200 },
      { uid: UID.explicit, bootstrap: join(explicit, EXPLICIT_MTLS_BOOTSTRAP), metricsPort: METRICS_PORT + 100 },
      { uid: UID.pod, bootstrap: join(captor, MTLS_BOOTSTRAP), metricsPort: METRICS_PORT },
    ],
    script: captureScript({ ...none, vipRange, proxyUid: UID.pod }),
    apps: [
      ['web', app, APP],
      ...Object.values(pod).map((host) => ['beside', host, APP] as const),
      ['loopback', '127.0.0.1', APP],
      ['loopback', '::1', APP],
      ['db', app, STREAM],
    ],
  }
  const vip = (name: string) => importer.vips.find((each) => each.name === name)?.ips[0] ?? ''
  return { place, vip }
}

describe.skipIf(!isRoot)('the way of a call', () => {
  test.each(CASES)('from $name', async (situation) => {
    const { place, vip } = await placeOf(situation)
    const { pod, vipRange } = situation
    const url = (host: string, port = 80) => `http://${hostAndPort(host, port)}`
    const web = vip('web')
    const captured: readonly (readonly [string, object])[] = [
      [`1000 ${url(web)}/a?b=c -H Host:web.shop`, { status: 200, name: 'web', url: '/a?b=c', host: 'web.shop' }],
      [`0 ${url(web)}/`, { status: 200, name: 'web', url: '/', host: hostAndPort(web, 80).replace(/:80$/, '') }],
      [`0 ${url(vip('closed'))}/`, { status: 403 }],
      [`0 ${url(vip('db'), STREAM)}/s`, { status: 200, name: 'db', url: '/s' }],
      // The proxy's answer, as the port is nobody's; the range's refusing address, and the proxy itself, get a reset.
      [`0 ${url(web, 81)}/`, { status: 503 }],
    ]
    const calls: readonly (readonly [string, object])[] = [
      // Without an address of the range's family there is no way to it that capture could stand in.
      ...(pod[familyOf(vipRange)] === undefined ? [[`0 ${url(web)}/`, { code: 7 }] as const] : captured),
      [`0 ${url(refusingAddress(vipRange))}/`, { code: 7 }],
      [`${UID.pod} ${url(web)}/`, { code: 7 }],
      // Nothing else meets the proxy.
      ...Object.values(pod).map(
        (host) => [`0 ${url(host, APP)}/x`, { status: 200, name: 'beside', url: '/x' }] as const,
      ),
      [`0 ${url('127.0.0.1', APP)}/x`, { status: 200, name: 'loopback' }],
      [`0 ${url('::1', APP)}/x`, { status: 200, name: 'loopback' }],
      // Probes and metrics come to whichever address the pod is known by.
      ...Object.values(pod).map((host) => [`0 ${url(host, METRICS_PORT)}/ready`, { status: 200 }] as const),
      [
        `0 -x http://127.0.0.1:${EXPLICIT_PORT} http://web.shop/e`,
        { status: 200, name: 'web', url: '/e', host: 'web.shop' },
      ],
      ...Object.values(pod).map(
        (host) =>
          [
            `0 -x http://127.0.0.1:${EXPLICIT_PORT} ${url(host, APP)}/p`,
            { status: 200, name: 'beside', url: '/p' },
          ] as const,
      ),
    ]
    const given = join(directory, 'given.json')
    await writeFile(given, JSON.stringify(place))
    const { env } = await debianPackages()
    const program = join(import.meta.dirname, 'ipv6-netns.ts')
    // With the namespace of processes ends whatever is left in it, and with that its hold of our pipes.
    const isolated = ['--net', '--pid', '--fork', '--kill-child', '--mount-proc']
    const { stdout, stderr } = await tryRun(
      'unshare',
      [...isolated, process.execPath, program, given, ...calls.map(([line]) => line)],
      { env: { ...env, POD_IP: Object.values(pod)[0], POD_NAMESPACE: 'app' }, timeout: 30_000 },
    )
    const told = /^answers (.*)$/m.exec(stdout)?.[1] ?? ''
    expect(told, stderr + stdout).not.toBe('')
    const answers: readonly object[] = JSON.parse(told)
    expect(
      calls.map(([line], i) => [line, answers[i]]),
      stdout + stderr,
    ).toEqual(calls.map(([line, answer]) => [line, expect.objectContaining(answer)]))
  })
})
