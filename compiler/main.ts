import type { Logger } from 'pino'
import { type CandidateOptions, runCandidate } from '../kube/candidate.ts'
import type { KubeClient } from '../kube/client.ts'
import { createRecorder } from '../kube/events.ts'
import { compile } from './compile.ts'
import { startController } from './controller/controller.ts'
import { createMetrics } from './controller/metrics.ts'
import type { MeshSettings } from './snapshot.ts'

export interface CompilerOptions extends MeshSettings, CandidateOptions {
  readonly meshConfig: { readonly namespace: string; readonly name: string }
  /** Touch pods whose files have changed, so that their kubelet renews them at once. */
  readonly nudge: boolean
  readonly nudgesPerSecond: number
  /** Proxies have an identity. */
  readonly mtls: boolean
  /** Seconds that gateways serve on what nobody asks for any more. */
  readonly gatewayLinger: number
  /** Seconds that an export may be without ready pods before it is told. */
  readonly patienceSeconds?: number
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
  const egress = options.egressNamespace === undefined ? {} : { egressNamespace: options.egressNamespace }
  const mesh = { meshName, clusterKey, clusterDomain, vipRange, requireIdentity, ...egress }
  // Malformed settings are to be heard of now, not with the first object.
  compile({ mesh, namespaces: [], services: [], endpointSlices: [], imports: [], exports: [], policies: [] })
  const metrics = createMetrics()
  const recorder = createRecorder({
    client,
    controller: 'flomesh.io/portolan-compiler',
    instance: options.identity,
    defaultNamespace: namespace,
    onFailure: ({ reason, message }) => log.warn({ reason }, message),
  })
  await runCandidate('compiler', options, { client, log, stop, metrics }, (isLeader) => {
    const controller = startController({
      client,
      mesh,
      namespace,
      meshConfig: options.meshConfig,
      mtls: options.mtls,
      isLeader,
      gatewayLingerSeconds: options.gatewayLinger,
      ...(options.patienceSeconds === undefined ? {} : { patienceSeconds: options.patienceSeconds }),
      recorder,
      metrics,
      log,
      ...(options.nudge ? { nudge: { perSecond: nudgesPerSecond, burst: 2 * nudgesPerSecond } } : {}),
      ...(options.statsPort === undefined ? {} : { statsPort: options.statsPort }),
    })
    return { ...controller, onChange: controller.touch }
  })
}
