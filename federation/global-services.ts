import type { Cluster } from '../api/cluster.ts'

/** The Service by which other clusters call Cilium's own cluster mesh. Where it is, that one shares Services by the same annotations. */
export const CLUSTER_MESH = 'kube-system/clustermesh-apiserver'

/** Whether a cluster's Services are shared by annotation. */
export const sharesByAnnotation = (
  setting: Cluster['spec']['globalServices'] = 'Auto',
  hasClusterMesh: boolean,
): boolean => (setting === 'Auto' ? !hasClusterMesh : setting === 'Enabled')
