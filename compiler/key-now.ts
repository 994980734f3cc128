/** Name of the cluster that a key, region/zone/group/name, is of. */
const nameOf = (clusterKey: string): string => clusterKey.slice(clusterKey.lastIndexOf('/') + 1)

/**
 * The key of a cluster that goes by another one now, as its region, zone or group has changed. Names tell, for no two
 * members of a set share one. Of several the first; nothing for a key that is known, or whose name nobody has.
 * @param known keys of clusters that are there
 */
export const keyNow = (clusterKey: string, known: readonly string[]): string | undefined =>
  known.includes(clusterKey) ? undefined : known.filter((key) => nameOf(key) === nameOf(clusterKey)).toSorted()[0]
