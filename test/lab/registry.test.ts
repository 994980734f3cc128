/** The registry over images laid out by our own writer, asked as containerd asks. */
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Image, imageDigest, MANIFEST, writeLayer, writeStore } from './oci.ts'
import { registryServer } from './registry.ts'

const dir = mkdtempSync(join(tmpdir(), 'portolan-registry-test-'))
const store = join(dir, 'store')
let one: Image
let server: ReturnType<typeof registryServer>
let url: string

beforeAll(async () => {
  mkdirSync(join(dir, 'root'))
  writeFileSync(join(dir, 'root/file'), 'content')
  const layer = await writeLayer(join(dir, 'root'), join(dir, 'layer.tar'))
  one = { name: 'docker.io/some/app:latest', layers: [layer], config: { Cmd: ['app'] } }
  mkdirSync(store)
  await writeStore([one, { ...one, name: 'docker.io/some/app:2', config: {} }], store)
  server = registryServer(store)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterAll(async () => {
  await new Promise((resolve) => server.close(resolve))
  await rm(dir, { recursive: true })
})

interface Manifest {
  readonly config: { readonly digest: string }
  readonly layers: readonly { readonly digest: string; readonly size: number }[]
}

test('says that it is a registry', async () => {
  const { status, headers } = await fetch(`${url}/v2/`)
  expect({ status, api: headers.get('docker-distribution-api-version') }).toEqual({ status: 200, api: 'registry/2.0' })
})

test.each([
  ['a tag', () => 'latest'],
  ['a digest', () => imageDigest(one)],
])('a manifest by %s, and all it leads to', async (_, reference) => {
  const at = `${url}/v2/some/app/manifests/${reference()}?ns=docker.io`
  const head = await fetch(at, { method: 'HEAD' })
  expect(Object.fromEntries(head.headers)).toMatchObject({
    'content-type': MANIFEST,
    'docker-content-digest': imageDigest(one),
  })
  const body = await (await fetch(at)).text()
  expect(head.headers.get('content-length')).toBe(String(body.length))
  const { config, layers } = JSON.parse(body) as Manifest
  const blob = async (digest: string) => (await fetch(`${url}/v2/some/app/blobs/${digest}`)).arrayBuffer()
  expect(JSON.parse(new TextDecoder().decode(await blob(config.digest)))).toMatchObject({ config: { Cmd: ['app'] } })
  expect(layers.map(({ digest }) => digest)).toEqual(one.layers.map(({ digest }) => digest))
  expect(Buffer.from(await blob(layers[0]?.digest ?? '')).equals(readFileSync(one.layers[0]?.file ?? ''))).toBe(true)
})

test('another tag is another image', async () => {
  const { headers } = await fetch(`${url}/v2/some/app/manifests/2`, { method: 'HEAD' })
  expect(headers.get('docker-content-digest')).not.toBe(imageDigest(one))
})

test.each([
  ['GET', '/v2/some/app/manifests/3', 404, 'MANIFEST_UNKNOWN'],
  ['GET', '/v2/some/other/manifests/latest', 404, 'MANIFEST_UNKNOWN'],
  ['GET', `/v2/some/app/manifests/sha256:${'0'.repeat(64)}`, 404, 'MANIFEST_UNKNOWN'],
  ['GET', `/v2/some/app/blobs/sha256:${'0'.repeat(64)}`, 404, 'BLOB_UNKNOWN'],
  ['GET', '/v2/some/app/blobs/..%2f..%2findex.json', 404, 'BLOB_UNKNOWN'],
  ['GET', '/v1/search', 404, 'UNSUPPORTED'],
  ['PUT', '/v2/some/app/manifests/latest', 405, 'UNSUPPORTED'],
])('%s %s is refused with %i %s', async (method, path, status, code) => {
  const response = await fetch(url + path, { method })
  expect(response.status).toBe(status)
  expect(await response.json()).toMatchObject({ errors: [{ code }] })
})
