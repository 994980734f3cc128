import type { ServiceImport } from '../api/service-import.ts'
import { hostAndPort } from '../api/vip-range.ts'
import { addressOf } from './backends.ts'
import { compare, unique } from './order.ts'

/** Another cluster that an import leads to. */
export interface Exporter {
  /** region/zone/group/name */
  readonly cluster: string
  /** `host:port` of its gateway: sorted, each once. None when no endpoint of it says where it is. */
  readonly addresses: readonly string[]
}

/** Who exports the service, by an import's own account. Sorted by cluster; this cluster is none of them. */
export const exportersOf = ({ spec }: ServiceImport, ownKey: string): readonly Exporter[] => {
  const endpoints = spec.ports.flatMap((port) => port.endpoints ?? []).filter(({ clusterKey }) => clusterKey !== ownKey)
  return [...Map.groupBy(endpoints, ({ clusterKey }) => clusterKey)]
    .sort(([a], [b]) => compare(a, b))
    .map(([cluster, own]) => {
      const addresses = own.flatMap((endpoint) => {
        const host = addressOf(endpoint)
        return host === undefined ? [] : [hostAndPort(host, endpoint.target.port)]
      })
      return { cluster, addresses: unique(addresses.sort(compare), (address) => address) }
    })
}
