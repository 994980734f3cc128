/** What every node gets a copy of, by hard links: a containerd store with the images it is born with, and those it can pull. */
import { cpSync, readdirSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { CACHE, cached, forgetOlder, shortHash } from './cache.ts'
import { bornImages, publishedImages } from './images.ts'
import { type Image, imageDigest, writeArchive, writeStore } from './oci.ts'
import { run, tryRun } from './run.ts'
import { debianPackages } from './toolchain.ts'

const CONFIG = (root: string) => `version = 2
root = "${root}"
state = "/run/containerd"
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.aufs"]
[grpc]
address = "/run/containerd/containerd.sock"
`

/** Runs in mount and PID namespaces of its own; $1 is the config, the rest are archives. */
const IMPORT = `
mount --make-rprivate /
mount -t tmpfs tmpfs /run
containerd --config "$1" > "$1.log" 2>&1 & daemon=$!
shift
until ctr version > /dev/null 2>&1; do sleep 0.05; done
for archive in "$@"; do ctr -n k8s.io images import "$archive" > /dev/null; done
for name in $(ctr -n k8s.io images list -q); do ctr -n k8s.io images label "$name" io.cri-containerd.image=managed > /dev/null; done
kill $daemon
wait $daemon || true
`

/** Path of the store, made when images or packages have changed. */
export async function seed(): Promise<string> {
  const images = await bornImages()
  const debian = await debianPackages()
  const name = `seed-${shortHash(debian.host, ...images.map((image) => image.name + imageDigest(image)))}`
  const step = { title: 'the image store that clusters start from', expect: '10 s' }
  const dir = await cached(name, step, async (dir) => {
    const work = join(CACHE, `.draft-${name}.work`)
    await run('mkdir', ['-p', work])
    const archives = await Promise.all(images.map((image, i) => archive(image, join(work, `${i}.tar`))))
    const config = join(work, 'containerd.toml')
    await run('tee', [config], { input: CONFIG(dir) })
    const isolated = ['--net', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc']
    await run('unshare', [...isolated, 'bash', '-euc', IMPORT, 'import', config, ...archives], { env: debian.env })
    await rm(work, { recursive: true })
  })
  forgetOlder('seed-', name)
  return dir
}

/** Path of what the nodes' registries serve, made when an image of it has changed. */
export async function registryStore(): Promise<string> {
  const images = await publishedImages()
  const name = `registry-${shortHash(...images.map((image) => image.name + imageDigest(image)))}`
  const dir = await cached(name, { title: 'the images that clusters can pull', expect: '1 s' }, (dir) =>
    writeStore(images, dir),
  )
  forgetOlder('registry-', name)
  return dir
}

async function archive(image: Image, file: string): Promise<string> {
  await writeArchive(image, file)
  return file
}

/**
 * Gives a node its own store: hard links to blobs and unpacked layers, which are never written again, and real copies
 * of the databases. Across file systems everything is copied.
 */
export async function plant(store: string, target: string): Promise<void> {
  await copyLinked(store, target)
  for (const part of readdirSync(store))
    for (const file of readdirSync(join(store, part)).filter((name) => name.endsWith('.db'))) {
      await rm(join(target, part, file), { force: true })
      cpSync(join(store, part, file), join(target, part, file))
    }
}

/** Fills an existing directory with hard links to the files of another; across file systems with copies. */
export async function copyLinked(from: string, to: string): Promise<void> {
  const linked = await tryRun('cp', ['-al', `${from}/.`, to])
  if (linked.code !== 0) await run('cp', ['-a', `${from}/.`, to])
}
