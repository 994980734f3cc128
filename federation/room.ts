import { IMPORT_ENDPOINTS_MAX, IMPORT_PORTS_MAX } from '../api/service-import.ts'
import type { PortOffer } from './resolve.ts'

/** How much of a service an import can hold. */
export interface Room {
  readonly ports: number
  /** Of one port. */
  readonly endpoints: number
  /** Of all endpoints together. etcd takes 1.5 MB, and the object has a status too. */
  readonly bytes: number
}

/** What the schema of an import and the API server's store take. */
export const ROOM: Room = { ports: IMPORT_PORTS_MAX, endpoints: IMPORT_ENDPOINTS_MAX, bytes: 900_000 }

/** Names of fields, quotes, braces and the port's number. */
const FRAME_BYTES = 80

/** Of how many endpoints are ready. */
const COUNT_BYTES = 25

/** What an endpoint takes at most, written as JSON. */
export const bytesOf = ({ by: { site }, offered, backends }: PortOffer): number => {
  const { host, ip = '' } = site.gateway
  const counted = backends === undefined ? 0 : COUNT_BYTES
  return FRAME_BYTES + counted + site.clusterKey.length + host.length + ip.length + (offered.path?.length ?? 0)
}

/** `64 ports, 256 clusters a port, 900 kB` */
export const roomInWords = ({ ports, endpoints, bytes }: Room): string =>
  `${ports} ports, ${endpoints} clusters a port, ${bytes / 1_000} kB`
