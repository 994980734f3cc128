/**
 * `node test/bench/mtls.bench.ts [SERVICE-PORTS]`: what mutual TLS costs a sidecar that knows many services, each in this and in two other clusters.
 * Real Envoys with one worker; nobody calls. Both rows come from one run.
 */

import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { ROUTES_MOUNT } from '../../api/names.ts'
import { bundleMapText, issueIdentity, issueRoot, spiffeBundle, spiffeId } from '../../certs/spiffe.ts'
import { compile } from '../../compiler/compile.ts'
import { sidecarFiles } from '../../compiler/files.ts'
import { sidecarBootstrap, sidecarCds } from '../../compiler/render-sidecar.ts'
import { sidecarTlsFiles } from '../../compiler/render-tls.ts'
import type { SidecarTable, Trust } from '../../compiler/tables.ts'
import * as build from '../compiler/build.ts'
import { Mount, startEnvoy } from '../envoy/proxy.ts'
import { Identity } from '../envoy/site.ts'
import { freePort } from '../lab/ports.ts'

const COUNT = Number(process.argv[2] ?? 1_000)
const LIFE = { now: Date.now(), lifeMs: 3_600_000 }
const CLUSTERS = ['west', 'east', 'north']
const domainOf = (cluster: string) => `${cluster}.portolan.local`

const roots = await Promise.all(CLUSTERS.map((commonName) => issueRoot({ commonName, ...LIFE })))
const [root] = roots
if (root === undefined) throw new Error('no root')
const trust: Trust = {
  trustDomain: domainOf('west'),
  bundle: bundleMapText(
    Object.fromEntries(CLUSTERS.map((name, index) => [domainOf(name), spiffeBundle([roots[index]?.cert ?? ''])])),
  ),
  clusters: Object.fromEntries(
    CLUSTERS.map((name) => [
      build.clusterKey(name),
      {
        trustDomain: domainOf(name),
        gateway: spiffeId(domainOf(name), 'portolan-system', 'portolan-gateway'),
      },
    ]),
  ),
}
const identity = new Identity(await issueIdentity({ root, id: spiffeId(domainOf('west'), 'app', 'web'), ...LIFE }))

const services = Array.from({ length: COUNT }, (_, index) => `shop/service-${index}`)
const tableWith = (trusted: Trust | undefined): SidecarTable => {
  const [table] = compile(
    build.snapshot({
      ...(trusted ? { trust: trusted } : {}),
      services: services.map((name) => build.service(name)),
      endpointSlices: services.map((name) => build.pods(name, ['10.0.0.1'], 80)),
      imports: services.map((name) =>
        build.serviceImport(name, [
          { cluster: 'east', host: '192.0.2.1' },
          { cluster: 'north', host: '192.0.2.2' },
        ]),
      ),
      policies: services.map((name) => build.policy(name, 'ActiveActive')),
    }),
  ).sidecars
  if (table === undefined) throw new Error('no table')
  return table
}

const row = (...cells: readonly (string | number)[]) => console.log(`| ${cells.join(' | ')} |`)
const megabytes = (kilobytes: string | undefined) => `${Math.round(Number(kilobytes) / 1024)} MB`

async function weigh(title: string, table: SidecarTable): Promise<void> {
  const mount = new Mount()
  const tls = table.trust ? sidecarTlsFiles(table.trust, mount.directory, identity.directory) : {}
  const swap = (next: SidecarTable) =>
    mount.swap({ 'cds.json': sidecarCds(next).replaceAll(ROUTES_MOUNT, mount.directory), ...tls })
  swap(table)
  const ports = { adminPort: await freePort(), metricsPort: await freePort(), capturePort: await freePort() }
  const settings = {
    clusterKey: build.clusterKey('west'),
    directory: mount.directory,
    accessLog: false,
    tcpRange: table.tcpRange,
    ...ports,
  }
  const envoy = await startEnvoy(sidecarBootstrap(settings), settings)
  await envoy.runs(table.version)
  const status = readFileSync(`/proc/${envoy.pid}/status`, 'utf8')
  const watches = readdirSync(`/proc/${envoy.pid}/fd`).filter((fd) =>
    readlinkSync(`/proc/${envoy.pid}/fd/${fd}`).includes('inotify'),
  )
  const begun = performance.now()
  swap({ ...table, version: 'next' })
  await envoy.runs('next')
  const took = performance.now() - begun
  const size = Object.values(sidecarFiles(table, settings.clusterKey).files).join('').length
  row(
    title,
    megabytes(/VmRSS:\s+(\d+)/.exec(status)?.[1]),
    megabytes(/RssAnon:\s+(\d+)/.exec(status)?.[1]),
    `${Math.round(sidecarCds(table).length / COUNT)} B`,
    `${Math.round(size / COUNT)} B`,
    `${(took / 1_000).toFixed(2)} s`,
    watches.length,
  )
  await envoy.stop()
  mount.remove()
}

row(`${COUNT} service-ports`, 'RSS', 'of it private', '`cds` each', 'ConfigMap each', 'read again', 'inotify instances')
row(...Array.from({ length: 7 }, () => '---'))
await weigh('plain HTTP', tableWith(undefined))
await weigh('mutual TLS', tableWith(trust))
identity.remove()
