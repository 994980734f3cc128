import { type Clusters, startClusters } from './clusters.ts'
import { type EndState, settled } from './end-state.ts'
import { HUB, MEMBERS, type Placed, walkthrough } from './walkthrough.ts'
import { place } from './write.ts'

/** The walkthrough as it stands when everything has been applied in the order printed. */
export interface Performed {
  readonly clusters: Clusters
  readonly objects: readonly Placed[]
  /** The state before anything was applied. */
  readonly nothing: EndState
  /** The state now. */
  readonly everything: EndState
}

export async function perform(): Promise<Performed> {
  const clusters = await startClusters(HUB, MEMBERS)
  const objects = walkthrough((name) => clusters.named(name).api.kubeconfig)
  const nothing = await settled(clusters)
  for (const each of objects) await place(clusters, each)
  return { clusters, objects, nothing, everything: await settled(clusters) }
}
