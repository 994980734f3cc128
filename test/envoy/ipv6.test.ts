/** The whole way of a call in a pod that has IPv6 alone: capture, proxy, names of clusters, refusal. */
import { copyFile, chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { refusingAddress } from '../../api/vip-range.ts'
import { compile } from '../../compiler/compile.ts'
import { sidecarFiles } from '../../compiler/files.ts'
import { captureScript } from '../../webhook/inject-capture.ts'
import * as build from '../compiler/build.ts'
import { tryRun } from '../lab/run.ts'
import { debianPackages, envoy } from '../lab/toolchain.ts'

const VIP_RANGE = 'fd00:240:240::/112'
const UID = 15_007

test('an import is called at its IPv6 address, and no other call meets the proxy', async ({ skip }) => {
  if (process.getuid?.() !== 0) skip('needs root, for a network namespace')
  const at = (cluster: string, host: string) => ({ cluster, host, port: 8080, path: `/${cluster}` })
  const tables = compile(
    build.snapshot({
      mesh: { ...build.mesh, vipRange: VIP_RANGE },
      namespaces: [build.namespace('app')],
      services: [],
      endpointSlices: [],
      imports: [
        build.serviceImport('shop/web', [at('east', 'fd00:e::1')], [{ port: 80 }]),
        {
          ...build.serviceImport('shop/cart', [at('east', 'fd00:e::1'), at('north', 'fd00:f::1')], [{ port: 80 }]),
        },
      ],
      policies: [build.policy('shop/web', 'FailOver', ['east']), build.policy('shop/cart', 'ActiveActive')],
    }),
  )
  const vip = (name: string) => tables.vips.find((each) => each.name === name)?.ips[0] ?? ''
  const [table] = tables.sidecars
  if (table === undefined) throw new Error('no table')
  const directory = await mkdtemp(join(tmpdir(), 'portolan-ipv6-'))
  // Whatever user the proxy is must be able to read and run what is its own.
  await chmod(directory, 0o755)
  const binary = join(directory, 'envoy')
  await copyFile(await envoy(), binary)
  await chmod(binary, 0o755)
  const mount = join(directory, 'routes')
  const files = Object.fromEntries(
    Object.entries(sidecarFiles(table, tables.cluster.key).files).map(([name, text]) => [
      name,
      text.replaceAll('/etc/portolan/routes', mount),
    ]),
  )
  const capture = {
    vipRange: VIP_RANGE,
    proxyUid: UID,
    excludedPorts: [],
    excludedRanges: [],
    includedPorts: [],
    includedRanges: [],
    excludedInterfaces: [],
  }
  const given = join(directory, 'given.json')
  const apps = [
    ['east', 'fd00:e::1', 8080],
    ['north', 'fd00:f::1', 8080],
    ['plain', 'fd00:a::1', 8080],
    ['old', '127.0.0.1', 8080],
  ]
  await writeFile(
    given,
    JSON.stringify({ envoy: binary, uid: UID, script: captureScript(capture), files, directory: mount, apps }),
  )
  const calls: readonly (readonly [string, object])[] = [
    [`1000 GET http://[${vip('web')}]/a?b=c -H Host:web.shop`, { code: 0, name: 'east', url: '/east/a?b=c', host: 'web.shop' }],
    [`0 POST http://[${vip('web')}]/`, { code: 0, name: 'east', url: '/east/', host: `[${vip('web')}]` }],
    // 503 of the proxy, as the port is nobody's.
    [`0 GET http://[${vip('web')}]:81/`, { code: 0 }],
    ['0 GET http://[fd00:a::1]:8080/x', { code: 0, name: 'plain', url: '/x', host: '[fd00:a::1]:8080' }],
    ['0 GET http://127.0.0.1:8080/x', { code: 0, name: 'old', url: '/x', host: '127.0.0.1:8080' }],
    [`0 GET http://[${refusingAddress(VIP_RANGE)}]/`, { code: 7 }],
    [`${UID} GET http://[${vip('web')}]/`, { code: 7 }],
    // Metrics are read at either family's address.
    ['0 GET http://[fd99::1]:15090/ready', { code: 0 }],
    ['0 GET http://127.0.0.1:15090/ready', { code: 0 }],
  ]
  const { env } = await debianPackages()
  const program = join(import.meta.dirname, 'ipv6-netns.ts')
  const args = ['--net', process.execPath, program, given, ...calls.map(([call]) => call)]
  const { stdout, stderr } = await tryRun('unshare', args, { env, timeout: 50_000 })
  await rm(directory, { recursive: true })
  const last = stdout.trim().split('\n').at(-1) ?? ''
  expect(last, stderr + stdout).toMatch(/^\[/)
  expect(calls.map(([call], i) => [call, JSON.parse(last)[i]])).toEqual(calls)
})
