/** A real API server on etcd, on loopback: for what needs Kubernetes' API and no node. */
import { type ChildProcess, spawn } from 'node:child_process'
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { openSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Connection, connect } from '../../kube/connection.ts'
import { freePorts } from '../lab/ports.ts'
import { type RunResult, tryRun, until } from '../lab/run.ts'
import { binary } from '../lab/toolchain.ts'

export interface ApiServer {
  /** `https://127.0.0.1:<port>`; the same after a restart. */
  readonly server: string
  readonly port: number
  /** Path of an administrator's kubeconfig. */
  readonly kubeconfig: string
  readonly connection: Connection
  /** The same server seen by another user: RBAC applies. `server` may name a proxy in front. */
  readonly connectionOf: (user: User, server?: string) => Connection
  readonly kubectl: (args: readonly string[], input?: string) => Promise<RunResult>
  /** SIGKILL; etcd stays. */
  readonly kill: () => Promise<void>
  /** Stops it where it stands, so that connections stay open and nothing answers; or lets it go on. */
  readonly freeze: (frozen: boolean) => void
  /** Starts the API server again after {@link ApiServer.kill}; resolves when ready. */
  readonly start: () => Promise<void>
  /** Forgets etcd's history: older resourceVersions answer 410 as soon as the API server's own cache is gone too. */
  readonly compact: () => Promise<void>
  /** Ends everything and removes the files. */
  readonly stop: () => Promise<void>
}

export interface User {
  readonly name: string
  readonly groups: readonly string[]
}

export interface ApiServerOptions {
  /** Beside the administrator. */
  readonly users?: readonly User[]
  readonly args?: readonly string[]
  /** Shared with other API servers; its own when absent. Ends with its starter. */
  readonly etcd?: Etcd
}

export interface Etcd {
  readonly url: string
  readonly stop: () => Promise<void>
}

