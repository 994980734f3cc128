import { isIP } from 'node:net'
import type { EndpointSlice, Service } from '../api/core.ts'
import { MCS_SERVICE_NAME_LABEL, MCS_SOURCE_CLUSTER_LABEL } from '../api/names.ts'
import type { ServiceImport } from '../api/service-import.ts'
import { derivedAddresses } from './derived.ts'
import { keyOf } from './keys.ts'
import { ACROSS, isDnsLabel } from './names.ts'
import { by, unique } from './order.ts'
import type { ClustersetName, ClustersetPod, ClustersetPort } from './tables.ts'

/** What `clusterset.local` is made of. */
export interface NameSources {
  /** By namespace and name, with the address that sidecars capture. */
  readonly imports: readonly { readonly object: ServiceImport; readonly vip: string | undefined }[]
  /** By namespace/name. */
  readonly services: ReadonlyMap<string, Service>
  readonly endpointSlices: readonly EndpointSlice[]
  /** Whether pods without a sidecar have a way to imports: then they get no address that leads nowhere. */
  readonly egress?: boolean
}

/**
 * All services of the clusterset that have a name in DNS, as the KEP's DNS specification 1.0.0 has it. One whose name is
 * no DNS label has none.
 */
export const clustersetNames = ({
  imports,
  services,
  endpointSlices,
  egress = false,
}: NameSources): readonly ClustersetName[] => {
  const slices = imports.some(({ object }) => isHeadless(object)) ? slicesByImport(endpointSlices) : new Map()
  return imports
    .filter(({ object: { metadata } }) => isDnsLabel(metadata.name) && isDnsLabel(metadata.namespace ?? 'default'))
    .map(({ object, vip }): ClustersetName => {
      const { namespace = 'default', name } = object.metadata
      const headless = isHeadless(object)
      const captured = headless || vip === undefined ? [] : [vip]
      const derived = headless ? [] : derivedAddresses(services, keyOf(object))
      return {
        namespace,
        name,
        ports: portsOf(object.spec.ports),
        captured,
        direct: egress || derived.length > 0 ? derived : captured,
        ...(headless ? { pods: podsOf({ namespace, name }, slices.get(keyOf(object)) ?? []) } : {}),
      }
    })
}

/** The import has no address of its own: its name stands for those of its pods. */
export const isHeadless = ({ spec }: ServiceImport): boolean => spec.type === 'Headless'

/** Without a zone, which a pod on another machine knows nothing of. */
const isAddress = (text: string | undefined): text is string =>
  text !== undefined && isIP(text) !== 0 && !text.includes('%')

const slicesByImport = (slices: readonly EndpointSlice[]): ReadonlyMap<string, readonly EndpointSlice[]> =>
  Map.groupBy(
    slices.filter(({ metadata }) => metadata.labels?.[MCS_SERVICE_NAME_LABEL] !== undefined),
    ({ metadata }) => `${metadata.namespace ?? 'default'}/${metadata.labels?.[MCS_SERVICE_NAME_LABEL]}`,
  )

/** Whether the name is of use to pods without a sidecar: what only sidecars capture is not. */
export const isForAll = ({ captured, direct, pods = [] }: ClustersetName): boolean =>
  pods.length > 0 || direct.some((address) => !captured.includes(address))

type RawPort = NonNullable<EndpointSlice['ports']>[number]

const isNumber = (port: number | undefined): port is number =>
  port !== undefined && Number.isInteger(port) && port >= 1 && port <= 65_535

const portsOf = (ports: readonly RawPort[]): readonly ClustersetPort[] =>
  unique(
    ports
      .flatMap(({ name = '', port, protocol = 'TCP' }): readonly ClustersetPort[] =>
        isNumber(port) ? [{ ...(isDnsLabel(name) ? { name } : {}), port, protocol: protocol.toLowerCase() }] : [],
      )
      .sort(
        by(
          (port) => port.port,
          (port) => port.protocol,
          (port) => port.name ?? '',
        ),
      ),
    (port) => JSON.stringify(port),
  )

const podsOf = (
  service: { readonly namespace: string; readonly name: string },
  slices: readonly EndpointSlice[],
): readonly ClustersetPod[] =>
  unique(
    slices
      .filter(({ addressType }) => addressType !== 'FQDN')
      .flatMap(({ metadata, endpoints, ports }) => {
        const cluster = metadata.labels?.[MCS_SOURCE_CLUSTER_LABEL] ?? ''
        if (!cluster.split('.').every(isDnsLabel)) return []
        return (endpoints ?? []).flatMap(({ addresses, conditions, hostname }): readonly ClustersetPod[] => {
          const address = addresses[0]
          // Kubernetes asks consumers to take an unknown readiness for ready.
          if (!isAddress(address) || conditions?.ready === false) return []
          const host = hostOf(hostname, address, (label) => nameFits(label, cluster, service))
          return [{ ...(host === undefined ? {} : { host }), cluster, address, ports: portsOf(ports ?? []) }]
        })
      })
      .sort(
        by(
          (pod) => pod.cluster,
          (pod) => pod.host ?? '',
          (pod) => pod.address,
          (pod) => JSON.stringify(pod.ports),
        ),
      ),
    (pod) => JSON.stringify(pod),
  )

/** A pod goes by its hostname, else by its address: also where its name as a whole would be longer than DNS allows. */
const hostOf = (hostname: string | undefined, address: string, fits: (label: string) => boolean): string | undefined =>
  [...(hostname !== undefined && isDnsLabel(hostname) ? [hostname] : []), dashed(address)].find(fits)

/** `10-1-2-3`, `fd00-1--7`; a label neither begins nor ends with a dash. */
const dashed = (address: string): string =>
  address.toLowerCase().replaceAll(/[.:]/g, '-').replace(/^-/, '0-').replace(/-$/, '-0')

const NAME_MAX = 253

const nameFits = (
  host: string,
  cluster: string,
  { namespace, name }: { readonly namespace: string; readonly name: string },
): boolean => `${host}.${cluster}.${name}.${namespace}${ACROSS}`.length <= NAME_MAX
