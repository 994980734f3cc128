import type { Logger } from 'pino'
import type { Tables } from '../tables.ts'
import { hasSidecar, type MeshPod } from './pods.ts'
import { afterJudging, afterWriting, groupProxies, judge, NOTHING_PROGRAMMED, type Verdict } from './programmed.ts'
import { startSampler } from './sampler.ts'

export interface ProxiesOptions {
  /** A proxy said something new. */
  readonly onChange: () => void
  readonly log: Logger
  /** Where sidecars answer /stats. */
  readonly statsPort?: number
}

/** What sidecars run, as they say themselves. */
export interface Proxies {
  /**
   * Takes note of what is now written for whom, and answers for the services, `ns/name`, whether their proxies run it.
   * Asks those that do not, or have not been asked.
   */
  readonly judge: (
    tables: Tables,
    pods: readonly MeshPod[],
    roleOf: (pod: MeshPod) => 'gateway' | 'egress' | undefined,
  ) => (service: string) => Verdict | undefined
  /** How often a pod's proxy has been asked since its table changed without running it yet. */
  readonly triesOf: (uid: string) => number
  /** Asks nobody any more, until told to judge again. */
  readonly rest: () => void
  readonly stop: () => Promise<void>
}

export function watchProxies({ onChange, log, statsPort }: ProxiesOptions): Proxies {
  let programming = NOTHING_PROGRAMMED
  const sampler = startSampler({
    onChange,
    ...(statsPort === undefined ? {} : { port: statsPort }),
    onFailure: (ip, cause) => log.debug({ ip, err: cause }, 'a sidecar did not say what it runs'),
  })

  return {
    judge: ({ sidecars, gateway, egress }, pods, roleOf) => {
      const now = performance.now()
      programming = afterWriting(programming, sidecars, now)
      const wanted = new Map(sidecars.map(({ namespace, version }) => [namespace, version]))
      const versionFor = (pod: MeshPod) => {
        if (hasSidecar(pod)) return wanted.get(pod.metadata.namespace ?? '')
        const role = roleOf(pod)
        return role && { gateway, egress }[role]?.version
      }
      const reachable = pods.filter((pod) => pod.ready && pod.ip !== undefined)
      sampler.retarget(
        reachable.flatMap((pod) => {
          const version = versionFor(pod)
          return version === undefined ? [] : [{ uid: pod.metadata.uid ?? '', ip: pod.ip ?? '', wanted: version }]
        }),
      )
      const groups = groupProxies(
        reachable.filter(hasSidecar).map(({ metadata: { uid = '', namespace = '', name } }) => {
          const sample = sampler.sampleOf(uid)
          return sample === undefined ? { namespace, name } : { namespace, name, sample }
        }),
      )
      const verdicts = new Map(
        [...programming.services.keys()].map((name) => [name, judge(name, programming, groups, now)]),
      )
      const reached = [...verdicts].flatMap(([name, verdict]) => (verdict?.status === 'True' ? [name] : []))
      programming = afterJudging(programming, new Set(reached))
      return (service) => verdicts.get(service)
    },
    triesOf: sampler.triesOf,
    rest: () => {
      sampler.retarget([])
    },
    stop: sampler.stop,
  }
}
