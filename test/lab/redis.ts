/** A Redis beside the clusters of a lab, on the address by which their pods reach this machine: from Debian's package. */
import { spawn } from 'node:child_process'
import { mkdirSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { cached, shortHash } from './cache.ts'
import { cgroups } from './cgroup.ts'
import { distribution, unpackPackages } from './debian.ts'
import type { LabPlan } from './plan.ts'
import { run, until } from './run.ts'
import { architecture } from './toolchain.ts'

const PACKAGES = ['redis-tools']

interface Redis {
  /** Directory of redis-cli and the server. */
  readonly bin: string
  readonly env: Readonly<Record<string, string>>
}

/** Redis's programs, unpacked. */
async function redisPackage(): Promise<Redis> {
  const step = { title: 'Redis from Debian packages', expect: '10 s' }
  const key = `${distribution()}-${shortHash(JSON.stringify(PACKAGES))}`
  const dir = await cached(`redis-${key}`, step, (dir, progress) => unpackPackages(dir, { host: PACKAGES }, progress))
  const root = join(dir, 'host')
  const { triplet } = architecture()
  const libraries = ['usr/lib', 'lib'].map((each) => join(root, each, triplet))
  return { bin: join(root, 'usr/bin'), env: { LD_LIBRARY_PATH: libraries.join(':') } }
}

/** Debian's packages have the server under another's name: it goes by what it is called. */
const SERVER = 'redis-check-rdb'

/** Runs redis-cli against the lab's Redis; returns what it prints. */
export async function redis(lab: LabPlan, password: string, ...args: readonly string[]): Promise<string> {
  const { bin, env } = await redisPackage()
  const cli = ['-h', lab.hostAddress, '--no-auth-warning', '-a', password, '--raw', ...args]
  return run(join(bin, 'redis-cli'), cli, { env })
}

/** Starts Redis with these arguments unless it runs; it ends with the lab, whose control groups all go. */
export async function startRedis(lab: LabPlan, password: string, args: readonly string[]): Promise<void> {
  const { bin, env } = await redisPackage()
  const group = `${lab.prefix}-redis`
  if (cgroups.processes(group).length === 0) {
    const data = join(lab.dir, 'redis')
    mkdirSync(data, { recursive: true })
    const log = openSync(join(data, 'log'), 'a')
    const members = cgroups.create(group).join(' ')
    const script = `for file in ${members}; do echo 0 > "$file"; done; exec -a redis-server "$@"`
    const command = [join(bin, SERVER), '--bind', lab.hostAddress, '--dir', data, ...args]
    spawn('bash', ['-ec', script, 'redis', ...command], {
      env: { ...process.env, ...env },
      detached: true,
      stdio: ['ignore', log, log],
    }).unref()
  }
  await until('Redis answers', async () => (await redis(lab, password, 'ping')).trim() === 'PONG')
}
