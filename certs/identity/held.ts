import type { ConfigMap } from '../../api/resources.ts'

/** Keys of the ConfigMap portolan-trust: the members, and which of them hold which of this cluster's roots. */
const CLUSTERS = 'clusters.json'
const HELD = 'held.json'

const objectIn = (text: string | undefined): Readonly<Record<string, unknown>> | undefined => {
  try {
    const value: unknown = JSON.parse(text ?? '{}')
    return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : undefined
  } catch {
    return undefined
  }
}

/**
 * Which members the hub has not seen holding a root, by clusterKey. Nobody waits for others where there is no hub.
 * @param own clusterKey of this cluster
 */
export const lackingIn = (trust: ConfigMap | undefined, own: string): ((root: string) => readonly string[]) => {
  if (trust === undefined) return () => []
  const clusters = objectIn(trust.data?.[CLUSTERS])
  // Who they are cannot be read: then some may lack it.
  if (clusters === undefined) return () => ['?']
  const held = objectIn(trust.data?.[HELD]) ?? {}
  const members = Object.keys(clusters)
    .filter((key) => key !== own)
    .toSorted()
  return (root) => {
    const holders = held[root]
    return Array.isArray(holders) ? members.filter((key) => !holders.includes(key)) : members
  }
}
