/**
 * `node test/bench/balance.bench.ts`: what the ways of spreading calls cost an Envoy, in memory and per call. Real Envoys on loopback with one worker;
 * CPU time is the kernel's count for the process, which other loads on the machine hardly touch.
 */

import { readFileSync } from 'node:fs'
import http from 'node:http'
import type { LoadBalancer } from '../../api/service-export.ts'
import { compile } from '../../compiler/compile.ts'
import { gatewayBootstrap, gatewayCds, gatewayRds } from '../../compiler/render-gateway.ts'
import { sidecarBootstrap, sidecarCds } from '../../compiler/render-sidecar.ts'
import type { GatewayTable, SidecarTable } from '../../compiler/tables.ts'
import * as build from '../compiler/build.ts'
import { startBackend } from '../envoy/backend.ts'
import { call } from '../envoy/call.ts'
import { Mount, type RunningEnvoy, startEnvoy } from '../envoy/proxy.ts'
import { startSession } from '../envoy/sessions.ts'
import { startSidecar, VIP_RANGE } from '../envoy/site.ts'
import { freePort } from '../lab/ports.ts'

const SERVICES = 100
const CALLS = 20_000

const row = (...cells: readonly (string | number)[]) => console.log(`| ${cells.join(' | ')} |`)
const table = (...head: readonly string[]) => {
  console.log('')
  row(...head)
  row(...head.map(() => '---'))
}

const names = Array.from({ length: SERVICES }, (_, index) => `shop/service-${index}`)
const podsOf = (count: number): readonly string[] => Array.from({ length: count }, (_, index) => `10.0.0.${index + 1}`)

const sidecarTable = (services: number, sticky: boolean): SidecarTable => {
  const known = names.slice(0, services)
  const [only] = compile(
    build.snapshot({
      services: known.map((name) => build.service(name)),
      endpointSlices: known.map((name) => build.pods(name, podsOf(3), 80)),
      imports: known.map((name) => {
        const object = build.serviceImport(name, [
          { cluster: 'east', host: '192.0.2.1' },
          { cluster: 'north', host: '192.0.2.2' },
        ])
        return { ...object, spec: { ...object.spec, sessionSticky: sticky } }
      }),
      policies: known.map((name) => build.policy(name, 'ActiveActive')),
    }),
  ).sidecars
  if (!only) throw new Error('no table')
  return only
}

const gatewayTable = (spec: { loadBalancer?: LoadBalancer; sessionSticky?: boolean }, pods: number): GatewayTable =>
  compile(
    build.snapshot({
      services: names.map((name) => build.service(name)),
      endpointSlices: names.map((name) => build.pods(name, podsOf(pods), 80)),
      exports: names.map((name) => build.serviceExport(name, spec)),
    }),
  ).gateway

const settings = async (directory: string) => ({
  clusterKey: build.mesh.clusterKey,
  directory,
  accessLog: false,
  adminPort: await freePort(),
  metricsPort: await freePort(),
})

const rssMb = ({ pid }: RunningEnvoy): number => {
  const kb = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
  return Number(kb) / 1024
}

const weigh = async (files: Record<string, string>, start: (directory: string) => Promise<RunningEnvoy>) => {
  const mount = new Mount()
  mount.swap(files)
  const proxy = await start(mount.directory)
  const [allocated] = Object.values(await proxy.stats('^server.memory_allocated$'))
  const weights = { rss: rssMb(proxy), allocated: Number(allocated) / 1024 / 1024 }
  await proxy.stop()
  mount.remove()
  return weights
}

const weighSidecar = (cds: string) =>
  weigh({ 'cds.json': cds }, async (directory) => {
    const all = { ...(await settings(directory)), capturePort: await freePort(), tcpRange: '240.240.128.0/17' }
    return startEnvoy(sidecarBootstrap(all), all)
  })

const weighGateway = (cds: string, rds: string) =>
  weigh({ 'cds.json': cds, 'rds.json': rds }, async (directory) => {
    const all = { ...(await settings(directory)), port: await freePort() }
    return startEnvoy(gatewayBootstrap(all), all)
  })

