import { isIP } from 'node:net'
import type { Cluster } from '../api/cluster.ts'
import { by, unique } from '../compiler/order.ts'

/** A cluster of the set as the others see it. */
export interface Site {
  /** Name of its Cluster object. */
  readonly name: string
  /** region/zone/group/name */
  readonly clusterKey: string
  /** Where its gateway is; `ip` repeats a host that is one. A name stays a name: callers' proxies resolve it. */
  readonly gateway: { readonly host: string; readonly ip?: string; readonly port: number }
}

const siteOf = ({ metadata: { name }, spec }: Cluster): Site => {
  const { region = 'default', zone = 'default', group = 'default', gatewayHost: host, gatewayPort: port } = spec
  return {
    name,
    clusterKey: `${region}/${zone}/${group}/${name}`,
    gateway: { host, ...(isIP(host) === 0 ? {} : { ip: host }), port },
  }
}

/** Sorted by clusterKey. A Cluster that is being deleted has left already. */
export const sitesOf = (clusters: readonly Cluster[]): readonly Site[] => {
  const here = clusters.filter(({ metadata }) => !metadata.deletionTimestamp)
  return unique(here.map(siteOf).sort(by(({ clusterKey }) => clusterKey)), ({ name }) => name)
}
