/** The real CoreDNS, and questions to it. */

import { type ChildProcess, spawn } from 'node:child_process'
import { Resolver } from 'node:dns/promises'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseManifests, render } from '../chart/helm.ts'
import { freePort } from '../lab/ports.ts'
import { until } from '../lab/run.ts'
import { binary } from '../lab/toolchain.ts'

export interface RunningDns {
  readonly output: () => string
  readonly stop: () => Promise<void>
}

/** Runs until it is stopped. @param corefile text */
export async function startCoreDns(corefile: string): Promise<RunningDns> {
  const dir = mkdtempSync(join(tmpdir(), 'portolan-dns-'))
  writeFileSync(join(dir, 'Corefile'), corefile)
  const child: ChildProcess = spawn(await binary('coredns'), ['-conf', join(dir, 'Corefile')])
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream?.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
  const ended = once(child, 'exit')
  await until('CoreDNS runs', () => {
    if (child.exitCode !== null) throw new Error(output)
    return output.includes('CoreDNS-')
  })
  return {
    output: () => output,
    stop: async () => {
      child.kill()
      await ended
      rmSync(dir, { recursive: true })
    },
  }
}

export interface MeshDns extends RunningDns {
  /** Where pods with a sidecar ask. */
  readonly sidecars: number
  /** Where the cluster's own DNS asks. */
  readonly cluster: number
}

/** Mesh DNS as the chart has it. @param directory of the files that the compiler writes. @param upstream port of the cluster's DNS */
export async function startMeshDns(directory: string, upstream: number): Promise<MeshDns> {
  const manifests = parseManifests(await render('--show-only', 'templates/dns/deployment.yaml'))
  const server = manifests.find(({ kind }) => kind === 'ConfigMap')
  const chart: string = server?.['data'].Corefile
  const [sidecars, cluster, health, ready, metrics] = [
    await freePort(),
    await freePort(),
    await freePort(),
    await freePort(),
    await freePort(),
  ]
  const corefile = chart
    .replaceAll('/etc/portolan/dns', directory)
    .replaceAll(':1053', `:${sidecars}`)
    .replaceAll(':1054', `:${cluster}`)
    .replace(':8080', `:${health}`)
    .replace(':8181', `:${ready}`)
    .replaceAll(':9153', `:${metrics}`)
    .replace('/etc/resolv.conf', `127.0.0.1:${upstream}`)
  return { ...(await startCoreDns(corefile)), sidecars, cluster }
}

type RecordType = 'A' | 'AAAA' | 'SRV' | 'TXT' | 'PTR'

/** The answer, sorted, a record a line; or ENODATA when the name has no such record, ENOTFOUND when there is no such name, or what else went wrong. */
export async function ask(port: number, type: RecordType, name: string): Promise<readonly string[]> {
  const resolver = new Resolver({ timeout: 10_000, tries: 3 })
  resolver.setServers([`127.0.0.1:${port}`])
  try {
    if (type === 'PTR') return (await resolver.reverse(name)).toSorted()
    if (type === 'SRV')
      return (await resolver.resolveSrv(name)).map(({ port: to, name: target }) => `${to} ${target}`).toSorted()
    if (type === 'TXT') return (await resolver.resolveTxt(name)).map((parts) => parts.join('')).toSorted()
    return (await (type === 'A' ? resolver.resolve4(name) : resolver.resolve6(name))).toSorted()
  } catch (error) {
    return [(error as NodeJS.ErrnoException).code ?? String(error)]
  }
}

/** Seconds that an answer may be kept. */
export async function lifeOf(port: number, name: string): Promise<readonly number[]> {
  const resolver = new Resolver()
  resolver.setServers([`127.0.0.1:${port}`])
  return (await resolver.resolve4(name, { ttl: true })).map(({ ttl }) => ttl)
}

const AXFR = 252

/** What becomes of the wish to have a zone whole: the code of the answer (5 = refused), and how many records it has. */
export async function askForAll(
  port: number,
  zone: string,
): Promise<{ readonly code: number; readonly records: number }> {
  const labels = zone.split('.').flatMap((label) => [label.length, ...Buffer.from(label)])
  const question = [0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, ...labels, 0, 0, AXFR, 0, 1]
  const socket = connect(port, '127.0.0.1')
  socket.write(Buffer.from([0, question.length, ...question]))
  const [answer] = (await once(socket, 'data')) as [Buffer]
  socket.destroy()
  // Behind the two bytes of its length.
  return { code: answer.readUInt8(5) & 15, records: answer.readUInt16BE(8) }
}
