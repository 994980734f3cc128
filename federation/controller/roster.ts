import type { Cluster } from '../../api/cluster.ts'
import { type Kubeconfig, parseKubeconfig } from '../../kube/kubeconfig.ts'
import { accessBy, accessOf, secretKeyOf } from './access.ts'
import { type Entry, shareByAnnotation } from './entry.ts'
import type { Member } from './member.ts'
import type { Memories } from './memories.ts'
import type { Memory } from './memory.ts'
import { isElsewhere } from './plan-member.ts'
import type { Registry } from './registry.ts'
import type { ClusterTeller } from './tell.ts'
import { twinsOf } from './twins.ts'
import { type View, withoutEndpoints } from './view.ts'

export interface RosterOptions {
  /** Portolan's own at the hub. */
  readonly namespace: string
  readonly registry: Registry
  readonly memories: Memories
  readonly teller: ClusterTeller
  readonly startMember: (name: string) => Member
  /** A cluster takes no part any more. */
  readonly onLeft: (name: string) => void
}

/** All clusters that the hub has to do with. */
export interface Roster {
  /** One entry for each cluster that is registered, and for each that is remembered. */
  readonly enrol: () => void
  readonly entries: ReadonlyMap<string, Entry>
  /** Clusters that lead to the API server of an older one, by name: the name of that. */
  readonly twins: () => ReadonlyMap<string, string>
  /** Those that take part. */
  readonly active: (twins: ReadonlyMap<string, string>) => readonly Entry[]
  /** Whether another hub has said who the member is. */
  readonly isAnothers: (entry: Entry) => boolean
  /** Whether the same API server has joined by another name. */
  readonly isTakenOver: (entry: Entry, active: readonly Entry[]) => boolean
  /** Portolan's own in the member. */
  readonly namespaceIn: (entry: Entry) => string
  readonly drop: (entry: Entry) => void
  readonly stop: () => Promise<unknown>
}

export function createRoster(options: RosterOptions): Roster {
  const { namespace, registry, memories, teller, startMember, onLeft } = options
  const entries = new Map<string, Entry>()
  const kubeconfigs = new Map<string, { readonly text: string; readonly parsed: Kubeconfig }>()
  const stopping: Promise<void>[] = []

  function enrol() {
    const clusters = new Map(registry.clusters().map((cluster) => [cluster.metadata.name, cluster]))
    registry.follow([...clusters.values()].flatMap((cluster) => secretKeyOf(cluster, namespace) ?? []))
    for (const cluster of clusters.values()) register(cluster)
    for (const memory of memories.all()) if (!clusters.has(memory.cluster.name)) bidFarewell(memory)
    for (const entry of entries.values()) {
      if (clusters.has(entry.name)) continue
      entry.cluster = entry.found = entry.published = undefined
      know(entry, undefined)
      onLeft(entry.name)
      // Nothing was ever written into it, or somebody wants it to be left alone.
      if (memories.of(entry.name) === undefined) drop(entry)
    }
  }

  function entryOf(name: string): Entry {
    const known = entries.get(name)
    if (known !== undefined) return known
    const entry: Entry = { name, member: startMember(name) }
    entries.set(name, entry)
    return entry
  }

  function drop(entry: Entry) {
    entries.delete(entry.name)
    kubeconfigs.delete(entry.name)
    stopping.push(entry.member.stop())
  }

  function register(cluster: Cluster) {
    const { name, uid } = cluster.metadata
    const entry = entryOf(name)
    if (entry.cluster?.metadata.uid !== uid) {
      teller.joined(name)
      // What was remembered of another Cluster of this name says nothing about this one.
      const memory = memories.of(name)
      const view = memory?.cluster.uid === uid ? memory?.view : undefined
      entry.published = memory?.cluster.uid === uid ? memory?.published : undefined
      know(entry, view)
    }
    entry.cluster = cluster
    shareByAnnotation(entry)
    entry.found = accessOf(cluster, namespace, registry.secret, (text) => parse(name, text))
    if (entry.found !== undefined) entry.member.connect(entry.found.ok ? entry.found.access : undefined)
  }

  /** Begins with what is remembered. */
  function know(entry: Entry, view: View | undefined) {
    entry.live = entry.view = view
    entry.declared = view && withoutEndpoints(view)
    entry.made = entry.held = entry.objects = entry.merged = undefined
  }

  function parse(name: string, text: string): Kubeconfig {
    const known = kubeconfigs.get(name)
    if (known?.text === text) return known.parsed
    const parsed = parseKubeconfig(text)
    kubeconfigs.set(name, { text, parsed })
    return parsed
  }

  /** A cluster that has left is emptied over the access that worked last. */
  function bidFarewell({ cluster, kubeconfig }: Memory) {
    const entry = entryOf(cluster.name)
    const found = accessBy(kubeconfig, cluster.namespace, (text) => parse(cluster.name, text))
    entry.member.connect(found.ok ? found.access : undefined)
  }

  function apiServerOf({ name, member, cluster, found }: Entry): string | undefined {
    const seen = member.seen()
    if (seen !== undefined) return seen.apiServer
    const memory = memories.of(name)
    const isSame = found?.ok === true && memory?.kubeconfig === found.access.text
    return isSame || cluster === undefined ? memory?.cluster.apiServer : undefined
  }

  const twins = () =>
    twinsOf(
      [...entries.values()].flatMap((entry) =>
        entry.cluster === undefined ? [] : [{ cluster: entry.cluster, apiServer: apiServerOf(entry) }],
      ),
    )

  function isAnothers({ member }: Entry): boolean {
    const observed = member.seen()?.observed
    return observed !== undefined && isElsewhere(observed, registry.hub() ?? '')
  }

  return {
    enrol,
    entries,
    twins,
    active: (others) =>
      [...entries.values()].filter(
        (entry) => entry.cluster !== undefined && !others.has(entry.name) && !isAnothers(entry),
      ),
    isAnothers,
    isTakenOver: (entry, active) => {
      const apiServer = apiServerOf(entry)
      return apiServer !== undefined && active.some((other) => apiServerOf(other) === apiServer)
    },
    namespaceIn: ({ name, member }) =>
      member.seen()?.access.namespace ?? memories.of(name)?.cluster.namespace ?? namespace,
    drop,
    stop: () => Promise.all([...stopping, ...[...entries.values()].map(({ member }) => member.stop())]),
  }
}
