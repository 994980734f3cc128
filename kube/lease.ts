import { backoff, pause } from './backoff.ts'
import type { KubeClient } from './client.ts'
import { type Failure, mustOrMissing } from './failure.ts'
import type { KubeObject, Ref, Resource } from './object.ts'

export interface Lease extends KubeObject {
  readonly spec?: LeaseSpec
}

export interface LeaseSpec {
  /** Empty or absent: nobody holds it. */
  readonly holderIdentity?: string
  readonly leaseDurationSeconds?: number
  /** RFC 3339 with microseconds. */
  readonly acquireTime?: string
  readonly renewTime?: string
  readonly leaseTransitions?: number
}

export const LEASES: Resource<Lease> = {
  group: 'coordination.k8s.io',
  version: 'v1',
  plural: 'leases',
  kind: 'Lease',
  namespaced: true,
}

/** A Lease as last read, with the moment its present content was first seen by our own clock. */
export interface SeenLease {
  readonly lease: Lease | undefined
  /** Milliseconds of the same clock as `now`. */
  readonly since: number
}

export type LeaseStep =
  /** Write this spec; who succeeds is leader for its duration. */
  | { readonly do: 'take' | 'renew'; readonly spec: LeaseSpec }
  /** Somebody else leads; look again after `forMs`. */
  | { readonly do: 'wait'; readonly forMs: number }

export interface Candidate {
  readonly identity: string
  readonly durationSeconds: number
}

/**
 * What a candidate does about a Lease. Whether another holder's time is over is judged by how long its record has stood
 * unchanged before our eyes, never by the times written in it: two machines' clocks need not agree.
 * `now` and `seen.since` are milliseconds of any one clock; `wallClock` is what gets written, RFC 3339.
 */
export function next(seen: SeenLease, me: Candidate, now: number, wallClock: string): LeaseStep {
  const spec = seen.lease?.spec
  const holder = spec?.holderIdentity ?? ''
  if (holder === me.identity) {
    return {
      do: 'renew',
      spec: {
        ...spec,
        acquireTime: spec?.acquireTime ?? wallClock,
        leaseDurationSeconds: me.durationSeconds,
        renewTime: wallClock,
      },
    }
  }
  const left = seen.since + (spec?.leaseDurationSeconds ?? me.durationSeconds) * 1_000 - now
  if (holder !== '' && left > 0) return { do: 'wait', forMs: left }
  return {
    do: 'take',
    spec: {
      holderIdentity: me.identity,
      leaseDurationSeconds: me.durationSeconds,
      acquireTime: wallClock,
      renewTime: wallClock,
      leaseTransitions: (spec?.leaseTransitions ?? 0) + (seen.lease === undefined ? 0 : 1),
    },
  }
}

/**
 * `leads`: may write. `paused`: may not, as the Lease could not be renewed in time, but nobody else is known to have it;
 * when `leads` follows, nobody else has had it in between. `follows`: another one leads, or nobody does.
 */
export type Standing = 'leads' | 'paused' | 'follows'

export interface ElectionOptions {
  readonly client: KubeClient
  readonly lease: Ref
  /** Unique per process. */
  readonly identity: string
  /** Default 15: how long a dead leader blocks the others. */
  readonly durationSeconds?: number
  readonly onChange?: (standing: Standing) => void
  /** `attempt` counts failures in a row. */
  readonly onFailure?: (failure: Failure, attempt: number) => void
  readonly random?: () => number
}

export interface Election {
  /** True while nobody else can have taken the Lease; ask before every write. */
  readonly isLeader: () => boolean
  /** Ends the candidacy; a leader gives the Lease back, so that the next need not wait. */
  readonly stop: () => Promise<void>
}

/** Runs for leader until stopped. */
export function startElection(options: ElectionOptions): Election {
  const { client, lease: ref, identity, durationSeconds = 15, random = Math.random } = options
  const { onChange = () => undefined, onFailure = () => undefined } = options
  const durationMs = durationSeconds * 1_000
  const stopping = new AbortController()
  let seen: SeenLease = { lease: undefined, since: performance.now() }
  /** We lead until then: a third of the duration is kept back for writes under way and clocks that run apart. */
  let leadsUntil = Number.NEGATIVE_INFINITY
  let told: Standing = 'follows'
  let failures = 0
  let expiry: NodeJS.Timeout | undefined

  const isLeader = () => performance.now() < leadsUntil

  const standing = (): Standing =>
    isLeader() ? 'leads' : seen.lease?.spec?.holderIdentity === identity ? 'paused' : 'follows'

  function tell() {
    const now = standing()
    if (now === told) return
    told = now
    onChange(now)
  }

  function lead(from: number) {
    leadsUntil = from + (durationMs * 2) / 3
    clearTimeout(expiry)
    expiry = setTimeout(tell, Math.max(0, leadsUntil - performance.now()) + 1)
    tell()
  }

  function lose() {
    leadsUntil = Number.NEGATIVE_INFINITY
    clearTimeout(expiry)
    tell()
  }

  function see(lease: Lease | undefined) {
    if (lease?.metadata.resourceVersion !== seen.lease?.metadata.resourceVersion || lease === undefined) {
      seen = { lease, since: performance.now() }
    }
  }

  /** One look and one step; returns milliseconds until the next. */
  async function turn(): Promise<number> {
    const started = performance.now()
    const read = await client.get(LEASES, ref)
    if (!read.ok && read.failure.reason !== 'NotFound') return stumble(read.failure)
    see(mustOrMissing(read))
    // Whoever had it meanwhile may have given it back already.
    tell()
    const step = next(seen, { identity, durationSeconds }, performance.now(), microTime())
    if (step.do === 'wait') {
      lose()
      failures = 0
      return Math.min(step.forMs + 1, durationMs / 5)
    }
    const written = await write(step.spec)
    if (!written.ok) {
      if (written.failure.reason === 'Conflict' || written.failure.reason === 'AlreadyExists') {
        // Somebody was faster; the next look tells who.
        lose()
        return (durationMs / 20) * (1 + random())
      }
      return stumble(written.failure)
    }
    failures = 0
    see(written.value)
    // Counted from before the request: its answer may have been long on the way.
    lead(started)
    return durationMs / 5
  }

  function write(spec: LeaseSpec) {
    return seen.lease === undefined
      ? client.create(LEASES, { metadata: ref, spec })
      : client.replace(LEASES, { ...seen.lease, spec })
  }

  function stumble(failure: Failure): number {
    failures += 1
    onFailure(failure, failures)
    tell()
    return backoff(failures, random(), { firstMs: durationMs / 30, mostMs: durationMs / 5 })
  }

  async function run() {
    while (!stopping.signal.aborted) await pause(await turn(), stopping.signal)
  }

  async function release() {
    const led = isLeader()
    lose()
    const lease = seen.lease
    if (!led || lease?.spec?.holderIdentity !== identity) return
    const spec = { ...lease.spec, holderIdentity: '', leaseDurationSeconds: 1, renewTime: microTime() }
    const released = await client.replace(LEASES, { ...lease, spec })
    if (!released.ok) onFailure(released.failure, 1)
  }

  const finished = run()
  return {
    isLeader,
    stop: async () => {
      stopping.abort()
      await finished
      await release()
    },
  }
}

/** Lease times are MicroTime: RFC 3339 with six decimals. */
const microTime = (): string => new Date().toISOString().replace('Z', '000Z')
