import type { Service } from '../../api/core.ts'
import { clusterAddress } from '../../compiler/world.ts'
import type { Forwarding } from '../corefile.ts'

/** Where the cluster's own DNS has its configuration. */
export interface DnsPlace {
  readonly configMap: { readonly namespace: string; readonly name: string }
  /** In it. */
  readonly key: string
}

/** Unless a distribution has it elsewhere. */
export const COREFILE: DnsPlace = { configMap: { namespace: 'kube-system', name: 'coredns' }, key: 'Corefile' }

/** Where docs/names.md has people put our block. */
export const PLACES: readonly DnsPlace[] = [
  COREFILE,
  { configMap: { namespace: 'kube-system', name: 'coredns-custom' }, key: 'portolan.server' },
  { configMap: { namespace: 'kube-system', name: 'node-local-dns' }, key: COREFILE.key },
]

export const placeOf = ({ configMap: { namespace, name } }: DnsPlace): string => `${namespace}/${name}`

/** Port of mesh DNS's Service for the cluster's DNS, by its name in the chart. */
export const CLUSTERSET_PORT = 'clusterset'

/** Where the cluster's DNS is to ask; nothing when the Service is of an older version. */
export function forwardingTo(service: Service | undefined, clusterDomain: string): Forwarding | undefined {
  const address = service && clusterAddress(service)
  const port = service?.spec.ports?.find(({ name }) => name === CLUSTERSET_PORT)?.port
  return address === undefined || port === undefined ? undefined : { address, port, clusterDomain }
}
