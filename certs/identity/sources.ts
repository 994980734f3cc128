import { clusterIdentity } from '../../api/cluster-identity.ts'
import { identityKeys } from '../../api/identity.ts'
import {
  CA_SECRET,
  CLUSTER_CONFIGMAP,
  EGRESS_SERVICE_ACCOUNT,
  GATEWAY_SERVICE_ACCOUNT,
  IDENTITY_CONFIGMAP,
  IDENTITY_SECRET,
  MONITORED_BY,
  PROXY_CONTAINER,
  TRUST_CONFIGMAP,
} from '../../api/names.ts'
import {
  CONFIGMAPS,
  type ConfigMap,
  type LivePod,
  NAMESPACES,
  PODS,
  SECRETS,
  SERVICE_ACCOUNTS,
  type Secret,
} from '../../api/resources.ts'
import type { KubeClient, Scope } from '../../kube/client.ts'
import { type Informer, type InformerEvent, type InformerOptions, startInformer } from '../../kube/informer.ts'
import type { KubeObject } from '../../kube/object.ts'
import { withWrites } from '../../kube/written.ts'
import { type Demand, type IdentitySecret, isIdentityKey, observeIdentities } from './leaves.ts'

export interface SourceOptions {
  readonly client: KubeClient
  /** Portolan's own. */
  readonly namespace: string
  readonly meshName: string
  /** Counts where the hub says nothing. */
  readonly clusterKey: string
  /** Likewise. */
  readonly trustDomain: string
  /** Name of the Secret that the roots come from, in `namespace`, when Portolan does not make them. */
  readonly caSecret?: string
  readonly observe: (source: string, event: InformerEvent) => void
  readonly onChange: () => void
}

/** All that the identity server sees of its cluster, kept up to date. */
export interface Sources {
  /** Names of what has not been listed yet. */
  readonly missing: () => readonly string[]
  readonly ca: () => Secret | undefined
  /** The Secret that the roots come from, when there is one. */
  readonly offered: () => Secret | undefined
  readonly published: () => ConfigMap | undefined
  readonly trust: () => ConfigMap | undefined
  /** Who this cluster is, and the trust domain that it is to have. */
  readonly cluster: () => { readonly clusterKey: string; readonly trustDomain: string }
  /** By namespace, without private keys. */
  readonly identities: () => ReadonlyMap<string, IdentitySecret>
  /** Follows pods where they decide who keeps an identity; undefined until they are known. */
  readonly demands: () => readonly Demand[] | undefined
  readonly written: (object: KubeObject) => void
  readonly stop: () => Promise<void>
}

/** In Portolan's own namespace: accounts of proxies that call other clusters, or are called. */
const OWN_ACCOUNTS: readonly string[] = [GATEWAY_SERVICE_ACCOUNT, EGRESS_SERVICE_ACCOUNT]

interface Runner extends KubeObject {
  readonly serviceAccount: string
}

const ENDED: readonly (string | undefined)[] = ['Succeeded', 'Failed']

/** Of a pod with a sidecar that runs, or is to, the service account. */
const keepRunner = ({ apiVersion, kind, metadata, spec, status }: LivePod): Runner | undefined => {
  const { initContainers = [], containers, serviceAccountName = 'default' } = spec
  const isRunner = [...initContainers, ...containers].some(({ name }) => name === PROXY_CONTAINER)
  if (!isRunner || ENDED.includes(status?.phase)) return undefined
  const { name, namespace, resourceVersion } = metadata
  return {
    apiVersion,
    kind,
    metadata: { name, namespace, ...(resourceVersion === undefined ? {} : { resourceVersion }) },
    serviceAccount: serviceAccountName,
  }
}

const bare = <T extends KubeObject>({ apiVersion, kind, metadata }: T): KubeObject => {
  const { name, namespace, resourceVersion } = metadata
  return {
    apiVersion,
    kind,
    metadata: { name, namespace, ...(resourceVersion === undefined ? {} : { resourceVersion }) },
  }
}

