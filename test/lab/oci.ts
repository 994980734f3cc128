/**
 * OCI images without an engine: a layer is a directory made into a tar, an image a list of layers and a config.
 * Layers are not compressed: they go to a local store, and so a layer's diff id is the digest of its blob.
 * https://github.com/opencontainers/image-spec (image-layout, manifest, config)
 */
import { createHash } from 'node:crypto'
import { createReadStream, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { copyFile, link, mkdtemp, rename, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { run } from './run.ts'
import { architecture } from './toolchain.ts'

export interface Layer {
  /** The tar, wherever it is kept. */
  readonly file: string
  readonly digest: string
  readonly size: number
}

export interface ImageConfig {
  readonly Entrypoint?: readonly string[]
  readonly Cmd?: readonly string[]
  readonly Env?: readonly string[]
  readonly User?: string
  readonly WorkingDir?: string
}

export interface Image {
  /** Full name with tag: `portolan.test/portolan:dev`. */
  readonly name: string
  readonly layers: readonly Layer[]
  readonly config: ImageConfig
}

interface Blob {
  readonly digest: string
  readonly size: number
  readonly content: string
}

const MEDIA = 'application/vnd.oci.image'
/** What a manifest is called by HTTP and in an index. */
export const MANIFEST = `${MEDIA}.manifest.v1+json`
/** Where an index says the full name of an image. */
export const NAME_ANNOTATION = 'io.containerd.image.name'

function sha256(content: string): string {
  return `sha256:${createHash('sha256').update(content).digest('hex')}`
}

function blob(value: unknown): Blob {
  const content = JSON.stringify(value)
  return { digest: sha256(content), size: Buffer.byteLength(content), content }
}

/** The same files give the same bytes: order, times and owners are fixed. Symbolic links are kept. */
export async function makeTar(
  file: string,
  dir: string,
  paths: readonly string[] = ['.'],
  follow = false,
): Promise<void> {
  const fixed = ['--sort=name', '--mtime=@0', '--owner=0', '--group=0', '--numeric-owner', '--format=gnu']
  await run('tar', [...fixed, ...(follow ? ['--dereference'] : []), '-cf', file, '-C', dir, ...paths])
}

/** Makes `dir` a layer, kept at `file`. */
export async function writeLayer(dir: string, file: string): Promise<Layer> {
  mkdirSync(dirname(file), { recursive: true })
  await makeTar(file, dir)
  return describeLayer(file)
}

/** Reads a tar that is a layer already. */
export async function describeLayer(file: string): Promise<Layer> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(file)) hash.update(chunk as Uint8Array)
  return { file, digest: `sha256:${hash.digest('hex')}`, size: statSync(file).size }
}

function manifests(image: Image) {
  const platform = { architecture: architecture().oci, os: 'linux' }
  const config = blob({
    ...platform,
    config: image.config,
    rootfs: { type: 'layers', diff_ids: image.layers.map((layer) => layer.digest) },
  })
  const manifest = blob({
    schemaVersion: 2,
    mediaType: MANIFEST,
    config: { mediaType: `${MEDIA}.config.v1+json`, digest: config.digest, size: config.size },
    layers: image.layers.map(({ digest, size }) => ({ mediaType: `${MEDIA}.layer.v1.tar`, digest, size })),
  })
  const entry = {
    mediaType: MANIFEST,
    digest: manifest.digest,
    size: manifest.size,
    platform,
    annotations: {
      [NAME_ANNOTATION]: image.name,
      'org.opencontainers.image.ref.name': image.name.slice(image.name.lastIndexOf(':') + 1),
    },
  }
  return { config, manifest, entry }
}

/** Digest of the image's manifest: two images with the same digest are the same image. */
export function imageDigest(image: Image): string {
  return manifests(image).manifest.digest
}

/** Lays images out below `dir`, each blob under its digest; `place` puts a layer's tar there. */
async function writeLayout(
  images: readonly Image[],
  dir: string,
  place: (layer: Layer, path: string) => Promise<void>,
): Promise<void> {
  const blobs = join(dir, 'blobs/sha256')
  mkdirSync(blobs, { recursive: true })
  const path = (digest: string) => join(blobs, digest.slice('sha256:'.length))
  const described = images.map(manifests)
  for (const { config, manifest } of described)
    for (const each of [config, manifest]) writeFileSync(path(each.digest), each.content)
  const layers = new Map(images.flatMap((image) => image.layers).map((layer) => [layer.digest, layer]))
  for (const layer of layers.values()) await place(layer, path(layer.digest))
  const index = {
    schemaVersion: 2,
    mediaType: `${MEDIA}.index.v1+json`,
    manifests: described.map(({ entry }) => entry),
  }
  writeFileSync(join(dir, 'oci-layout'), JSON.stringify({ imageLayoutVersion: '1.0.0' }))
  writeFileSync(join(dir, 'index.json'), JSON.stringify(index))
}

/**
 * Writes the image as an archive in OCI layout, which `ctr images import` and `docker load` read.
 * Layers whose digest is in `known` are left out: a store that has them already needs only the rest.
 */
export async function writeArchive(image: Image, file: string, known: ReadonlySet<string> = new Set()): Promise<void> {
  const stage = await mkdtemp(join(tmpdir(), 'portolan-oci-'))
  try {
    await writeLayout([image], stage, async (layer, path) => {
      if (!known.has(layer.digest)) await symlink(layer.file, path)
    })
    const draft = `${file}.${process.pid}`
    await makeTar(draft, stage, ['oci-layout', 'index.json', 'blobs'], true)
    await rename(draft, file)
  } finally {
    await rm(stage, { recursive: true, force: true })
  }
}

/** Writes images into a directory that a registry serves from; it shares the layers' bytes where the file system can. */
export async function writeStore(images: readonly Image[], dir: string): Promise<void> {
  await writeLayout(images, dir, (layer, path) => link(layer.file, path).catch(() => copyFile(layer.file, path)))
}

/** A layer written by `writeLayer` under `dir` earlier, from its description beside it. */
export function readLayer(dir: string): Layer {
  const { digest, size } = JSON.parse(readFileSync(join(dir, 'layer.json'), 'utf8')) as Pick<Layer, 'digest' | 'size'>
  return { file: join(dir, 'layer.tar'), digest, size }
}
