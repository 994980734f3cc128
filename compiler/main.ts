import { randomBytes } from 'node:crypto'
import type { Logger } from 'pino'
import { collectDefaultMetrics } from 'prom-client'
import { worthSaying } from '../kube/backoff.ts'
import type { KubeClient } from '../kube/client.ts'
import { createRecorder } from '../kube/events.ts'
import { serveHealth, serveMetrics } from '../kube/health.ts'
import { startElection } from '../kube/lease.ts'
import { compile } from './compile.ts'
import { startController } from './controller/controller.ts'
import { createMetrics } from './controller/metrics.ts'
import type { MeshSettings } from './snapshot.ts'

export interface CompilerOptions extends MeshSettings {
  /** Portolan's own namespace. */
  readonly namespace: string
  /** Name of this replica. */
  readonly identity: string
  readonly meshConfig: { readonly namespace: string; readonly name: string }
  /** Name of the Lease, in `namespace`. */
  readonly lease: string
  /** Default 15: how long a dead leader blocks the others. */
  readonly leaseSeconds?: number
  /** Touch pods whose files have changed, so that their kubelet renews them at once. */
  readonly nudge: boolean
  readonly nudgesPerSecond: number
  /** Proxies have an identity. */
  readonly mtls: boolean
  /** Seconds that gateways serve on what nobody asks for any more. */
  readonly gatewayLinger: number
  /** 0 = any free port. */
  readonly healthPort: number
  readonly metricsPort: number
  /** Where sidecars answer /stats. */
  readonly statsPort?: number
}

/** Runs the compiler until `stop` is aborted, then hands over. Rejects only when it cannot start. */
export const runCompiler = async (
  options: CompilerOptions,
  client: KubeClient,
  log: Logger,
  stop: AbortSignal,
): Promise<void> => {
  const { namespace, meshName, clusterKey, clusterDomain, vipRange, requireIdentity = false, nudgesPerSecond } = options
  const mesh = { meshName, clusterKey, clusterDomain, vipRange, requireIdentity }
  // Malformed settings are to be heard of now, not with the first object.
  compile({ mesh, namespaces: [], services: [], endpointSlices: [], imports: [], exports: [], policies: [] })
  // A restarted container keeps its pod's name, but is another candidate.
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
    controller: 'flomesh.io/portolan-compiler',
    instance: options.identity,
    defaultNamespace: namespace,
    onFailure: ({ reason, message }) => log.warn({ reason }, message),
  })
  const controller = startController({
    client,
    mesh,
    namespace,
    meshConfig: options.meshConfig,
    mtls: options.mtls,
    isLeader: election.isLeader,
    gatewayLingerSeconds: options.gatewayLinger,
    recorder,
    metrics,
    log,
    ...(options.nudge ? { nudge: { perSecond: nudgesPerSecond, burst: 2 * nudgesPerSecond } } : {}),
    ...(options.statsPort === undefined ? {} : { statsPort: options.statsPort }),
  })

  const waitingFor = () => [
    ...(stop.aborted ? ['the end: this replica is leaving'] : []),
    ...controller.missing().map((name) => `the list of ${name}`),
  ]
  const plain = await Promise.all([
    serveHealth(options.healthPort, waitingFor),
    serveMetrics(options.metricsPort, metrics.registry),
  ])
  log.info({ identity }, 'compiler is up')

  await new Promise<void>((resolve) => {
    if (stop.aborted) resolve()
    stop.addEventListener('abort', () => resolve(), { once: true })
  })
  log.info('compiler is leaving')
  // Writes under way end before the Lease is given back.
  await controller.stop()
  await election.stop()
  await Promise.all(plain.map((server) => server.close()))
}
