/** What a machine must have before the lab can run, each lack told in one line with its remedy. */
import { existsSync, mkdirSync, readdirSync, readFileSync, statfsSync } from 'node:fs'
import { CACHE } from './cache.ts'
import { tryRun } from './run.ts'

export interface Requirement {
  readonly what: string
  /** How to get it. */
  readonly remedy: string
  readonly met: () => boolean | Promise<boolean>
}

async function works(command: string, ...args: readonly string[]): Promise<boolean> {
  try {
    return (await tryRun(command, args)).code === 0
  } catch {
    return false
  }
}

/** Go builds Kubernetes' module from 1.21 on: from there it fetches the newer toolchain that the module names. */
async function goIsNewEnough(): Promise<boolean> {
  try {
    const { stdout } = await tryRun('go', ['env', 'GOVERSION'])
    const [, major, minor] = /go(\d+)\.(\d+)/.exec(stdout) ?? []
    return Number(major) > 1 || Number(minor) >= 21
  } catch {
    return false
  }
}

/** A feature that is there, or comes when its module is loaded. */
async function kernelHas(module: string, present: () => boolean): Promise<boolean> {
  return present() || ((await works('modprobe', module)) && present())
}

function hasRoom(): boolean {
  mkdirSync(CACHE, { recursive: true })
  const { bavail, bsize } = statfsSync(CACHE)
  const isBuilt = readdirSync(CACHE).some((name) => name.startsWith('bin-'))
  return bavail * bsize >= (isBuilt ? 2e9 : 8e9)
}

export const REQUIREMENTS: readonly Requirement[] = [
  {
    what: 'Linux on x64 or arm64',
    remedy: 'run it in a virtual machine, or CLUSTERS=kind with Docker',
    met: () => process.platform === 'linux' && ['x64', 'arm64'].includes(process.arch),
  },
  {
    what: 'root (namespaces, mounts, links)',
    remedy: 'sudo -E env "PATH=$PATH" make …, or CLUSTERS=kind with Docker',
    met: () => process.getuid?.() === 0,
  },
  {
    what: 'apt-get and dpkg (containerd, runc, CNI plugins, iptables come as Debian packages)',
    remedy: 'use Debian 12 or newer or Ubuntu 24.04 or newer, or CLUSTERS=kind with Docker',
    met: async () => (await works('apt-get', '--version')) && (await works('dpkg', '--version')),
  },
  {
    what: 'Go 1.21 or newer (Kubernetes, etcd, helm and CoreDNS are built from source)',
    remedy: 'see https://go.dev/doc/install, or apt-get install golang-go where that is new enough',
    met: goIsNewEnough,
  },
  {
    what: 'python3 with pip (Envoy comes from PyPI)',
    remedy: 'apt-get install python3-pip',
    met: () => works('python3', '-m', 'pip', '--version'),
  },
  {
    what: `8 GB of free disk for what is built once, 2 GB afterwards, in ${CACHE}`,
    remedy: 'PORTOLAN_CACHE=DIR names another place',
    met: hasRoom,
  },
  { what: 'ip', remedy: 'apt-get install iproute2', met: () => works('ip', '-V') },
  {
    what: 'unshare, nsenter, mount and flock',
    remedy: 'apt-get install util-linux mount',
    met: async () =>
      (await Promise.all(['unshare', 'nsenter', 'mount', 'flock'].map((name) => works(name, '--version')))).every(
        Boolean,
      ),
  },
  {
    what: 'bash and GNU tar',
    remedy: 'apt-get install bash tar',
    met: async () => (await works('bash', '--version')) && works('tar', '--version'),
  },
  {
    what: "the kernel's overlay file system",
    remedy: 'modprobe overlay (CONFIG_OVERLAY_FS)',
    met: () => kernelHas('overlay', () => /\boverlay\b/.test(readFileSync('/proc/filesystems', 'utf8'))),
  },
  {
    what: "the kernel's bridge netfilter",
    remedy: 'modprobe br_netfilter (CONFIG_BRIDGE_NETFILTER)',
    met: () => kernelHas('br_netfilter', () => existsSync('/proc/sys/net/bridge/bridge-nf-call-iptables')),
  },
  {
    what: 'control groups, mounted at /sys/fs/cgroup',
    remedy: 'mount -t cgroup2 cgroup2 /sys/fs/cgroup',
    met: () => existsSync('/sys/fs/cgroup/cgroup.controllers') || existsSync('/sys/fs/cgroup/pids/cgroup.procs'),
  },
  {
    what: 'the right to make namespaces and mounts (CAP_SYS_ADMIN)',
    remedy: 'outside a container, or in one started with --privileged',
    // Without root this cannot be known, and root is asked for above.
    met: () =>
      process.getuid?.() !== 0 ||
      works('unshare', '--mount', '--net', '--pid', '--fork', 'mount', '-t', 'tmpfs', 'probe', '/mnt'),
  },
]

/** One line for each requirement that is not met. */
export async function lacks(requirements: readonly Requirement[] = REQUIREMENTS): Promise<readonly string[]> {
  const met = await Promise.all(requirements.map((requirement) => requirement.met()))
  return requirements
    .filter((_, i) => met[i] !== true)
    .map(({ what, remedy }) => `this machine lacks ${what}: ${remedy}`)
}

/** Throws an error that lists all that is lacking. */
export async function requireMachine(): Promise<void> {
  const lines = await lacks()
  if (lines.length > 0) throw new Error(lines.join('\n'))
}

/** The one feature that shows only with iptables at hand; `env` finds the unpacked one. Throws like `requireMachine`. */
export async function requireNat(env: Readonly<Record<string, string>>): Promise<void> {
  const { code, stderr } = await tryRun('unshare', ['--net', 'iptables', '-t', 'nat', '-S'], { env })
  if (code === 0) return
  const remedy = 'modprobe nf_tables nft_chain_nat nft_compat (CONFIG_NF_TABLES, CONFIG_NF_NAT, CONFIG_NFT_COMPAT)'
  throw new Error(`this machine lacks the kernel's address translation (${stderr.trim().split('\n')[0]}): ${remedy}`)
}
