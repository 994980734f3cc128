/** Services of ours by which pods without a sidecar reach imports. */
import { createHash } from 'node:crypto'
import { isIP } from 'node:net'
import type { Service } from '../api/core.ts'
import { DERIVED_FROM_ANNOTATION } from '../api/names.ts'

/** Name of the Service that stands in for an import, in the import's namespace. @param service namespace/name of the import */
export const derivedName = (service: string): string =>
  `derived-${createHash('sha256').update(service).digest('hex').slice(0, 10)}`

/** The import that a Service was made for, as namespace/name; nothing for anybody's own Service. */
export const derivedFrom = ({ metadata }: Service): string | undefined => {
  const from = metadata.annotations?.[DERIVED_FROM_ANNOTATION]
  return from !== undefined && metadata.name === derivedName(from) && from.startsWith(`${metadata.namespace}/`)
    ? from
    : undefined
}

/**
 * Addresses that pods without a sidecar call an import at, of each family one at most. None before the Service is there,
 * and where no egress runs.
 *
 * @param services by namespace/name
 * @param service namespace/name of the import
 */
export const derivedAddresses = (services: ReadonlyMap<string, Service>, service: string): readonly string[] => {
  const object = services.get(`${service.split('/')[0]}/${derivedName(service)}`)
  if (object === undefined || derivedFrom(object) !== service) return []
  const { clusterIP = '', clusterIPs = [clusterIP] } = object.spec
  return clusterIPs.filter((address) => isIP(address) !== 0)
}
