import type { Cluster } from '../../api/cluster.ts'

/** Clusters whose gateway is at the same address and port as others', with the names of those; all sorted. */
export function gatewaysShared(clusters: readonly Cluster[]): ReadonlyMap<string, readonly string[]> {
  const groups = Map.groupBy(clusters, ({ spec }) => `${spec.gatewayHost.toLowerCase()} ${spec.gatewayPort}`)
  return new Map(
    [...groups.values()]
      .map((group) => group.map(({ metadata }) => metadata.name).toSorted())
      .filter(({ length }) => length > 1)
      .flatMap((names) => names.map((name) => [name, names.filter((other) => other !== name)] as const)),
  )
}
