import { randomBytes } from 'node:crypto'
import type { Logger } from 'pino'
import { collectDefaultMetrics, type Gauge, type Registry } from 'prom-client'
import { worthSaying } from './backoff.ts'
import type { KubeClient } from './client.ts'
import { serveHealth, serveMetrics } from './health.ts'
import { type Standing, startElection } from './lease.ts'

export interface CandidateOptions {
  /** Portolan's own namespace. */
  readonly namespace: string
  /** Name of this replica. */
  readonly identity: string
  /** Name of the Lease, in `namespace`. */
  readonly lease: string
  /** Default 15: how long a dead leader blocks the others. */
  readonly leaseSeconds?: number
  /** 0 = any free port. */
  readonly healthPort: number
  readonly metricsPort: number
}

export interface CandidateContext {
  readonly client: KubeClient
  readonly log: Logger
  readonly stop: AbortSignal
  /** `leading` is 1 while this replica leads. */
  readonly metrics: { readonly registry: Registry; readonly leading: Gauge }
}

const IN_WORDS: Readonly<Record<Standing, string>> = {
  leads: 'leads',
  paused: 'writes nothing until the Lease can be renewed',
  follows: 'does not lead any more',
}

/** What a replica does. */
export interface Duty {
  readonly onChange: (standing: Standing) => void
  /** Names of what has not been listed yet; empty = ready. */
  readonly missing: () => readonly string[]
  /** Resolves when no write is under way any more. */
  readonly stop: () => Promise<void>
}

/**
 * Runs one replica of a server of which only one acts, until `stop` is aborted, then hands over.
 * @param server what it is called in the log
 * @throws when it cannot start
 */
export async function runCandidate(
  server: string,
  options: CandidateOptions,
  { client, log, stop, metrics }: CandidateContext,
  begin: (isLeader: () => boolean) => Duty,
): Promise<void> {
  // A restarted container keeps its pod's name, but is another candidate.
  const identity = `${options.identity}_${randomBytes(4).toString('hex')}`
  collectDefaultMetrics({ register: metrics.registry })
  const election = startElection({
    client,
    lease: { namespace: options.namespace, name: options.lease },
    identity,
    ...(options.leaseSeconds === undefined ? {} : { durationSeconds: options.leaseSeconds }),
    onChange: (standing) => {
      metrics.leading.set(standing === 'leads' ? 1 : 0)
      log.info({ identity }, IN_WORDS[standing])
      duty.onChange(standing)
    },
    onFailure: ({ reason, message }, attempt) =>
      log[worthSaying(attempt) ? 'warn' : 'debug']({ reason, attempt }, message),
  })
  const duty = begin(election.isLeader)

  const waitingFor = () => [
    ...(stop.aborted ? ['the end: this replica is leaving'] : []),
    ...duty.missing().map((name) => `the list of ${name}`),
  ]
  const plain = await Promise.all([
    serveHealth(options.healthPort, waitingFor),
    serveMetrics(options.metricsPort, metrics.registry),
  ])
  log.info({ identity }, `${server} is up`)

  await new Promise<void>((resolve) => {
    if (stop.aborted) resolve()
    stop.addEventListener('abort', () => resolve(), { once: true })
  })
  log.info(`${server} is leaving`)
  // Writes under way end before the Lease is given back.
  await duty.stop()
  await election.stop()
  await Promise.all(plain.map((each) => each.close()))
}
