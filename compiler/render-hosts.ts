import { ACROSS } from './names.ts'
import { by } from './order.ts'
import type { ClustersetName, DnsRecord, Tables } from './tables.ts'

/**
 * A file for CoreDNS's plugin `hosts`: one name a line. Names below `clusterset.local` are there for the way back from
 * an address to its name, which the cluster's DNS does not know; the other way they are answered by the zone.
 */
export const hostsFile = ({ cluster, dns, clusterset }: Pick<Tables, 'cluster' | 'dns' | 'clusterset'>): string => {
  const here = cluster.key.split('/').at(-1) ?? ''
  return [...dns, ...clusterset.flatMap((each) => foreignPods(each, here))]
    .map(({ name, address }) => `${address} ${name}\n`)
    .join('')
}

/** Pods of this cluster have names of its own. */
const foreignPods = ({ namespace, name, pods = [] }: ClustersetName, here: string): readonly DnsRecord[] =>
  pods
    .flatMap(({ host, cluster, address }): readonly DnsRecord[] =>
      host === undefined || cluster === here
        ? []
        : [{ name: `${host}.${cluster}.${name}.${namespace}${ACROSS}`, address }],
    )
    .toSorted(
      by(
        (record) => record.name,
        (record) => record.address,
      ),
    )
