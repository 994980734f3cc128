import type { Logger } from 'pino'
import { type CandidateOptions, runCandidate } from '../kube/candidate.ts'
import type { KubeClient } from '../kube/client.ts'
import { type Hub, startHub } from './controller/hub.ts'
import { LINK_TIMES, type LinkTimes } from './controller/link.ts'
import { createMetrics } from './controller/metrics.ts'

export interface FederationOptions extends CandidateOptions {
  /** Make namespaces in members that imports need. */
  readonly createNamespaces: boolean
  /** Suffix of members' trust domains. */
  readonly trustDomain: string
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
  const metrics = createMetrics()
  await runCandidate('federation', options, { client, log, stop, metrics }, (isLeader) => {
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
        isLeader,
        metrics,
        log,
      })
    }

    function end() {
      const over = hub
      hub = undefined
      ended = ended.then(() => over?.stop())
    }

    return {
      onChange: (standing) => {
        // A hub that pauses writes nothing, and need not read everything anew when nobody else has led meanwhile.
        if (standing === 'follows') end()
        else if (standing === 'leads' && hub === undefined) begin()
        else hub?.touch()
      },
      missing: () => hub?.missing() ?? [],
      stop: () => {
        end()
        return ended
      },
    }
  })
}
