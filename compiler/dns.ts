import { CLUSTERSET_DOMAIN } from '../api/names.ts'
import { refusingAddress } from '../api/vip-range.ts'
import { by } from './order.ts'
import type { MeshSettings } from './snapshot.ts'
import type { DnsRecord } from './tables.ts'

/** What names need to know of an import. */
export interface NamedImport {
  readonly namespace: string
  readonly name: string
  readonly vip: string | undefined
  readonly routed: boolean
  /** Whether the plain name is left to the cluster: it has the Service, or the name is none of ours. */
  readonly localService: boolean
}

/**
 * What sidecars capture, by name: of all other names the cluster's DNS is asked, so that a call which needs no routing
 * never meets a proxy.
 */
export const dnsRecords = (
  imports: readonly NamedImport[],
  { clusterDomain, vipRange }: Pick<MeshSettings, 'clusterDomain' | 'vipRange'>,
): readonly DnsRecord[] => {
  const refusing = refusingAddress(vipRange)
  return imports
    .flatMap(({ namespace, name, vip, routed, localService }): readonly DnsRecord[] => {
      const plain = `${name}.${namespace}.svc.${clusterDomain}`
      const across = `${name}.${namespace}.svc.${CLUSTERSET_DOMAIN}`
      const plainAddress = routed ? vip : localService ? undefined : refusing
      return [
        ...(plainAddress === undefined ? [] : [{ name: plain, address: plainAddress }]),
        ...(vip === undefined ? [] : [{ name: across, address: vip }]),
      ]
    })
    .sort(by((record) => record.name))
}
