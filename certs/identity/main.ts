import type { Logger } from 'pino'
import { isTrustDomain, trustDomainOf } from '../../api/identity.ts'
import { type CandidateOptions, runCandidate } from '../../kube/candidate.ts'
import type { KubeClient } from '../../kube/client.ts'
import { createRecorder } from '../../kube/events.ts'
import { type IdentityLives, startController } from './controller.ts'
import { createMetrics } from './metrics.ts'

export interface IdentityOptions extends CandidateOptions {
  readonly meshName: string
  /** region/zone/group/name of this cluster where no hub says it. */
  readonly clusterKey: string
  /** What follows the cluster's name in its trust domain where no hub says it. */
  readonly trustDomain: string
  /** Name of the Secret that the roots come from, in `namespace`; absent = they are made here. */
  readonly caSecret?: string
  readonly lives: IdentityLives
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
  const metrics = createMetrics()
  const recorder = createRecorder({
    client,
    controller: 'flomesh.io/portolan-identity',
    instance: options.identity,
    defaultNamespace: namespace,
    onFailure: ({ reason, message }) => log.warn({ reason }, message),
  })
  await runCandidate('identity server', options, { client, log, stop, metrics }, (isLeader) => {
    const controller = startController({
      client,
      namespace,
      meshName,
      clusterKey,
      trustDomain,
      ...(options.caSecret === undefined ? {} : { caSecret: options.caSecret }),
      lives,
      isLeader,
      recorder,
      metrics,
      log,
      now: Date.now,
    })
    return { ...controller, onChange: controller.touch }
  })
}
