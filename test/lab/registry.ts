/**
 * A registry to pull from: the reading half of https://github.com/opencontainers/distribution-spec over one directory in
 * OCI layout. A daemon of every node; containerd takes it for Docker Hub (see config.ts), so that manifests which name
 * images there apply unchanged in clusters without a way out.
 * `node registry.ts DIRECTORY PORT`
 */
import { createReadStream, readFileSync, statSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { join } from 'node:path'
import { pipeline } from 'node:stream'
import { MANIFEST, NAME_ANNOTATION } from './oci.ts'

/** What Docker Hub's images are called in full; requests leave the host out. */
export const HUB = 'docker.io'

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  /** Sent as it is, or the digest of the blob to send. */
  readonly body: { readonly text: string } | { readonly blob: string }
}

/** Digests by full image name with tag, and of everything there is. */
export interface Catalogue {
  readonly tags: ReadonlyMap<string, string>
  /** Size in bytes, or null when there is no such blob. */
  readonly size: (digest: string) => number | null
}

const DIGEST = /^sha256:[0-9a-f]{64}$/

function problem(status: number, code: string, message: string): Answer {
  const text = JSON.stringify({ errors: [{ code, message }] })
  return { status, headers: { 'content-type': 'application/json' }, body: { text } }
}

/** What the registry says to a request. */
export function answer(catalogue: Catalogue, method: string, path: string): Answer {
  if (method !== 'GET' && method !== 'HEAD') return problem(405, 'UNSUPPORTED', 'this registry is for pulling')
  if (/^\/v2\/?$/.test(path)) return { status: 200, headers: {}, body: { text: '{}' } }
  const [, repository, kind, reference = ''] = /^\/v2\/(.+)\/(manifests|blobs)\/([^/]+)$/.exec(path) ?? []
  if (repository === undefined) return problem(404, 'UNSUPPORTED', `no ${path} here`)
  const byTag = kind === 'manifests' && !DIGEST.test(reference)
  const digest = byTag ? catalogue.tags.get(`${HUB}/${repository}:${reference}`) : reference
  const size = digest !== undefined && DIGEST.test(digest) ? catalogue.size(digest) : null
  if (digest === undefined || size === null)
    return kind === 'manifests'
      ? problem(404, 'MANIFEST_UNKNOWN', `no image ${repository}:${reference}; there are ${names(catalogue)}`)
      : problem(404, 'BLOB_UNKNOWN', `no blob ${reference}`)
  return {
    status: 200,
    headers: {
      'content-type': kind === 'manifests' ? MANIFEST : 'application/octet-stream',
      'content-length': String(size),
      'docker-content-digest': digest,
    },
    body: { blob: digest },
  }
}

function names({ tags }: Catalogue): string {
  return [...tags.keys()].sort().join(', ')
}

interface Index {
  readonly manifests: readonly { readonly digest: string; readonly annotations: Readonly<Record<string, string>> }[]
}

function catalogueOf(dir: string): Catalogue {
  const { manifests } = JSON.parse(readFileSync(join(dir, 'index.json'), 'utf8')) as Index
  return {
    tags: new Map(manifests.map(({ digest, annotations }) => [annotations[NAME_ANNOTATION] ?? '', digest])),
    size: (digest) => statSync(blobFile(dir, digest), { throwIfNoEntry: false })?.size ?? null,
  }
}

function blobFile(dir: string, digest: string): string {
  return join(dir, 'blobs/sha256', digest.slice('sha256:'.length))
}

/** The registry over `dir`, not yet listening. */
export function registryServer(dir: string): Server {
  const catalogue = catalogueOf(dir)
  return createServer((request, response) => {
    const path = request.url?.split('?')[0] ?? ''
    const { status, headers, body } = answer(catalogue, request.method ?? '', path)
    console.log(`${request.method} ${path} ${status}`)
    response.writeHead(status, { 'docker-distribution-api-version': 'registry/2.0', ...headers })
    if (request.method === 'HEAD') response.end()
    else if ('text' in body) response.end(body.text)
    else pipeline(createReadStream(blobFile(dir, body.blob)), response, () => {}) // a caller that goes away ends it
  })
}

if (import.meta.main) {
  const [dir = '', port = ''] = process.argv.slice(2)
  registryServer(dir).listen(Number(port), '127.0.0.1')
}
