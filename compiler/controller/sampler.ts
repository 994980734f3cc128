import { Agent, request } from 'undici'
import { METRICS_PORT } from '../../api/names.ts'
import { hostAndPort } from '../../api/vip-range.ts'
import { readStats, type Sample } from './programmed.ts'

export interface SampleTarget {
  readonly uid: string
  readonly ip: string
  /** The version it should run: it is asked often until it does, and rarely from then on. */
  readonly wanted: string
}

export interface Sampler {
  /** The proxies there are, and what they should run. */
  readonly retarget: (targets: readonly SampleTarget[]) => void
  readonly sampleOf: (uid: string) => Sample | undefined
  /** How often it has answered since its target changed, without running it. */
  readonly triesOf: (uid: string) => number
  readonly stop: () => Promise<void>
}

export interface SamplerOptions {
  /** A proxy said something else than before, or the same wrong thing for some time. */
  readonly onChange: () => void
  readonly onFailure?: (ip: string, cause: unknown) => void
  readonly port?: number
  readonly random?: () => number
}

interface Entry {
  readonly target: SampleTarget
  readonly sample?: Sample
  /** Refusals it had counted when it last ran what it should. */
  readonly baseline?: number
  readonly dueAt: number
  /** How often it was asked since it last ran what it should. */
  readonly tries: number
}

const TICK_MS = 100
const AT_ONCE = 16
const TIMEOUT_MS = 2_000
const SETTLED_MS = 60_000
/** A nudged pod has its files within a second: so often it is asked at this pace, then ever more rarely. */
const QUICK_TRIES = 6
const QUICK_MS = 250
const SLOWEST_MS = 5_000
/** The files of a pod need that long to get there even when it is nudged. */
const FIRST_MS = 300
const QUERY = `filter=${encodeURIComponent('^cluster_manager\\.cds\\.(version_text|update_rejected|update_failure)$')}`

/** What is asked for takes three lines. */
const LONGEST_ANSWER = 4_096

/** Whatever listens in a pod may answer: without end, too. */
async function shortText(body: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of body) {
    length += chunk.length
    if (length > LONGEST_ANSWER) throw new Error(`answered more than ${LONGEST_ANSWER} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString()
}

const pauseAfter = (tries: number): number =>
  Math.min(SLOWEST_MS, QUICK_MS * 2 ** Math.max(0, Math.min(tries, 20) - QUICK_TRIES))

/** Keeps asking proxies what they run. */
export function startSampler({
  onChange,
  onFailure,
  port = METRICS_PORT,
  random = Math.random,
}: SamplerOptions): Sampler {
  const agent = new Agent({ connect: { timeout: TIMEOUT_MS }, keepAliveTimeout: 1_000, allowH2: false })
  const entries = new Map<string, Entry>()
  const asking = new Map<string, Promise<void>>()
  const ticker = setInterval(tick, TICK_MS)

  function tick() {
    const now = performance.now()
    // Longest due first, or proxies that never answer would keep the others from being asked.
    const due = [...entries]
      .filter(([uid, { dueAt }]) => dueAt <= now && !asking.has(uid))
      .sort(([, a], [, b]) => a.dueAt - b.dueAt)
    for (const [uid] of due.slice(0, AT_ONCE - asking.size)) {
      asking.set(
        uid,
        ask(uid).finally(() => asking.delete(uid)),
      )
    }
  }

  async function ask(uid: string): Promise<void> {
    const entry = entries.get(uid)
    if (entry === undefined) return
    try {
      const answer = await request(`http://${hostAndPort(entry.target.ip, port)}/stats?${QUERY}`, {
        dispatcher: agent,
        signal: AbortSignal.timeout(TIMEOUT_MS),
      })
      const stats = readStats(await shortText(answer.body))
      if (stats === undefined) throw new Error(`answered ${answer.statusCode} without the version it runs`)
      take(uid, stats)
    } catch (cause) {
      onFailure?.(entry.target.ip, cause)
      take(uid, undefined)
    }
  }

  function take(uid: string, stats: { readonly version: string; readonly rejected: number } | undefined) {
    // The target may have moved on while the proxy was asked.
    const entry = entries.get(uid)
    if (entry === undefined) return
    const settled = stats?.version === entry.target.wanted
    const tries = settled ? 0 : entry.tries + 1
    const wait = settled ? SETTLED_MS * (0.75 + random() / 2) : pauseAfter(tries)
    const baseline = settled || entry.baseline === undefined ? stats?.rejected : entry.baseline
    // A proxy restarts its counters when it restarts.
    const refused = stats === undefined ? 0 : Math.max(0, stats.rejected - (baseline ?? 0))
    const sample = stats === undefined ? undefined : { version: stats.version, refused }
    entries.set(uid, {
      target: entry.target,
      dueAt: performance.now() + wait,
      tries,
      ...(sample === undefined ? {} : { sample }),
      ...(baseline === undefined ? {} : { baseline }),
    })
    const same = JSON.stringify(sample) === JSON.stringify(entry.sample)
    if (!same || (tries > QUICK_TRIES && tries % 2 === 0)) onChange()
  }

  return {
    retarget: (targets) => {
      const present = new Set(targets.map(({ uid }) => uid))
      for (const uid of entries.keys()) if (!present.has(uid)) entries.delete(uid)
      for (const target of targets) {
        const known = entries.get(target.uid)
        if (known?.target.wanted === target.wanted && known.target.ip === target.ip) continue
        entries.set(target.uid, { ...known, target, tries: 0, dueAt: performance.now() + (known ? FIRST_MS : 0) })
      }
    },
    sampleOf: (uid) => entries.get(uid)?.sample,
    triesOf: (uid) => {
      const entry = entries.get(uid)
      return entry?.sample === undefined ? 0 : entry.tries
    },
    stop: async () => {
      clearInterval(ticker)
      await agent.destroy()
      await Promise.allSettled(asking.values())
    },
  }
}
