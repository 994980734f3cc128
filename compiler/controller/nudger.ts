import type { Logger } from 'pino'
import { ROUTES_VERSION_ANNOTATION } from '../../api/names.ts'
import { PODS } from '../../api/resources.ts'
import type { KubeClient } from '../../kube/client.ts'
import type { Metrics } from './metrics.ts'
import type { Nudge } from './nudge.ts'
import { fullBucket, takeToken } from './tokens.ts'

export interface NudgerOptions {
  readonly client: KubeClient
  readonly isLeader: () => boolean
  readonly metrics: Metrics
  readonly log: Logger
  /** Pods touched per second, and at most at once; absent = pods are not touched. */
  readonly nudge?: { readonly perSecond: number; readonly burst: number }
}

export interface Nudger {
  /** The pods that need it now, in order; what was waiting before is forgotten. */
  readonly set: (stale: readonly Nudge[]) => void
  readonly stop: () => Promise<void>
}

/** Touches pods one by one, at the pace of a token bucket. */
export function startNudger({ client, isLeader, metrics, log, nudge }: NudgerOptions): Nudger {
  let queue: readonly Nudge[] = []
  let bucket = fullBucket(nudge?.perSecond ?? 1, nudge?.burst ?? 1, performance.now())
  let timer: NodeJS.Timeout | undefined
  let touching: Promise<void> | undefined
  /** Versions written, until the informer shows them. */
  const told = new Map<string, string>()

  async function step(): Promise<void> {
    const [first, ...rest] = queue
    if (first === undefined || !isLeader()) return
    const { bucket: after, waitMs } = takeToken(bucket, performance.now())
    if (waitMs > 0) {
      timer = setTimeout(work, waitMs)
      return
    }
    bucket = after
    queue = rest
    metrics.nudgesWaiting.set(queue.length)
    await touch(first)
    return step()
  }

  function work() {
    timer = undefined
    touching ??= step().finally(() => {
      touching = undefined
      if (queue.length > 0 && timer === undefined && isLeader()) timer = setTimeout(work, 0)
    })
  }

  async function touch({ namespace, name, uid, version }: Nudge) {
    told.set(uid, version)
    const body = { metadata: { uid, annotations: { [ROUTES_VERSION_ANNOTATION]: version } } }
    const done = await client.patch(PODS, { namespace, name }, { type: 'merge', body })
    if (done.ok) return metrics.nudges.inc()
    told.delete(uid)
    if (done.failure.reason !== 'NotFound' && done.failure.reason !== 'Conflict')
      log.warn({ pod: `${namespace}/${name}`, reason: done.failure.reason }, done.failure.message)
  }

  return {
    set: (stale: readonly Nudge[]) => {
      if (nudge === undefined) return
      const present = new Set(stale.map(({ uid }) => uid))
      for (const uid of told.keys()) if (!present.has(uid)) told.delete(uid)
      queue = stale.filter(({ uid, version }) => told.get(uid) !== version)
      metrics.nudgesWaiting.set(queue.length)
      if (timer === undefined) work()
    },
    stop: async () => {
      queue = []
      clearTimeout(timer)
      await touching
    },
  }
}
