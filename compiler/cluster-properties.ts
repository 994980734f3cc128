import { CLUSTER_ID_PROPERTY, CLUSTERSET_PROPERTY } from '../api/names.ts'
import type { WantedObject } from './objects.ts'
import type { Membership } from './snapshot.ts'

/** What the cluster is called in its clusterset, and the clusterset itself (KEP-2149): nothing before it is a member. */
export const clusterProperties = (clusterKey: string, membership: Membership | undefined): readonly WantedObject[] => {
  if (membership === undefined) return []
  const { clusterset } = membership
  return [
    propertyOf(CLUSTER_ID_PROPERTY, clusterKey.slice(clusterKey.lastIndexOf('/') + 1)),
    ...(clusterset === undefined ? [] : [propertyOf(CLUSTERSET_PROPERTY, clusterset)]),
  ]
}

const propertyOf = (name: string, value: string): WantedObject => ({
  kind: 'ClusterProperty',
  name,
  fields: { spec: { value } },
})
