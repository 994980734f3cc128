/** What `portolan routes` makes of a real Envoy, fed by a folder that only the test changes. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ROUTES_MOUNT } from '../../../api/names.ts'
import { type ClusterFile, type ProxyReport, proxyReport, type RouteFile } from '../../../cli/live/proxy-report.ts'
import { type Answers, QUESTIONS, readProxy } from '../../../cli/live/proxy-state.ts'
import { reportText } from '../../../cli/live/proxy-text.ts'
import { painter } from '../../../cli/print.ts'
import { compile } from '../../../compiler/compile.ts'
import { gatewayBootstrap, gatewayCds, gatewayRds } from '../../../compiler/render-gateway.ts'
import { sidecarBootstrap, sidecarCds } from '../../../compiler/render-sidecar.ts'
import { sidecarTlsFiles } from '../../../compiler/render-tls.ts'
import * as build from '../../compiler/build.ts'
import { cases } from '../../compiler/cases.ts'
import { Mount, type RunningEnvoy, startEnvoy } from '../../envoy/proxy.ts'
import { freePort } from '../../lab/ports.ts'

const file = (text: string) => JSON.parse(text) as ClusterFile

async function ask({ adminPort }: RunningEnvoy) {
  const answers = Object.entries(QUESTIONS).map(async ([question, path]) => {
    const answer = await fetch(`http://127.0.0.1:${adminPort}${path}`)
    return [question, await answer.text()] as const
  })
  return readProxy(Object.fromEntries(await Promise.all(answers)) as unknown as Answers)
}

const settings = async (mount: Mount) => ({
  clusterKey: 'default/default/default/west',
  directory: mount.directory,
  accessLog: false,
  adminPort: await freePort(),
  metricsPort: await freePort(),
})

describe('a sidecar', () => {
  const mount = new Mount()
  let envoy: RunningEnvoy
  let mounted: Readonly<Record<string, string>> = {
    'cds.json': sidecarCds({ namespace: 'shop', version: 'none', tcpRange: '240.240.128.0/17', routes: [] }),
  }
  beforeAll(async () => {
    mount.swap(mounted)
    const given = await settings(mount)
    envoy = await startEnvoy(
      sidecarBootstrap({ ...given, capturePort: await freePort(), tcpRange: '240.240.128.0/17' }),
      given,
    )
  })
  afterAll(async () => {
    await envoy?.stop()
    mount.remove()
  })

  const tables = cases.flatMap(({ name, tables: { sidecars } }) => sidecars.map((table) => ({ name, table })))
  test.each(tables)('runs what was written: $name, $table.namespace', async ({ table }) => {
    const cds = sidecarCds(table).replaceAll(ROUTES_MOUNT, mount.directory)
    // Envoy refuses a cluster whose files are not there yet: in a pod they are another volume's.
    const tls = table.trust ? sidecarTlsFiles(table.trust, mount.directory, mount.directory) : {}
    mount.swap({ ...mounted, ...tls })
    mounted = { 'cds.json': cds, ...tls }
    mount.swap(mounted)
    const report = async () =>
      proxyReport({ running: await ask(envoy), compiled: file(cds), written: file(cds), isGateway: false })
    await expect.poll(report).toMatchObject({ state: 'same', versions: { running: table.version } })
    expect((await report()).rows.map(({ state }) => state).filter((state) => state !== 'same')).toEqual([])
  })

  /** Payments in one cluster, or in two. */
  const pay = (...exporters: readonly string[]) => {
    const imports = exporters.map((cluster) => ({ cluster, host: '10.9.0.1', port: 80, path: '/pay' }))
    const { sidecars } = compile(
      build.snapshot({
        imports: [build.serviceImport('shop/pay', imports), build.serviceImport('shop/cart', imports.slice(0, 1))],
        policies: [build.policy('shop/pay', 'ActiveActive', []), build.policy('shop/cart', 'ActiveActive', [])],
      }),
    )
    return sidecarCds(sidecars[0] ?? { namespace: '', version: '', tcpRange: '', routes: [] })
  }
  const text = (report: ProxyReport) => `\n${reportText('Sidecar', report, painter(false))}`

  test('behind, service by service', async () => {
    const before = pay('east')
    mount.swap({ 'cds.json': before })
    await envoy.runs(file(before).version_info)
    const compiled = file(pay('east', 'north'))
    const report = proxyReport({ running: await ask(envoy), compiled, written: compiled, isGateway: false })
    expect(report.state).toBe('behind')
    expect(text(report)).toMatchInlineSnapshot(`
      "
      Sidecar
        Behind: runs table 64483bb6b9909a5c; its ConfigMap has 032feffb236af062; compiling now gives 032feffb236af062. Files reach pods within 90 s, within a second when the compiler nudges them.

        cart.shop:8080  as compiled
          1.  east  10.9.0.1:80  weight 1  healthy  no calls
        pay.shop:8080  behind
          1.  east  10.9.0.1:80  weight 1  healthy  no calls
      "
    `)
  })

  test('refused: it keeps what it had', async () => {
    const written = pay('east', 'north').replaceAll('"connect_timeout":"1s"', '"connect_timeout":"-1s"')
    mount.swap({ 'cds.json': written })
    await expect.poll(async () => (await ask(envoy)).refusals).toBe(1)
    const compiled = file(pay('east', 'north'))
    const report = proxyReport({ running: await ask(envoy), compiled, written: file(written), isGateway: false })
    expect(report.state).toBe('refused')
    expect(text(report)).toMatchInlineSnapshot(`
      "
      Sidecar
        Refuses what it was given (1 refusal since it started): runs table 64483bb6b9909a5c; its ConfigMap has 032feffb236af062; compiling now gives 032feffb236af062. See the log of container portolan-proxy.

        cart.shop:8080  as compiled
          1.  east  10.9.0.1:80  weight 1  healthy  no calls
        pay.shop:8080  refused
          1.  east  10.9.0.1:80  weight 1  healthy  no calls
      "
    `)
  })
})

describe('a gateway', () => {
  const mount = new Mount()
  let envoy: RunningEnvoy
  beforeAll(async () => {
    const table = { version: 'none', routes: [], tcp: [] }
    mount.swap({ 'cds.json': gatewayCds(table), 'rds.json': gatewayRds(table) })
    const given = await settings(mount)
    envoy = await startEnvoy(gatewayBootstrap({ ...given, port: await freePort() }), given)
  })
  afterAll(async () => {
    await envoy?.stop()
    mount.remove()
  })

  const tables = cases.map(({ name, tables: { gateway }, previous }) => ({ name, gateway, previous }))
  test.each(tables)('runs what was written: $name', async ({ gateway, previous }) => {
    const written = gatewayCds(gateway, previous?.gateway)
    const routes = gatewayRds(gateway)
    mount.swap({ 'cds.json': written, 'rds.json': routes })
    const report = async () =>
      proxyReport({
        running: await ask(envoy),
        compiled: file(gatewayCds(gateway)),
        written: file(written),
        routes: JSON.parse(routes) as RouteFile,
        isGateway: true,
      })
    await expect.poll(report).toMatchObject({ state: 'same', versions: { running: gateway.version } })
    const others = (await report()).rows.filter(({ state }) => state !== 'same')
    expect(others.filter(({ state }) => state !== 'leaving')).toEqual([])
  })
})
