/** Real Envoys for tests: started on loopback addresses, fed by a folder that is swapped as the kubelet swaps a ConfigMap's. */
import { spawn } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { copyFile, link } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { until } from '../lab/run.ts'
import { envoy } from '../lab/toolchain.ts'

/** How long a busy kubelet takes from the rename to the links. */
const LINKS_LATE_MS = 100

/**
 * A mounted ConfigMap: files are links into `..data`, which a rename moves from one version to the next. Files that the
 * version before lacked are linked only after it.
 */
export class Mount {
  readonly directory = mkdtempSync(join(tmpdir(), 'portolan-envoy-'))
  #version = 0

  swap(files: Readonly<Record<string, string>>): void {
    const version = `..v${++this.#version}`
    mkdirSync(join(this.directory, version))
    for (const [name, text] of Object.entries(files)) writeFileSync(join(this.directory, version, name), text)
    symlinkSync(version, join(this.directory, '..data_tmp'))
    const old = this.#version > 1 ? readlinkSync(join(this.directory, '..data')) : undefined
    renameSync(join(this.directory, '..data_tmp'), join(this.directory, '..data'))
    if (old === undefined) this.#link(files)
    else {
      rmSync(join(this.directory, old), { recursive: true })
      setTimeout(() => this.#link(files), LINKS_LATE_MS).unref()
    }
  }

  #link(files: Readonly<Record<string, string>>): void {
    if (!existsSync(this.directory)) return
    for (const name of Object.keys(files))
      if (lstatSync(join(this.directory, name), { throwIfNoEntry: false }) === undefined)
        symlinkSync(`..data/${name}`, join(this.directory, name))
  }

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true })
  }
}

export interface RunningEnvoy {
  readonly pid: number
  readonly adminPort: number
  readonly metricsPort: number
  /** Statistics whose name matches, by name. */
  readonly stats: (filter: string) => Promise<Readonly<Record<string, string>>>
  /**
   * Resolves when the proxy has no connection to an endpoint any more. Until it has heard that one broke, it may send a
   * call there, and would not send it again.
   */
  readonly leaves: (endpoint: { readonly host: string; readonly port: number }) => Promise<void>
  /** Resolves when the proxy runs this version of its clusters. */
  readonly runs: (version: string) => Promise<void>
  readonly output: () => string
  readonly stop: () => Promise<void>
}

/** For what is soon so, and waited for many times. */
export const OFTEN = { every: 10 }

/** The program where other users get at it: the cache may be in a home that is closed to them. */
const reachable = async (program: string, directory: string): Promise<string> => {
  const copy = join(directory, 'envoy')
  await link(program, copy).catch(() => copyFile(program, copy))
  return copy
}

/** Starts an Envoy on a bootstrap and waits until it is live. @param uid of its process, this one's by default */
export const startEnvoy = async (
  bootstrap: unknown,
  ports: { readonly adminPort: number; readonly metricsPort: number },
  env: Readonly<Record<string, string>> = {},
  uid?: number,
): Promise<RunningEnvoy> => {
  const directory = mkdtempSync(join(tmpdir(), 'portolan-bootstrap-'))
  const file = join(directory, 'bootstrap.json')
  writeFileSync(file, JSON.stringify(bootstrap))
  chmodSync(directory, 0o755)
  const flags = ['--disable-hot-restart', '--concurrency', '1', '--drain-time-s', '5', '-l', 'warning']
  const identity = ['--service-node', 'pod.namespace', '--service-cluster', 'namespace']
  const strict = ['--reject-unknown-dynamic-fields', '--file-flush-interval-msec', '20']
  const child = spawn(
    uid === undefined ? await envoy() : await reachable(await envoy(), directory),
    ['-c', file, ...flags, ...identity, ...strict],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
      ...(uid === undefined ? {} : { uid }),
    },
  )
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk))
  const gone = new Promise<void>((resolve) => child.on('exit', () => resolve()))

  const admin = async (path: string): Promise<string> => {
    const answer = await fetch(`http://127.0.0.1:${ports.adminPort}${path}`)
    if (!answer.ok) throw new Error(`${path}: ${answer.status}`)
    return answer.text()
  }
  const stats = async (filter: string) => {
    const lines = (await admin(`/stats?filter=${encodeURIComponent(filter)}`)).trim().split('\n')
    return Object.fromEntries(
      lines.filter((line) => line.includes(': ')).map((line) => line.replaceAll('"', '').split(': ')),
    )
  }
  const hasEnded = () => child.exitCode !== null || child.signalCode !== null
  const stop = async () => {
    child.kill('SIGKILL')
    await gone
    rmSync(directory, { recursive: true, force: true })
  }
  try {
    await until(
      'Envoy is live',
      async () => {
        if (hasEnded()) return true
        return (await admin('/ready')).startsWith('LIVE')
      },
      OFTEN,
    )
    if (hasEnded()) throw new Error(`Envoy ended with ${child.signalCode ?? `code ${child.exitCode}`}`)
  } catch (cause) {
    await stop()
    throw new Error(`Envoy does not start:\n${output.slice(-3000)}`, { cause })
  }
  return {
    ...ports,
    pid: child.pid ?? 0,
    stats,
    leaves: async ({ host, port }) => {
      const connected = new RegExp(`::${host}:${port}::cx_active::[1-9]`)
      await until(`Envoy leaves ${host}:${port}`, async () => !connected.test(await admin('/clusters')), OFTEN)
    },
    runs: async (version) => {
      const runsIt = async () => Object.values(await stats('cds.version_text')).includes(version)
      await until(`Envoy runs ${version}`, runsIt, OFTEN)
    },
    output: () => output,
    stop,
  }
}
