import type { ObjectMeta } from '../../api/meta.ts'
import { FIELD_MANAGER, HUB_SERVICE_ACCOUNT } from '../../api/names.ts'
import { SECRETS, SERVICE_ACCOUNTS, type Secret } from '../../api/resources.ts'
import { LastAnswers, perObject } from '../../compiler/memo.ts'
import type { KubeClient } from '../../kube/client.ts'
import { type Failure, ok, type Result } from '../../kube/failure.ts'
import { decodeMemory, encodeMemory, type Memory, memoryName, memorySecret } from './memory.ts'
import type { Registry } from './registry.ts'

export interface MemoriesOptions {
  readonly client: KubeClient
  /** Portolan's own. */
  readonly namespace: string
  readonly registry: Pick<Registry, 'memories' | 'written'>
}

/** What the hub remembers of members, in Secrets of its own namespace. */
export interface Memories {
  readonly all: () => readonly Memory[]
  readonly of: (cluster: string) => Memory | undefined
  /** Whether it is written down just so. */
  readonly has: (memory: Memory) => boolean
  readonly keep: (memory: Memory) => Promise<Result<void>>
  readonly forget: (cluster: string) => Promise<Result<void>>
}

export function createMemories({ client, namespace, registry }: MemoriesOptions): Memories {
  /** uids of Secrets that have been deleted, whatever the informer still shows. */
  const forgotten = new Set<string>()
  let owner: Promise<Owner | undefined> | undefined

  const isThere = ({ metadata }: Secret): boolean => !forgotten.has(metadata.uid ?? '')
  /** Text by text: a Secret that says the same as before is another object all the same. */
  const read = new Map<string, { readonly data: Secret['data']; readonly memory: Memory | undefined }>()
  const decoded = perObject((secret: Secret) => {
    const { metadata, data } = secret
    const known = read.get(metadata.name)
    if (known !== undefined && sameTexts(known.data, data)) return known
    const found = { data, memory: decodeMemory(secret) }
    read.set(metadata.name, found)
    return found
  })
  const encoded = new LastAnswers<Memory['view'], NonNullable<Secret['data']>>()
  const encode = (memory: Memory) =>
    encoded.get(memory.view, [JSON.stringify(memory.cluster), memory.kubeconfig, memory.published], () =>
      encodeMemory(memory),
    )
  const secretOf = (cluster: string): Secret | undefined => {
    const secret = registry.memories().get(`${namespace}/${memoryName(cluster)}`)
    return secret !== undefined && isThere(secret) ? secret : undefined
  }

  return {
    all: () => [...registry.memories().values()].filter(isThere).flatMap((secret) => decoded(secret).memory ?? []),
    of: (cluster) => {
      const secret = secretOf(cluster)
      return secret && decoded(secret).memory
    },
    has: (memory) => {
      const there = secretOf(memory.cluster.name)?.data
      return Object.entries(encode(memory)).every(([key, text]) => there?.[key] === text)
    },
    keep: async (memory) => {
      owner ??= readOwner(client, namespace)
      const secret = memorySecret(namespace, memory, await owner)
      const written = await client.apply<Secret>(SECRETS, secret, { manager: FIELD_MANAGER.federation })
      if (!written.ok) return written
      // What has just been written need not be read back.
      read.set(secret.metadata.name, { data: secret.data, memory })
      registry.written(written.value)
      return ok(undefined)
    },
    forget: async (cluster) => {
      const secret = secretOf(cluster)
      if (secret === undefined) return ok(undefined)
      const { name, uid = '' } = secret.metadata
      read.delete(name)
      const gone = await client.delete(SECRETS, { namespace, name }, { uid })
      if (!gone.ok && !isOver(gone.failure)) return gone
      forgotten.add(uid)
      return ok(undefined)
    },
  }
}

const sameTexts = (one: Secret['data'] = {}, other: Secret['data'] = {}): boolean =>
  Object.keys(one).length === Object.keys(other).length &&
  Object.entries(one).every(([key, text]) => other[key] === text)

/** There is no such Secret any more, or another one. */
const isOver = ({ reason }: Failure): boolean => reason === 'NotFound' || reason === 'Conflict'

type Owner = NonNullable<ObjectMeta['ownerReferences']>[number]

/** What is remembered goes with the account of the hub, where it runs with one. */
async function readOwner(client: KubeClient, namespace: string): Promise<Owner | undefined> {
  const account = await client.get(SERVICE_ACCOUNTS, { namespace, name: HUB_SERVICE_ACCOUNT })
  if (!account.ok) return undefined
  const { name, uid = '' } = account.value.metadata
  return { apiVersion: 'v1', kind: 'ServiceAccount', name, uid }
}