export function startSources(options: SourceOptions): Sources {
  const { client, namespace, meshName, clusterKey, trustDomain: ownTrustDomain, caSecret, observe, onChange } = options
  const started: { readonly name: string; readonly informer: Informer<KubeObject> }[] = []

  function start<T extends KubeObject, S extends KubeObject = T>(
    name: string,
    rest: Omit<InformerOptions<T, S>, 'client' | 'observe'>,
  ): Informer<S> {
    const informer = startInformer<T, S>({ client, observe: (event) => observe(name, event), ...rest })
    informer.onChange(onChange)
    started.push({ name, informer })
    return informer
  }
  const one = (name: string): Scope => ({ namespace, fieldSelector: `metadata.name=${name}` })
  const config = (name: string) => start<ConfigMap>(`configmaps/${name}`, { resource: CONFIGMAPS, scope: one(name) })

  const namespaces = start('namespaces', { resource: NAMESPACES })
  const accounts = start<KubeObject>('serviceaccounts', { resource: SERVICE_ACCOUNTS, keep: bare })
  const ca = withWrites(start<Secret>(`secrets/${CA_SECRET}`, { resource: SECRETS, scope: one(CA_SECRET) }))
  const identities = withWrites(
    start<Secret, IdentitySecret>(`secrets/${IDENTITY_SECRET}`, {
      resource: SECRETS,
      scope: { fieldSelector: `metadata.name=${IDENTITY_SECRET}` },
      keep: observeIdentities,
    }),
  )
  const offered =
    caSecret === undefined
      ? undefined
      : start<Secret>(`secrets/${caSecret}`, { resource: SECRETS, scope: one(caSecret) })
  const published = withWrites(config(IDENTITY_CONFIGMAP))
  const cluster = config(CLUSTER_CONFIGMAP)
  const trust = config(TRUST_CONFIGMAP)
  const runners = new Map<string, Informer<Runner>>()
  const stopping: Promise<void>[] = []

  /** Pods are read only where somebody may have an identity without a claim to it. */
  function followPods(wanted: ReadonlySet<string>) {
    for (const name of wanted) {
      if (runners.has(name)) continue
      const informer = startInformer<LivePod, Runner>({
        client,
        resource: PODS,
        scope: { namespace: name },
        keep: keepRunner,
        observe: (event) => observe('pods', event),
      })
      informer.onChange(onChange)
      runners.set(name, informer)
    }
    for (const [name, informer] of runners) {
      if (wanted.has(name)) continue
      runners.delete(name)
      stopping.push(informer.stop())
    }
  }

  const byNamespace = (): ReadonlyMap<string, IdentitySecret> =>
    new Map([...identities.store().values()].map((secret) => [secret.metadata.namespace ?? '', secret]))

  function demands(): readonly Demand[] | undefined {
    const secrets = byNamespace()
    const accountsOf = Map.groupBy(accounts.list(), ({ metadata }) => metadata.namespace ?? '')
    const names = (where: string) => (accountsOf.get(where) ?? []).map(({ metadata }) => metadata.name)
    const members = namespaces
      .list()
      .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
      .filter(({ metadata: { labels } }) => {
        const label = MONITORED_BY.find((spelling) => labels?.[spelling] !== undefined)
        return label !== undefined && labels?.[label] === meshName
      })
      .map(({ metadata }) => metadata.name)
    const wanted = new Map(members.map((name) => [name, new Set(names(name))]))
    const own = names(namespace).filter((name) => OWN_ACCOUNTS.includes(name))
    wanted.set(namespace, new Set([...(wanted.get(namespace) ?? []), ...own]))

    const ending = new Set(
      namespaces
        .list()
        .filter(({ metadata }) => metadata.deletionTimestamp !== undefined)
        .map(({ metadata }) => metadata.name),
    )
    const isDoubtful = ([name, { ours, keys }]: readonly [string, IdentitySecret]): boolean => {
      if (!ours || ending.has(name)) return false
      const claims = wanted.get(name)
      if (claims === undefined) return true
      const claimed = new Set([...claims].flatMap((account) => Object.values(identityKeys(account))))
      return keys.some((key) => isIdentityKey(key) && !claimed.has(key))
    }
    const doubtful = [...secrets].filter(isDoubtful)
    followPods(new Set(doubtful.map(([name]) => name)))
    if (doubtful.some(([name]) => !runners.get(name)?.hasSynced())) return undefined

    const all = new Set([...wanted.keys(), ...doubtful.map(([name]) => name)])
    return [...all].toSorted().map((name) => {
      const kept = new Set((runners.get(name)?.list() ?? []).map(({ serviceAccount }) => serviceAccount))
      const left = wanted.get(name)
      // A namespace that has left the mesh goes on as it was for pods that have not.
      const claims = left ?? new Set(names(name).filter((account) => kept.has(account)))
      return { namespace: name, wanted: claims, kept }
    })
  }

  return {
    missing: () => started.filter(({ informer }) => !informer.hasSynced()).map(({ name }) => name),
    ca: () => ca.store().get(`${namespace}/${CA_SECRET}`),
    offered: () => (caSecret === undefined ? undefined : offered?.get(namespace, caSecret)),
    published: () => published.store().get(`${namespace}/${IDENTITY_CONFIGMAP}`),
    trust: () => trust.get(namespace, TRUST_CONFIGMAP),
    cluster: () => {
      const told = cluster.get(namespace, CLUSTER_CONFIGMAP)
      const { clusterKey: key, trustDomain = ownTrustDomain } = clusterIdentity(told, clusterKey)
      return { clusterKey: key, trustDomain }
    },
    identities: byNamespace,
    demands,
    written: (object) => {
      const { name } = object.metadata
      if (name === CA_SECRET) ca.remember(object as Secret)
      else if (object.kind === 'ConfigMap') published.remember(object as ConfigMap)
      else identities.remember(observeIdentities(object as Secret))
    },
    stop: async () => {
      await Promise.all([
        ...stopping,
        ...[...runners.values()].map((informer) => informer.stop()),
        ...started.map(({ informer }) => informer.stop()),
      ])
    },
  }
}
