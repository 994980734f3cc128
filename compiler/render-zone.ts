/**
 * `clusterset.local` as a zone file (RFC 1035) for CoreDNS's plugin `file`, which looks at the SOA's serial to see whether
 * anything has changed: it is made of the content.
 */
import { createHash } from 'node:crypto'
import { isIPv6 } from 'node:net'
import { CLUSTERSET_DOMAIN } from '../api/names.ts'
import type { ClustersetName, ClustersetPod } from './tables.ts'

/** Who asks: pods whose calls are captured, or all others. */
export type Asker = 'captured' | 'direct'

/** Of the KEP's DNS specification. */
const SCHEMA = '1.0.0'
/** Seconds that an answer may be kept, and an answer that there is nothing. */
const TTL_SECONDS = 5
const SCHEMA_TTL_SECONDS = 28_800

export const zoneFile = (names: readonly ClustersetName[], asker: Asker): string => {
  const groups = [...Map.groupBy(names, ({ namespace }) => namespace)]
  const body = [
    `dns-version ${SCHEMA_TTL_SECONDS} TXT "${SCHEMA}"`,
    ...groups.flatMap(([namespace, all]) => [
      `$ORIGIN ${namespace}.svc.${CLUSTERSET_DOMAIN}.`,
      ...all.flatMap((each) => recordsOf(each, asker)),
    ]),
  ].join('\n')
  return `$ORIGIN ${CLUSTERSET_DOMAIN}.\n$TTL ${TTL_SECONDS}\n@ SOA ns.dns hostmaster ${serialOf(body)} 7200 1800 86400 ${TTL_SECONDS}\n${body}\n`
}

/** Any but 0, which the plugin takes for a zone that it has not read yet. */
const serialOf = (body: string): number => createHash('sha256').update(body).digest().readUInt32BE(0) || 1

/** Relative to the namespace. */
const recordsOf = ({ name, ports, pods, ...addresses }: ClustersetName, asker: Asker): readonly string[] => {
  if (pods !== undefined) return [...new Set(pods.flatMap((pod) => recordsOfPod(name, pod)))]
  const own = addresses[asker]
  if (own.length === 0) return []
  return [...new Set([...own.map((address) => addressRecord(name, address)), ...serviceRecords(name, ports, name)])]
}

const recordsOfPod = (service: string, { host, cluster, address, ports }: ClustersetPod): readonly string[] => {
  const all = addressRecord(service, address)
  if (host === undefined) return [all]
  const own = `${host}.${cluster}.${service}`
  return [all, addressRecord(own, address), ...serviceRecords(service, ports, own)]
}

const addressRecord = (owner: string, address: string): string =>
  `${owner} ${isIPv6(address) ? 'AAAA' : 'A'} ${address}`

/** By the port's name where it has one; and by the bare name all of them, as the conformance suite asks. */
const serviceRecords = (service: string, ports: ClustersetName['ports'], target: string): readonly string[] =>
  ports.flatMap(({ name, port, protocol }) => {
    const value = `SRV 0 1 ${port} ${target}`
    return [`${service} ${value}`, ...(name === undefined ? [] : [`_${name}._${protocol}.${service} ${value}`])]
  })
