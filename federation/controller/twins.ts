import type { Cluster } from '../../api/cluster.ts'
import { createdAt } from '../../compiler/keys.ts'
import { by } from '../../compiler/order.ts'

export interface Reached {
  readonly cluster: Cluster
  /** Which API server it leads to, as far as known. */
  readonly apiServer: string | undefined
}

/**
 * Clusters that lead to an API server which an older Cluster leads to, too: name → name of the older one. Of the same
 * second by name.
 */
export function twinsOf(all: readonly Reached[]): ReadonlyMap<string, string> {
  const known = all.filter(({ apiServer }) => apiServer !== undefined)
  const groups = Map.groupBy(known, ({ apiServer }) => apiServer)
  const twins = new Map<string, string>()
  for (const group of groups.values()) {
    const [oldest, ...others] = group
      .map(({ cluster }) => cluster)
      .toSorted(by(createdAt, ({ metadata }) => metadata.name))
    for (const { metadata } of others) twins.set(metadata.name, oldest?.metadata.name ?? '')
  }
  return twins
}
