/** Clusters for tests and for the demo, whoever makes them. CLUSTERS=lab|kind decides; kind where a Docker engine answers. */
import type { UpOptions } from './lab.ts'
import type { Family } from './plan.ts'
import { type RunResult, tryRun } from './run.ts'

export interface ClusterProvider {
  readonly kind: 'lab' | 'kind'
  /** Starts what is not up yet. */
  up(names: readonly string[], options?: UpOptions): Promise<void>
  /** Removes these, or all of the lab, without a trace. */
  down(names?: readonly string[]): Promise<void>
  /** Names of the clusters that are up. */
  running(): Promise<readonly string[]>
  /** Path of an administrator's kubeconfig. */
  kubeconfig(name: string): Promise<string>
  /** Where other clusters and this machine reach the cluster's node ports; by its primary family when none is said. */
  nodeAddress(name: string, family?: Family): Promise<string>
  /** Makes one of the images of images.ts, from the working tree as it is, and gives it to a running cluster. */
  loadImage(name: string, image: string): Promise<void>
  /** Run to their end, whatever that is. */
  kubectl(name: string, args: readonly string[], input?: string): Promise<RunResult>
  helm(name: string, args: readonly string[]): Promise<RunResult>
  /** Cuts the cluster's nodes off from everything else, or connects them again. */
  partition(name: string, cut: boolean): Promise<void>
  /** Stops every process where it stands: connections stay open and nothing answers; or lets all go on. */
  freeze(name: string, frozen: boolean): Promise<void>
  /** Ends the cluster as a power cut would; `down` and `up` bring it back. */
  kill(name: string): Promise<void>
}

/** Whether a Docker engine answers and kind is there. */
export async function engineAnswers(): Promise<boolean> {
  try {
    const [docker, kind] = await Promise.all([
      tryRun('docker', ['info', '--format', '{{.ServerVersion}}'], { timeout: 10_000 }),
      tryRun('kind', ['version'], { timeout: 10_000 }),
    ])
    return docker.code === 0 && docker.stdout.trim() !== '' && kind.code === 0
  } catch {
    return false
  }
}

/** The provider that `CLUSTERS` names, or the one that suits this machine. */
export async function chooseProvider(wanted = process.env['CLUSTERS'] ?? ''): Promise<ClusterProvider> {
  if (!['', 'lab', 'kind'].includes(wanted)) throw new Error(`CLUSTERS=${wanted}: lab and kind are known`)
  const kind = wanted === 'kind' || (wanted === '' && (await engineAnswers()))
  return kind ? (await import('./kind.ts')).kindProvider() : (await import('./lab-provider.ts')).labProvider()
}
