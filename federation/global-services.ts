import type { Cluster, GlobalServicesDecision } from '../api/cluster.ts'
import type { Service } from '../api/core.ts'
import { globalService } from '../api/global-service.ts'
import { keyOf } from '../compiler/keys.ts'
import { perObject } from '../compiler/memo.ts'

/** The Service by which other clusters call Cilium's own cluster mesh. Where it is, that one shares Services by the same annotations. */
export const CLUSTER_MESH = 'kube-system/clustermesh-apiserver'

/** Whether a cluster's Services are shared by annotation, and if not, why. */
export const globalServicesDecision = (
  setting: Cluster['spec']['globalServices'] = 'Auto',
  hasClusterMesh: boolean,
): GlobalServicesDecision => {
  if (setting === 'Auto') return hasClusterMesh ? 'LeftToClusterMesh' : 'Shared'
  return setting === 'Enabled' ? 'Shared' : 'NotShared'
}

/** Whether a cluster's Services are shared by annotation. */
export const sharesByAnnotation = (...asked: Parameters<typeof globalServicesDecision>): boolean =>
  globalServicesDecision(...asked) === 'Shared'

/** Services that a member has in common with others by annotation, where that is on. */
export const globalIn = perObject(
  (services: readonly Service[]): ReadonlySet<string> =>
    new Set(services.filter((service) => globalService(service)?.global === true).map(keyOf)),
)
