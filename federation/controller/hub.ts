import type { Cluster } from '../../api/cluster.ts'
import { informerLog } from '../../kube/informer-log.ts'
import { startPasses } from '../../kube/passes.ts'
import { inParallel } from '../../kube/pool.ts'
import { createMerging } from '../merging.ts'
import { sitesOf } from '../site.ts'
import { createAssigning } from './assigning.ts'
import type { Entry } from './entry.ts'
import { gatewaysShared } from './gateways.ts'
import { gauge, ungauge } from './gauges.ts'
import { createHolders } from './holders.ts'
import type { HubOptions } from './hub-options.ts'
import { startMember } from './member.ts'
import { createMemories } from './memories.ts'
import { memoryName } from './memory.ts'
import { startRegistry } from './registry.ts'
import { createRemembering } from './remembering.ts'
import { createRoster } from './roster.ts'
import { createSaying } from './saying.ts'
import { createClusterTeller } from './tell.ts'
import { createAsking, isAsked } from './views.ts'
import { createWrite } from './writes.ts'

/** The hub at work, for one term of leadership: all that it knows begins and ends with it. */
export interface Hub {
  /** Names of what has not been listed yet; empty = at work. */
  readonly missing: () => readonly string[]
  /** It may write again. */
  readonly touch: () => void
  readonly stop: () => Promise<void>
}

const WRITES_AT_ONCE = 8

export function startHub(options: HubOptions): Hub {
  const { client, namespace, instance, times, metrics, log } = options
  const passes = startPasses(reconcile, {
    quietMs: 20,
    mostMs: 200,
    restedMs: 500,
    // When members were last seen, when credentials expire.
    everyMs: 10_000,
    retry: { firstMs: 250, mostMs: 15_000 },
    onError: (err) => log.error({ err }, 'a pass failed'),
  })
  const { touch } = passes
  const mayWrite = () => !passes.isStopped() && options.isLeader()
  const observe = informerLog(metrics.informerEvents, log)
  const registry = startRegistry({ client, namespace, observe, onChange: touch })
  const memories = createMemories({ client, namespace, registry })
  const teller = createClusterTeller({ client, instance, log })
  const write = createWrite(options, mayWrite)
  const holders = createHolders()
  const roster = createRoster({
    namespace,
    registry,
    memories,
    teller,
    startMember: (name) => startMember({ name, instance, times, mayWrite, metrics, log, onChange: touch }),
    onLeft: (name) => holders.update(name, undefined),
  })
  const ask = createAsking(touch)
  const merging = createMerging()
  const remember = createRemembering({ memories, teller, write })
  const assign = createAssigning({ hub: options, registry, memories, roster, holders, touch })
  const say = createSaying({ hub: options, registry, roster, teller, mayWrite, write, touch })

  async function reconcile(): Promise<number> {
    if (registry.missing().length > 0 || !mayWrite()) return 0
    roster.enrol()
    const twins = roster.twins()
    const active = roster.active(twins)
    const asked = ask(active)
    for (const entry of active) entry.member.watchSlices(isAsked(entry, asked))
    const unremembered = await inParallel(active, WRITES_AT_ONCE, (entry) => remember(entry, asked))
    if (!mayWrite()) return 0

    const started = performance.now()
    const clusters = clustersOf(active)
    const merged = merging(
      active.flatMap(({ objects }) => objects ?? []),
      clusters,
    )
    assign(active, sitesOf(clusters), merged, asked)
    metrics.mergeSeconds.observe((performance.now() - started) / 1_000)

    const unreleased = await inParallel([...roster.entries.values()], WRITES_AT_ONCE, (entry) => release(entry, active))
    const sharers = gatewaysShared(clustersOf(active))
    const entries = [...roster.entries.values()]
    const unsaid = await inParallel(entries, WRITES_AT_ONCE, (entry) =>
      say(entry, twins.get(entry.name), sharers.get(entry.name)),
    )
    gauge(metrics, [...roster.entries.values()], active)
    return [...unremembered, ...unreleased, ...unsaid].filter((isDone) => !isDone).length
  }

  /** Forgets a member that has left once nothing of the hub is in it, or once it has another name. */
  async function release(entry: Entry, active: readonly Entry[]): Promise<boolean> {
    if (entry.cluster !== undefined) return true
    const renamed = roster.isTakenOver(entry, active) || roster.isAnothers(entry)
    const health = entry.member.health()
    const why =
      health === undefined ? 'the kubeconfig that is remembered cannot be used' : health.trouble?.failure.message
    if (!renamed && !entry.member.isAsWanted()) {
      if (why !== undefined) teller.leftBehind(entry.name, why, `${namespace}/${memoryName(entry.name)}`)
      return true
    }
    if ((await write('forget', entry.name, () => memories.forget(entry.name))) !== undefined) return false
    if (!renamed) teller.left(entry.name)
    roster.drop(entry)
    return true
  }

  return {
    missing: registry.missing,
    touch,
    stop: async () => {
      await passes.stop()
      await Promise.all([roster.stop(), registry.stop()])
      ungauge(metrics)
    },
  }
}

const clustersOf = (active: readonly Entry[]): readonly Cluster[] => active.flatMap(({ cluster }) => cluster ?? [])
