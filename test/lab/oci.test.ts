import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync } from 'node:fs'
import { chmod, mkdir, readdir, rm, symlink, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { type Image, imageDigest, type Layer, writeArchive, writeLayer } from './oci.ts'
import { run } from './run.ts'

const dir = mkdtempSync(join(tmpdir(), 'portolan-oci-test-'))
afterAll(() => rm(dir, { recursive: true }))

async function tree(name: string, files: Readonly<Record<string, string>>, time: number): Promise<string> {
  const root = join(dir, name)
  for (const [path, text] of Object.entries(files)) {
    await mkdir(join(root, path, '..'), { recursive: true })
    await writeFile(join(root, path), text)
    await utimes(join(root, path), time, time)
  }
  await chmod(root, 0o755)
  return root
}

const layer = async (name: string, files: Readonly<Record<string, string>>, time = 1) =>
  writeLayer(await tree(name, files, time), join(dir, `${name}.tar`))
const image = (...layers: readonly Layer[]): Image => ({ name: 'portolan.test/x:1', layers, config: { Cmd: ['sh'] } })

async function unpacked(archive: string): Promise<string> {
  const to = `${archive}.d`
  await mkdir(to)
  await run('tar', ['-xf', archive, '-C', to])
  return to
}

const json = (...path: readonly string[]) => JSON.parse(readFileSync(join(...path), 'utf8'))

test('the same files make the same layer, whatever their age; another byte makes another', async () => {
  const one = await layer('one', { 'bin/a': 'a', 'etc/b': 'b' }, 1)
  const same = await layer('same', { 'etc/b': 'b', 'bin/a': 'a' }, 99_999)
  const other = await layer('other', { 'bin/a': 'a', 'etc/b': 'B' })
  expect(same.digest).toBe(one.digest)
  expect(other.digest).not.toBe(one.digest)
})

test('a layer keeps links and modes', async () => {
  const root = await tree('kept', { 'bin/tool': '#!' }, 1)
  await chmod(join(root, 'bin/tool'), 0o755)
  await symlink('tool', join(root, 'bin/alias'))
  const listing = await run('tar', ['-tvf', (await writeLayer(root, join(dir, 'kept.tar'))).file])
  expect(listing).toMatch(/-rwxr-xr-x 0\/0 .*\.\/bin\/tool\n/)
  expect(listing).toContain('./bin/alias -> tool')
})

test('an archive is an OCI layout: every blob has the digest it is called by, and sizes add up', async () => {
  const layers = [await layer('base', { a: '1' }), await layer('top', { b: '2' })]
  const archive = join(dir, 'image.tar')
  await writeArchive(image(...layers), archive)
  const root = await unpacked(archive)
  for (const name of await readdir(join(root, 'blobs/sha256')))
    expect(
      createHash('sha256')
        .update(readFileSync(join(root, 'blobs/sha256', name)))
        .digest('hex'),
    ).toBe(name)
  expect(json(root, 'oci-layout')).toEqual({ imageLayoutVersion: '1.0.0' })
  const [entry] = json(root, 'index.json').manifests
  expect(entry.annotations['io.containerd.image.name']).toBe('portolan.test/x:1')
  expect(entry.digest).toBe(imageDigest(image(...layers)))
  const blob = (digest: string) => json(root, 'blobs/sha256', digest.slice(7))
  const manifest = blob(entry.digest)
  expect(manifest.layers.map((each: Layer) => [each.digest, each.size])).toEqual(
    layers.map((each) => [each.digest, each.size]),
  )
  expect(blob(manifest.config.digest)).toMatchObject({
    config: { Cmd: ['sh'] },
    rootfs: { diff_ids: layers.map((each) => each.digest) },
  })
})

test('layers that the other side has are left out, and the image is the same one', async () => {
  const layers = [await layer('known', { a: '1' }), await layer('new', { c: '3' })]
  const archive = join(dir, 'thin.tar')
  await writeArchive(image(...layers), archive, new Set([layers[0]?.digest ?? '']))
  const blobs = await readdir(join(await unpacked(archive), 'blobs/sha256'))
  expect(blobs).toContain(layers[1]?.digest.slice(7))
  expect(blobs).not.toContain(layers[0]?.digest.slice(7))
  expect(blobs).toHaveLength(3)
})

test('an image with the same layer twice is fine', async () => {
  const twice = await layer('twice', { a: '1' })
  await writeArchive(image(twice, twice), join(dir, 'twice.tar'))
  expect((await readdir(join(await unpacked(join(dir, 'twice.tar')), 'blobs/sha256'))).length).toBe(3)
})