export async function startEtcd(): Promise<Etcd> {
  const dir = await mkdtemp(join(tmpdir(), 'portolan-etcd-'))
  const [port, peerPort] = await freePorts(2)
  const url = `http://127.0.0.1:${port}`
  const peer = `http://127.0.0.1:${peerPort}`
  const etcd = daemon(dir, await binary('etcd'), [
    ...['--name', 'test', '--data-dir', join(dir, 'data'), '--unsafe-no-fsync', '--log-level', 'warn'],
    ...['--listen-client-urls', url, '--advertise-client-urls', url],
    ...['--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer, '--initial-cluster', `test=${peer}`],
  ])
  return {
    url,
    stop: async () => {
      await ended(etcd)
      await rm(dir, { recursive: true, force: true })
    },
  }
}

/** The user of `kubeconfig`. */
export const ADMIN: User = { name: 'admin', groups: ['system:masters'] }

export async function startApiServer({ users = [], args = [], etcd }: ApiServerOptions = {}): Promise<ApiServer> {
  const dir = await mkdtemp(join(tmpdir(), 'portolan-api-'))
  const [port] = await freePorts(1)
  const own = etcd === undefined ? await startEtcd() : undefined
  const etcdUrl = (etcd ?? own)?.url
  const server = `https://127.0.0.1:${port}`
  const token = randomBytes(16).toString('hex')
  const tokenOf = (user: User) => `${token}-${user.name}`

  const key = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  await writeFile(join(dir, 'sa.key'), key.privateKey.export({ type: 'pkcs8', format: 'pem' }))
  await writeFile(join(dir, 'sa.pub'), key.publicKey.export({ type: 'spki', format: 'pem' }))
  const row = (user: User) => `${tokenOf(user)},${user.name},${user.name},"${user.groups.join(',')}"\n`
  await writeFile(join(dir, 'tokens.csv'), [ADMIN, ...users].map(row).join(''))

  const program = await binary('kube-apiserver')
  const programArgs = [
    ...[
      `--etcd-servers=${etcdUrl}`,
      `--etcd-prefix=/port-${port}`,
      '--bind-address=127.0.0.1',
      '--advertise-address=127.0.0.1',
      `--secure-port=${port}`,
    ],
    ...[`--cert-dir=${join(dir, 'tls')}`, `--token-auth-file=${join(dir, 'tokens.csv')}`, '--authorization-mode=RBAC'],
    ...['--service-cluster-ip-range=10.43.0.0/16', '--allow-privileged=true', '--endpoint-reconciler-type=none'],
    // Without a controller manager no namespace would ever get its default account, and no pod could be created.
    '--disable-admission-plugins=ServiceAccount',
    '--service-account-issuer=https://kubernetes.default.svc.cluster.local',
    ...[
      `--service-account-key-file=${join(dir, 'sa.pub')}`,
      `--service-account-signing-key-file=${join(dir, 'sa.key')}`,
    ],
    ...args,
  ]
  let api: ChildProcess | undefined

  async function start() {
    const started = daemon(dir, program, programArgs)
    api = started
    const isReady = async () => {
      if (started.exitCode !== null) throw new Error(await logTail(dir, 'kube-apiserver'))
      const { code } = await tryRun('curl', [
        '-ksSf',
        '-H',
        `authorization: Bearer ${tokenOf(ADMIN)}`,
        `${server}/readyz`,
      ])
      return code === 0
    }
    // Several files start theirs at once, four and more each.
    await until('the API server is ready', isReady, { timeout: 180_000 })
  }

  async function kill() {
    if (api !== undefined) await ended(api)
    api = undefined
  }

  await start()
  const ca = await readFile(join(dir, 'tls/apiserver.crt'), 'utf8')
  const kubeconfig = join(dir, 'kubeconfig')
  await writeFile(kubeconfig, JSON.stringify(kubeconfigOf(server, ca, tokenOf(ADMIN))))
  const kubectl = await binary('kubectl')

  return {
    server,
    port: port ?? 0,
    kubeconfig,
    connection: await connect({ kubeconfig }),
    connectionOf: (user, to = server) => ({
      server: to,
      credentials: async () => ({ headers: { authorization: `Bearer ${tokenOf(user)}` }, tls: { ca } }),
    }),
    kubectl: (args, input) =>
      tryRun(kubectl, args, { env: { KUBECONFIG: kubeconfig }, ...(input === undefined ? {} : { input }) }),
    kill,
    freeze: (frozen) => void api?.kill(frozen ? 'SIGSTOP' : 'SIGCONT'),
    start,
    compact: async () => {
      const ask = async (path: string, body: unknown) => {
        const answer = await fetch(`${etcdUrl}${path}`, { method: 'POST', body: JSON.stringify(body) })
        return (await answer.json()) as { header: { revision: string } }
      }
      const { header } = await ask('/v3/kv/range', { key: Buffer.from('\0').toString('base64') })
      await ask('/v3/kv/compaction', { revision: header.revision, physical: true })
    },
    stop: async () => {
      await kill()
      await own?.stop()
      await rm(dir, { recursive: true, force: true })
    },
  }
}

/** Dies with its parent, so that an aborted run leaves nothing behind. */
function daemon(dir: string, program: string, args: readonly string[]): ChildProcess {
  const log = openSync(join(dir, `${program.split('/').at(-1)}.log`), 'a')
  return spawn('setpriv', ['--pdeathsig', 'KILL', program, ...args], { stdio: ['ignore', log, log] })
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exit = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGKILL')
  await exit
}

async function logTail(dir: string, name: string): Promise<string> {
  const log = await readFile(join(dir, `${name}.log`), 'utf8')
  return `${name} ended: ${log.trim().split('\n').slice(-5).join('\n')}`
}

function kubeconfigOf(server: string, ca: string, token: string) {
  return {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'test', cluster: { server, 'certificate-authority-data': Buffer.from(ca).toString('base64') } }],
    users: [{ name: 'test', user: { token } }],
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'test' } }],
    'current-context': 'test',
  }
}