const line = (title: string, bytes: number, { rss, allocated }: { rss: number; allocated: number }) =>
  row(title, `${rss.toFixed(1)} MB`, `${allocated.toFixed(1)} MB`, `${Math.round(bytes / SERVICES)} B`)

table('sidecar', 'RSS', 'allocated', '`cds.json` per service-port')
line('no import', 0, await weighSidecar(sidecarCds(sidecarTable(0, false))))
for (const sticky of [false, true]) {
  const cds = sidecarCds(sidecarTable(SERVICES, sticky))
  line(`${SERVICES} service-ports, ${sticky ? 'sessions stay' : 'plain'}`, cds.length, await weighSidecar(cds))
}

const MAGLEV = /"lb_policy":"MAGLEV","maglev_lb_config":\{"table_size":\d+\}/g
for (const pods of [3, 30]) {
  table(`gateway, ${SERVICES} exports of ${pods} pods`, 'RSS', 'allocated', '`cds.json` per export')
  const shapes: readonly (readonly [string, Parameters<typeof gatewayTable>[0], string?])[] = [
    ['RoundRobinLoadBalancer', {}],
    ['RoundRobinLoadBalancer, sessions stay', { sessionSticky: true }],
    ['LeastWorkLoadBalancer', { loadBalancer: 'LeastWorkLoadBalancer' }],
    ['HashingLoadBalancer', { loadBalancer: 'HashingLoadBalancer' }],
    ['the same as Envoy’s default ring', { loadBalancer: 'HashingLoadBalancer' }, '"lb_policy":"RING_HASH"'],
    ['the same with Envoy’s default table', { loadBalancer: 'HashingLoadBalancer' }, '"lb_policy":"MAGLEV"'],
  ]
  for (const [title, spec, instead] of shapes) {
    const shape = gatewayTable(spec, pods)
    const cds = instead === undefined ? gatewayCds(shape) : gatewayCds(shape).replaceAll(MAGLEV, instead)
    line(title, cds.length, await weighGateway(cds, gatewayRds(shape)))
  }
}

const TICKS_PER_SECOND = 100
const cpuSeconds = ({ pid }: RunningEnvoy): number => {
  // Fields after the command's name, which may have spaces: user and system time are the 12th and 13th of them.
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND
}

const port = await freePort()
const app = await startBackend('app', '127.94.0.1', port)
const own = (sticky: boolean): SidecarTable => {
  const object = build.serviceImport('shop/web', [{ cluster: 'east', host: app.host, port }], [{ port }])
  const [only] = compile(
    build.snapshot({
      mesh: { ...build.mesh, vipRange: VIP_RANGE },
      imports: [{ ...object, spec: { ...object.spec, sessionSticky: sticky } }],
      policies: [build.policy('shop/web', 'ActiveActive')],
    }),
  ).sidecars
  if (!only) throw new Error('no table')
  return only
}

table('one call through a sidecar', "its Envoy's CPU time")
for (const [title, sticky, cookies] of [
  ['plain', false, false],
  ['sessions stay, the caller keeps no cookies', true, false],
  ['sessions stay, the caller keeps them', true, true],
] as const) {
  const proxy = await startSidecar(own(sticky), build.mesh.clusterKey)
  const agent = new http.Agent({ keepAlive: true, maxSockets: 4 })
  const to = { host: own(sticky).routes[0]?.vip ?? '', port, agent }
  const session = startSession()
  const one = cookies ? () => session.call(to) : () => call(to)
  const run = async (calls: number) => {
    for (let done = 0; done < calls; done += 4) await Promise.all([one(), one(), one(), one()])
  }
  await run(CALLS / 5)
  const before = cpuSeconds(proxy)
  await run(CALLS)
  row(title, `${Math.round(((cpuSeconds(proxy) - before) / CALLS) * 1e6)} µs`)
  agent.destroy()
  await proxy.stop()
}
await app.kill()
