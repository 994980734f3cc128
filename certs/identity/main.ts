import { randomBytes } from 'node:crypto'
import type { Logger } from 'pino'
import { collectDefaultMetrics } from 'prom-client'
import { isTrustDomain, trustDomainOf } from '../../api/identity.ts'
import { worthSaying } from '../../kube/backoff.ts'
import type { KubeClient } from '../../kube/client.ts'
import { createRecorder } from '../../kube/events.ts'
import { serveHealth, serveMetrics } from '../../kube/health.ts'
import { startElection } from '../../kube/lease.ts'
import { type IdentityLives, startController } from './controller.ts'
import { createMetrics } from './metrics.ts'

export interface IdentityOptions {
  /** Portolan's own namespace. */
  readonly namespace: string
  /** Name of this replica. */
  readonly identity: string
  readonly meshName: string
  /** region/zone/group/name of this cluster where no hub says it. */
  readonly clusterKey: string
  /** What follows the cluster's name in its trust domain where no hub says it. */
  readonly trustDomain: string
  /** Name of the Lease, in `namespace`. */
  readonly lease: string
  readonly leaseSeconds?: number
  /** Name of the Secret that the roots come from, in `namespace`; absent = they are made here. */
  readonly caSecret?: string
  readonly lives: IdentityLives
  /** 0 = any free port. */
  readonly healthPort: number
  readonly metricsPort: number
}

/** Runs the identity server until `stop` is aborted, then hands over. Rejects only when it cannot start. */
export const runIdentity = async (
  options: IdentityOptions,
  client: KubeClient,
  log: Logger,
  stop: AbortSignal,
): Promise<void> => {
  const { namespace, meshName, clusterKey, lives } = options
  const trustDomain = trustDomainOf(clusterKey, options.trustDomain)
  if (!isTrustDomain(trustDomain)) throw new Error(`${trustDomain} is no trust domain: at most 255 of a-z 0-9 - . _`)
  const identity = `${options.identity}_${randomBytes(4).toString('hex')}`
  const metrics = createMetrics()
  collectDefaultMetrics({ register: metrics.registry })

  const election = startElection({
    client,
    lease: { namespace, name: options.lease },
    identity,
    ...(options.leaseSeconds === undefined ? {} : { durationSeconds: options.leaseSeconds }),
    onChange: (leading) => {
      metrics.leading.set(leading ? 1 : 0)
      log.info({ identity }, leading ? 'leads' : 'does not lead any more')
      controller.touch()
    },
    onFailure: ({ reason, message }, attempt) =>
      log[worthSaying(attempt) ? 'warn' : 'debug']({ reason, attempt }, message),
  })
  const recorder = createRecorder({
    client,
    controller: 'flomesh.io/portolan-identity',
    instance: options.identity,
    defaultNamespace: namespace,
    onFailure: ({ reason, message }) => log.warn({ reason }, message),
  })
  const controller = startController({
    client,
    namespace,
    meshName,
    clusterKey,
    trustDomain,
    ...(options.caSecret === undefined ? {} : { caSecret: options.caSecret }),
    lives,
    isLeader: election.isLeader,
    recorder,
    metrics,
    log,
    now: Date.now,
  })

  const waitingFor = () => [
    ...(stop.aborted ? ['the end: this replica is leaving'] : []),
    ...controller.missing().map((name) => `the list of ${name}`),
  ]
  const plain = await Promise.all([
    serveHealth(options.healthPort, waitingFor),
    serveMetrics(options.metricsPort, metrics.registry),
  ])
  log.info({ identity }, 'identity server is up')

  await new Promise<void>((resolve) => {
    if (stop.aborted) resolve()
    stop.addEventListener('abort', () => resolve(), { once: true })
  })
  log.info('identity server is leaving')
  // Writes under way end before the Lease is given back.
  await controller.stop()
  await election.stop()
  await Promise.all(plain.map((server) => server.close()))
}
