import { createHash } from 'node:crypto'
import { gunzipSync, gzipSync } from 'node:zlib'
import type { ObjectMeta } from '../../api/meta.ts'
import { MEMBER_LABEL, MEMBER_SECRET_PREFIX } from '../../api/names.ts'
import type { Secret } from '../../api/resources.ts'
import { bundleDocument, readBundle } from '../../api/trust-bundle.ts'
import { perObject } from '../../compiler/memo.ts'
import type { Published } from '../trust.ts'
import type { View } from './view.ts'

/** What the hub remembers of a member: enough to merge with when it is down, and to clean up in it when it has left. */
export interface Memory {
  readonly cluster: {
    readonly name: string
    /** Of the Cluster object. */
    readonly uid: string
    readonly clusterKey: string
    /** Portolan's own in the member. */
    readonly namespace: string
    /** Which API server it was: uid of namespace kube-system. */
    readonly apiServer?: string
  }
  /** The last one that worked. */
  readonly kubeconfig: string
  readonly view: View
  /** Who vouches for it, without the keys. */
  readonly published?: Published
}

const LONGEST_NAME = 253

/** Name of the Secret that holds the memory of a cluster. */
export function memoryName(cluster: string): string {
  const name = `${MEMBER_SECRET_PREFIX}${cluster}`
  if (name.length <= LONGEST_NAME) return name
  const hash = createHash('sha256').update(cluster).digest('hex').slice(0, 16)
  return `${name.slice(0, LONGEST_NAME - hash.length - 1)}-${hash}`
}

const packed = perObject(({ exports, services, ...rest }: View) =>
  gzipSync(JSON.stringify({ exports, services, ...rest })).toString('base64'),
)

/** The same memory makes the same bytes. */
export function encodeMemory({ cluster, kubeconfig, view, published }: Memory): NonNullable<Secret['data']> {
  return {
    'cluster.json': Buffer.from(JSON.stringify(cluster)).toString('base64'),
    'exports.json.gz': packed(view),
    kubeconfig: Buffer.from(kubeconfig).toString('base64'),
    'roots.json': Buffer.from(JSON.stringify(published === undefined ? {} : writtenDown(published))).toString('base64'),
  }
}

const writtenDown = perObject(({ trustDomain, bundle }: Published) => ({ trustDomain, bundle: bundleDocument(bundle) }))

/** Nothing when there is nothing, in a memory of an older release as well. */
function decodeRoots(text: string): Published | undefined {
  const { trustDomain, bundle } = JSON.parse(text === '' ? '{}' : text) as Readonly<Record<string, unknown>>
  const read = readBundle(JSON.stringify(bundle ?? {}))
  return typeof trustDomain === 'string' && read.ok ? { trustDomain, bundle: read.bundle } : undefined
}

/** An older release wrote exports and services alone. */
function viewIn({ exports, services, mcsExports, backends, slices, clusterMesh }: Partial<View>): View | undefined {
  if (!Array.isArray(exports) || !Array.isArray(services)) return undefined
  return {
    exports,
    services,
    ...(Array.isArray(mcsExports) ? { mcsExports } : {}),
    ...(clusterMesh === true ? { clusterMesh } : {}),
    ...(isMap(backends) ? { backends } : {}),
    ...(isMap(slices) ? { slices } : {}),
  }
}

const isMap = (value: unknown): boolean => typeof value === 'object' && value !== null && !Array.isArray(value)

export function memorySecret(
  namespace: string,
  memory: Memory,
  owner: NonNullable<ObjectMeta['ownerReferences']>[number] | undefined,
) {
  return {
    metadata: {
      namespace,
      name: memoryName(memory.cluster.name),
      labels: MEMBER_LABEL,
      ...(owner === undefined ? {} : { ownerReferences: [owner] }),
    },
    type: 'Opaque',
    data: encodeMemory(memory),
  }
}

/** Nothing for a Secret that somebody has spoilt. */
export function decodeMemory({ data = {} }: Secret): Memory | undefined {
  const bytes = (key: string) => Buffer.from(data[key] ?? '', 'base64')
  try {
    const cluster = JSON.parse(bytes('cluster.json').toString()) as Partial<Memory['cluster']>
    const view = viewIn(JSON.parse(gunzipSync(bytes('exports.json.gz')).toString()))
    const { name, uid, clusterKey, namespace } = cluster
    if (![name, uid, clusterKey, namespace].every((each) => typeof each === 'string')) return undefined
    if (view === undefined) return undefined
    const published = decodeRoots(bytes('roots.json').toString())
    return {
      cluster: cluster as Memory['cluster'],
      kubeconfig: bytes('kubeconfig').toString(),
      view,
      ...(published === undefined ? {} : { published }),
    }
  } catch {
    return undefined
  }
}
