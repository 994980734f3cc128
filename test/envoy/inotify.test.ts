/** Why the proxies of a node are spread over uids: what a sidecar takes of the instances of inotify that a uid has. */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { afterAll, expect, test } from 'vitest'
import { PROXY_UID_BASE, ROUTES_MOUNT } from '../../api/names.ts'
import { bundleMapText, issueIdentity, issueRoot, spiffeBundle, spiffeId } from '../../certs/spiffe.ts'
import { compile } from '../../compiler/compile.ts'
import { sidecarBootstrap, sidecarCds } from '../../compiler/render-sidecar.ts'
import { sidecarTlsFiles } from '../../compiler/render-tls.ts'
import * as build from '../compiler/build.ts'
import { freePort } from '../lab/ports.ts'
import { Mount, type RunningEnvoy, startEnvoy } from './proxy.ts'
import { Identity } from './site.ts'

const LIMIT = Number(readFileSync('/proc/sys/fs/inotify/max_user_instances', 'utf8'))
const isRoot = process.getuid?.() === 0
if (!isRoot) console.warn('skipped: the test of inotify instances needs root, to be other users')

const CROWDED = PROXY_UID_BASE + 998
const FREE = PROXY_UID_BASE + 999

const instancesOf = (pid: number): number =>
  readdirSync(`/proc/${pid}/fd`).filter((fd) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${fd}`) === 'anon_inode:inotify'
    } catch {
      return false
    }
  }).length

const stops: (() => unknown)[] = []
afterAll(() => Promise.all(stops.map((stop) => stop())))

/** A sidecar with an identity. */
async function sidecarAs(uid: number): Promise<RunningEnvoy> {
  const root = await issueRoot({ commonName: 'west', now: Date.now(), lifeMs: 3_600_000 })
  const trustDomain = 'west.portolan.local'
  const id = spiffeId(trustDomain, 'app', 'curl')
  const gateway = spiffeId(trustDomain, 'portolan-system', 'portolan-gateway')
  const trust = {
    trustDomain,
    bundle: bundleMapText({ [trustDomain]: spiffeBundle([root.cert]) }),
    clusters: { [build.clusterKey('east')]: { trustDomain, gateway } },
  }
  const { sidecars } = compile(
    build.snapshot({
      mesh: { ...build.mesh, vipRange: '127.240.0.0/16' },
      trust,
      imports: [build.serviceImport('shop/web', [{ cluster: 'east' }])],
      policies: [build.policy('shop/web', 'ActiveActive')],
    }),
  )
  const [table] = sidecars
  if (table?.trust === undefined) throw new Error('there is no table with trust')
  const identity = new Identity(await issueIdentity({ root, id, now: Date.now(), lifeMs: 3_600_000 }))
  const mount = new Mount()
  mount.swap({
    'cds.json': sidecarCds(table).replaceAll(ROUTES_MOUNT, mount.directory),
    ...sidecarTlsFiles(table.trust, mount.directory, identity.directory),
  })
  for (const directory of [mount.directory, identity.directory]) chmodSync(directory, 0o755)
  stops.push(
    () => mount.remove(),
    () => identity.remove(),
  )
  const [adminPort, metricsPort, capturePort] = [await freePort(), await freePort(), await freePort()]
  const ports = { adminPort, metricsPort }
  const settings = {
    ...ports,
    capturePort,
    accessLog: false,
    clusterKey: build.clusterKey('west'),
    directory: mount.directory,
    tcpRange: table.tcpRange,
  }
  const proxy = await startEnvoy(sidecarBootstrap(settings), ports, {}, uid)
  stops.push(proxy.stop)
  return proxy
}

/** inotify_init1, by the machine. */
const SYSCALL: Readonly<Record<string, number>> = { x64: 294, arm64: 26 }

/** Takes instances of a user, in one process that holds them until the end. */
async function crowd(uid: number, count: number): Promise<void> {
  const take = `$n = 0; for (1..${count}) { $n++ if syscall(${SYSCALL[process.arch]}, 0) >= 0 } print "$n\\n"; sleep 600`
  const script = `ulimit -n ${count + 100} && exec setpriv --reuid ${uid} --clear-groups perl -e '$| = 1; ${take}'`
  const child = spawn('sh', ['-c', script], { stdio: ['ignore', 'pipe', 'inherit'] })
  stops.push(async () => {
    const ended = child.exitCode === null ? once(child, 'exit') : undefined
    child.kill('SIGKILL')
    await ended
  })
  const [taken] = await Promise.race([once(child.stdout, 'data'), once(child, 'exit')])
  expect(String(taken).trim()).toBe(String(count))
}

test.skipIf(!isRoot)(
  'where a uid has too few instances left a sidecar does not start, and by another uid it does',
  async () => {
    const proxy = await sidecarAs(FREE)
    const needed = instancesOf(proxy.pid)
    await proxy.stop()
    console.info(`a sidecar with an identity holds ${needed} instances of inotify: ${Math.floor(LIMIT / needed)} a uid`)

    await crowd(CROWDED, LIMIT - needed + 1)
    await expect(sidecarAs(CROWDED)).rejects.toThrow(/Envoy does not start/)
    expect(instancesOf((await sidecarAs(FREE)).pid)).toBe(needed)
  },
)
