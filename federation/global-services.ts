import type { Cluster } from '../api/cluster.ts'
import type { KubeObject } from '../api/meta.ts'

/** What other clusters call Cilium's own cluster mesh by: where it is, that one shares Services by the same annotations. */
const CLUSTER_MESH = { namespace: 'kube-system', name: 'clustermesh-apiserver' } as const

/** Whether a cluster's Services are shared by annotation. */
export const sharesByAnnotation = (
  setting: Cluster['spec']['globalServices'] = 'Auto',
  services: readonly KubeObject[],
): boolean => {
  if (setting !== 'Auto') return setting === 'Enabled'
  const { namespace, name } = CLUSTER_MESH
  return !services.some(({ metadata }) => metadata.namespace === namespace && metadata.name === name)
}
