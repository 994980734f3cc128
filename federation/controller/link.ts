import type { KubeObject } from '../../api/meta.ts'
import { by } from '../../compiler/order.ts'
import { backoff, pause } from '../../kube/backoff.ts'
import { createClient, type KubeClient } from '../../kube/client.ts'
import type { Connection } from '../../kube/connection.ts'
import { type Failure, failed, ok, type Result } from '../../kube/failure.ts'
import type { InformerEvent } from '../../kube/informer.ts'
import type { Observed } from './observed.ts'
import { isDefinite, type Trouble, troubleOf } from './reason.ts'
import { lookAtSight } from './sight.ts'
import { type Sources, startSources } from './sources.ts'

export interface LinkTimes {
  /** Between two heartbeats. */
  readonly heartbeatMs: number
  /** For a heartbeat's answer. */
  readonly heartbeatTimeoutMs: number
  /** For the answer to any other request. */
  readonly requestTimeoutMs: number
  /** Longest wait between two tries of anything. */
  readonly mostRetryMs: number
  /** Between two questions whether the hub may still see what it has to, while it may; a heartbeat at least. */
  readonly sightMs: number
}

export const LINK_TIMES: LinkTimes = {
  heartbeatMs: 10_000,
  heartbeatTimeoutMs: 5_000,
  requestTimeoutMs: 10_000,
  mostRetryMs: 15_000,
  sightMs: 30_000,
}

export interface LinkOptions {
  readonly connection: Connection
  /** Portolan's own there. */
  readonly namespace: string
  readonly times: LinkTimes
  /** @param optional it is no trouble when the hub may not look, or there is nothing of the kind */
  readonly observe: (resource: string, event: InformerEvent, optional: boolean) => void
  /** The API server has answered. */
  readonly onContact: () => void
  /** What is observed, or health, has changed. */
  readonly onChange: () => void
}

export interface Health {
  /** True from the end of the first heartbeat on, whatever it was. */
  readonly asked: boolean
  /** Whether everything has been listed. */
  readonly listed: boolean
  readonly trouble?: { readonly code: Trouble; readonly failure: Failure }
  /** Of Kubernetes. */
  readonly version?: string
}

/** One way to one member's API server: its client, all that is watched there, and a heartbeat. */
export interface Link {
  readonly server: string
  readonly client: KubeClient
  readonly health: () => Health
  /** Nothing until everything has been listed. */
  readonly observed: () => Observed | undefined
  /** Whether slices of the member's own Services are of any use. At first they are not. */
  readonly watchSlices: (wanted: boolean) => void
  /** Takes note of an object as the API server answered a write. */
  readonly written: (object: KubeObject) => void
  /** Takes note of how writes of a kind go; without a failure they do, or there are none. */
  readonly wrote: (what: string, failure: Failure | undefined) => void
  readonly stop: () => Promise<void>
}

/** Why what a member need not have cannot be seen. */
const MISSING: ReadonlySet<Failure['reason']> = new Set(['Forbidden', 'NotFound'])

/** Heartbeats in a row that have to fail before a member that was there counts as unreachable. */
const PATIENCE = 2

/** The first of these that anything says is the reason. */
const GRAVEST: readonly Trouble[] = ['TLSError', 'Unauthorized', 'Unreachable', 'NotInstalled', 'Forbidden']

