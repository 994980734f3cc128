import type { Cluster } from '../api/cluster.ts'
import type { Member } from './constituent.ts'
import type { ExportVerdict, MemberImports } from './merge-service.ts'
import { createMerging } from './merging.ts'

export interface Federation {
  /** One entry per cluster, also when it imports nothing; sorted by clusterKey. */
  readonly members: readonly MemberImports[]
  /** Every export of a cluster of the set, by service and clusterKey. */
  readonly exports: readonly ExportVerdict[]
}

/**
 * Decides what each cluster of the set imports, and what is to be said of the exports. Pure and total; the order of
 * members, clusters and their objects changes no byte.
 *
 * @param members what the clusters export; one without a Cluster has left, and nothing of it is used
 * @param clusters who belongs to the set; one without a member imports all the same
 */
export const merge = (members: readonly Member[], clusters: readonly Cluster[]): Federation => {
  const merged = createMerging()(members, clusters)
  return { members: merged.members, exports: merged.services.flatMap(({ exports }) => exports) }
}
