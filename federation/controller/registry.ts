import type { Cluster } from '../../api/cluster.ts'
import type { KubeObject } from '../../api/meta.ts'
import { FIELD_MANAGER, MEMBER_LABEL } from '../../api/names.ts'
import { CLUSTERS, NAMESPACES, SECRETS, type Secret } from '../../api/resources.ts'
import { backoff, pause } from '../../kube/backoff.ts'
import type { KubeClient, Scope } from '../../kube/client.ts'
import type { Failure } from '../../kube/failure.ts'
import { type Informer, type InformerEvent, startInformer } from '../../kube/informer.ts'
import { withOwnFieldsOnly } from '../../kube/owned.ts'
import { withWrites } from '../../kube/written.ts'
import type { SecretKey, SecretLook } from './access.ts'

export interface RegistryOptions {
  readonly client: KubeClient
  /** Portolan's own. */
  readonly namespace: string
  readonly observe: (resource: string, event: InformerEvent) => void
  readonly onChange: () => void
}

/** All that the hub sees of its own cluster, kept up to date. */
export interface Registry {
  /** The hub itself: uid of namespace kube-system. Nothing until it is known. */
  readonly hub: () => string | undefined
  /** Names of what has not been listed yet. */
  readonly missing: () => readonly string[]
  /** Clusters that are here to stay, by name. */
  readonly clusters: () => readonly Cluster[]
  readonly secret: (at: SecretKey) => SecretLook
  /** Secrets of other namespaces to look after; all others are let go of. */
  readonly follow: (wanted: readonly SecretKey[]) => void
  /** What is remembered of members, by `ns/name` of the Secret. */
  readonly memories: () => ReadonlyMap<string, Secret>
  /** Takes note of an object as the API server answered a write. */
  readonly written: (object: KubeObject) => void
  readonly stop: () => Promise<void>
}

const [[LABEL, VALUE] = ['', '']] = Object.entries(MEMBER_LABEL)
/** Releases of Helm are the biggest of all Secrets, and no kubeconfigs. */
const NO_RELEASES = 'type!=helm.sh/release.v1'

interface Elsewhere {
  readonly informer: Informer<Secret>
  failure: Failure | undefined
}

export function startRegistry({ client, namespace, observe, onChange }: RegistryOptions): Registry {
  const elsewhere = new Map<string, Elsewhere>()
  const ended: Promise<void>[] = []
  const stopping = new AbortController()
  let hub: string | undefined

  const startSecrets = (scope: Scope, tell = (event: InformerEvent) => observe('secrets', event)) => {
    const informer = startInformer<Secret>({ client, resource: SECRETS, scope, observe: tell })
    informer.onChange(onChange)
    return informer
  }
  const memoryInformer = startSecrets({ namespace, labelSelector: `${LABEL}=${VALUE}` })
  const secrets = startSecrets({ namespace, labelSelector: `${LABEL}!=${VALUE}`, fieldSelector: NO_RELEASES })
  const memories = withWrites(memoryInformer)
  let clusterInformer: Informer<Cluster> | undefined
  let clusters: ReturnType<typeof withWrites<Cluster>> | undefined
  // Clusters are read after the memories: one that is remembered but was registered a moment later has not left.
  void memoryInformer.synced().then(() => {
    if (stopping.signal.aborted) return
    clusterInformer = startInformer<Cluster>({
      client,
      resource: CLUSTERS,
      keep: (object) => withOwnFieldsOnly(object, FIELD_MANAGER.federation),
      observe: (event) => observe('clusters', event),
    })
    clusterInformer.onChange(onChange)
    clusters = withWrites(clusterInformer)
  })

  async function askWhoWeAre() {
    for (let attempt = 1; hub === undefined && !stopping.signal.aborted; attempt++) {
      const found = await client.get<KubeObject>(NAMESPACES, { name: 'kube-system' })
      if (found.ok) hub = found.value.metadata.uid
      else {
        const retryMs = backoff(attempt, Math.random(), { firstMs: 250, mostMs: 15_000 })
        observe('namespaces', { type: 'failed', failure: found.failure, attempt, retryMs })
        await pause(retryMs, stopping.signal)
      }
    }
    onChange()
  }
  const asked = askWhoWeAre()

  function startElsewhere(at: SecretKey): Elsewhere {
    const scope = { namespace: at.namespace, fieldSelector: `metadata.name=${at.name}` }
    const informer = startSecrets(scope, (event) => {
      observe('secrets', event)
      const before = entry.failure?.message
      if (event.type === 'failed') entry.failure = event.failure
      else if (event.type === 'listed' || event.type === 'watching') entry.failure = undefined
      if (entry.failure?.message !== before) onChange()
    })
    const entry: Elsewhere = { informer, failure: undefined }
    return entry
  }

  return {
    hub: () => hub,
    missing: () => [
      ...(hub === undefined ? ['namespace kube-system'] : []),
      ...(memoryInformer.hasSynced() && secrets.hasSynced() ? [] : ['secrets']),
      ...(clusterInformer?.hasSynced() === true ? [] : ['clusters']),
    ],
    clusters: () =>
      [...(clusters?.store() ?? new Map<string, Cluster>())]
        .toSorted(([a], [b]) => (a < b ? -1 : 1))
        .map(([, cluster]) => cluster)
        .filter(({ metadata }) => metadata.deletionTimestamp === undefined),
    secret: (at) => {
      if (at.namespace === namespace)
        return secrets.hasSynced() ? { secret: secrets.get(namespace, at.name) } : undefined
      const entry = elsewhere.get(keyOf(at))
      if (entry?.failure?.reason === 'Forbidden') return { failure: entry.failure }
      return entry?.informer.hasSynced() ? { secret: entry.informer.get(at.namespace, at.name) } : undefined
    },
    follow: (wanted) => {
      const needed = new Map(wanted.filter((at) => at.namespace !== namespace).map((at) => [keyOf(at), at]))
      for (const [key, at] of needed) if (!elsewhere.has(key)) elsewhere.set(key, startElsewhere(at))
      for (const [key, { informer }] of elsewhere) {
        if (needed.has(key)) continue
        elsewhere.delete(key)
        ended.push(informer.stop())
      }
    },
    memories: () => memories.store(),
    written: (object) => {
      if (object.kind === 'Secret') memories.remember(object)
      else if (object.kind === 'Cluster')
        clusters?.remember(withOwnFieldsOnly(object as Cluster, FIELD_MANAGER.federation))
    },
    stop: async () => {
      stopping.abort()
      const all = [memoryInformer, secrets, clusterInformer, ...[...elsewhere.values()].map(({ informer }) => informer)]
      await Promise.all([asked, ...ended, ...all.map((informer) => informer?.stop())])
    },
  }
}

const keyOf = (at: SecretKey): string => `${at.namespace}/${at.name}`