export function startLink(options: LinkOptions): Link {
  const { connection, namespace, times, onContact, onChange } = options
  const { server } = connection
  const userAgent = 'portolan-federation'
  const client = createClient(connection, { timeoutMs: times.requestTimeoutMs, userAgent })
  // Of its own, so that a server's pulse does not wait for what else is under way.
  const pulse = createClient(connection, { timeoutMs: times.heartbeatTimeoutMs, userAgent })
  const stopping = new AbortController()
  const troubles = new Map<string, Failure>()
  let asked = false
  let version: string | undefined
  let sources: Sources | undefined
  let renewing: Sources | undefined
  let slicesWanted = false
  let sightDue = performance.now()
  let looking = false

  function note(source: string, failure: Failure | undefined) {
    const before = troubles.get(source)?.message
    if (failure === undefined) troubles.delete(source)
    else troubles.set(source, failure)
    if (before !== failure?.message) onChange()
  }

  function observe(resource: string, event: InformerEvent, optional: boolean) {
    options.observe(resource, event, optional)
    const source = `watch ${resource}`
    if (optional && event.type === 'failed' && MISSING.has(event.failure.reason)) return note(source, undefined)
    if (event.type === 'listed' || event.type === 'watching') note(source, undefined)
    // A connection that breaks now and then is the heartbeat's to judge.
    else if (event.type === 'failed' && (troubleOf(event.failure) !== 'Unreachable' || event.attempt > PATIENCE))
      note(source, event.failure)
  }

  function start(): Sources {
    const started = startSources({ client, namespace, mostRetryMs: times.mostRetryMs, observe, onChange })
    started.watchSlices(slicesWanted)
    return started
  }

  /** A watch can outlive the line it came by without a sign: after an outage all are opened anew. */
  async function renew() {
    if (renewing !== undefined) return
    renewing = start()
    await renewing.synced()
    const old = sources
    sources = renewing
    renewing = undefined
    onChange()
    await old?.stop()
  }

  async function beat(): Promise<Result<string>> {
    const answer = await pulse.raw('/version')
    if (!answer.ok) return answer
    const told = versionOf(answer.value)
    if (told !== undefined) return ok(told)
    return failed({ reason: 'Unreachable', message: 'cannot get /version: what answers is no Kubernetes API server' })
  }

  async function look() {
    if (looking || performance.now() < sightDue) return
    looking = true
    // Whoever is behind the address may say anything: what cannot be read tells nothing.
    const looked = await lookAtSight(pulse, namespace).catch(() => ok(undefined))
    looking = false
    if (stopping.signal.aborted || (!looked.ok && !MISSING.has(looked.failure.reason))) return
    const refused = looked.ok ? looked.value : undefined
    note('sight', refused)
    // What is given back is worth asking for at every heartbeat.
    if (refused === undefined) sightDue = performance.now() + times.sightMs
  }

  async function run() {
    for (let failures = 0; !stopping.signal.aborted; ) {
      const answer = await beat()
      if (stopping.signal.aborted) return
      if (answer.ok) {
        version = answer.value
        onContact()
        if (sources === undefined) sources = start()
        else if (failures >= PATIENCE) void renew()
        note('heartbeat', undefined)
        failures = 0
        void look()
      } else {
        failures += 1
        const trouble = troubleOf(answer.failure) ?? 'Unreachable'
        if (sources === undefined || failures >= PATIENCE || isDefinite(trouble)) note('heartbeat', answer.failure)
      }
      if (!asked) onChange()
      asked = true
      const wait = answer.ok
        ? times.heartbeatMs * (0.9 + Math.random() / 5)
        : backoff(failures, Math.random(), { firstMs: 500, mostMs: times.mostRetryMs })
      await pause(wait, stopping.signal)
    }
  }

  function trouble(): Health['trouble'] {
    const all = [...troubles].map(([source, failure]) => ({
      source,
      code: troubleOf(failure) ?? 'Unreachable',
      failure,
    }))
    // In one order, so that the same troubles make the same words.
    const [first] = all.toSorted(
      by(
        ({ code }) => GRAVEST.indexOf(code),
        ({ source }) => source,
      ),
    )
    return first && { code: first.code, failure: first.failure }
  }

  const finished = run()
  return {
    server,
    client,
    health: () => {
      const found = trouble()
      return {
        asked,
        listed: sources?.hasSynced() === true,
        ...(found ? { trouble: found } : {}),
        ...(version === undefined ? {} : { version }),
      }
    },
    observed: () => sources?.observed(),
    watchSlices: (wanted) => {
      slicesWanted = wanted
      sources?.watchSlices(wanted)
      renewing?.watchSlices(wanted)
    },
    written: (object) => {
      sources?.written(object)
      renewing?.written(object)
    },
    wrote: (what, failure) => {
      // One object that is refused is no trouble of the member's.
      const isTrouble = failure === undefined || failure.reason === 'Forbidden' || failure.reason === 'Unauthorized'
      if (isTrouble || (what === 'applyIdentity' && failure.reason === 'NotFound')) note(`write ${what}`, failure)
    },
    stop: async () => {
      stopping.abort()
      // Told to end before their connections break, informers take it for what it is.
      const ending = [finished, sources?.stop(), renewing?.stop()]
      await Promise.all([client.close(), pulse.close()])
      await Promise.all(ending)
    },
  }
}

function versionOf(text: string): string | undefined {
  try {
    const { gitVersion } = JSON.parse(text) as { readonly gitVersion?: unknown }
    return typeof gitVersion === 'string' ? gitVersion : undefined
  } catch {
    return undefined
  }
}
