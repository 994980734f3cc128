import { randomBytes } from 'node:crypto'
import type { Logger } from 'pino'
import { collectDefaultMetrics } from 'prom-client'
import { worthSaying } from '../kube/backoff.ts'
import type { KubeClient } from '../kube/client.ts'
import { serveHealth, serveMetrics } from '../kube/health.ts'
import { startElection } from '../kube/lease.ts'
import { type Hub, startHub } from './controller/hub.ts'
import { LINK_TIMES, type LinkTimes } from './controller/link.ts'
import { createMetrics } from './controller/metrics.ts'

export interface FederationOptions {
  /** Portolan's own namespace. */
  readonly namespace: string
  /** Name of this replica. */
  readonly identity: string
  /** Name of the Lease, in `namespace`. */
  readonly lease: string
  /** Default 15: how long a dead leader blocks the others. */
  readonly leaseSeconds?: number
  /** Make namespaces in members that imports need. */
  readonly createNamespaces: boolean
  /** Suffix of members' trust domains. */
  readonly trustDomain: string
  /** 0 = any free port. */
  readonly healthPort: number
  readonly metricsPort: number
  readonly times?: Partial<LinkTimes>
}

/** Runs the hub until `stop` is aborted, then hands over. Rejects only when it cannot start. */
export const runFederation = async (
  options: FederationOptions,
  client: KubeClient,
  log: Logger,
  stop: AbortSignal,
): Promise<void> => {
  const { namespace, createNamespaces, trustDomain } = options
  // A restarted container keeps its pod's name, but is another candidate.
  const identity = `${options.identity}_${randomBytes(4).toString('hex')}`
  const metrics = createMetrics()
  collectDefaultMetrics({ register: metrics.registry })

  let hub: Hub | undefined
  /** Ends of terms, each after the one before. */
  let ended: Promise<void> = Promise.resolve()

  /** A leader knows only what it has read since it leads, so that nothing it decides is older than that. */
  function begin() {
    hub = startHub({
      client,
      namespace,
      instance: options.identity,
      createNamespaces,
      trustDomain,
      times: { ...LINK_TIMES, ...options.times },
      isLeader: election.isLeader,
      metrics,
      log,
    })
  }

  function end() {
    const over = hub
    hub = undefined
    ended = ended.then(() => over?.stop())
  }

  const election = startElection({
    client,
    lease: { namespace, name: options.lease },
    identity,
    ...(options.leaseSeconds === undefined ? {} : { durationSeconds: options.leaseSeconds }),
    onChange: (leading) => {
      metrics.leading.set(leading ? 1 : 0)
      log.info({ identity }, leading ? 'leads' : 'does not lead any more')
      if (leading) begin()
      else end()
    },
    onFailure: ({ reason, message }, attempt) =>
      log[worthSaying(attempt) ? 'warn' : 'debug']({ reason, attempt }, message),
  })

  const waitingFor = () => [
    ...(stop.aborted ? ['the end: this replica is leaving'] : []),
    ...(hub?.missing() ?? []).map((name) => `the list of ${name}`),
  ]
  const plain = await Promise.all([
    serveHealth(options.healthPort, waitingFor),
    serveMetrics(options.metricsPort, metrics.registry),
  ])
  log.info({ identity }, 'federation is up')

  await new Promise<void>((resolve) => {
    if (stop.aborted) resolve()
    stop.addEventListener('abort', () => resolve(), { once: true })
  })
  log.info('federation is leaving')
  end()
  // Writes under way end before the Lease is given back.
  await ended
  await election.stop()
  await Promise.all(plain.map((server) => server.close()))
}
