import { API_VERSION, MANAGED_BY } from '../api/names.ts'
import type { ServiceImport } from '../api/service-import.ts'
import { by } from '../compiler/order.ts'
import { isFor } from './constituent.ts'
import type { PortOffer, Resolution, ResolvedPort } from './resolve.ts'
import type { Site } from './site.ts'

type ImportPort = ServiceImport['spec']['ports'][number]
type Endpoint = NonNullable<ImportPort['endpoints']>[number]

const endpointOf = ({ by: { site }, offered }: PortOffer): Endpoint => {
  const { host, ip, port } = site.gateway
  return {
    clusterKey: site.clusterKey,
    target: { host, ...(ip === undefined ? {} : { ip }), port, path: offered.path },
  }
}

const portFor = (site: Site, { name, port, appProtocol, offers }: ResolvedPort): ImportPort => ({
  ...(name === '' ? {} : { name }),
  port,
  protocol: 'TCP',
  ...(appProtocol === undefined ? {} : { appProtocol }),
  endpoints: offers
    .filter((offer) => isFor(offer.by, site))
    .map(endpointOf)
    .sort(by(({ clusterKey }) => clusterKey)),
})

/** The service as one cluster imports it: ports that another cluster serves to it. Undefined when there are none. */
export const importFor = (site: Site, service: string, resolution: Resolution): ServiceImport | undefined => {
  const ports = resolution.ports.map((port) => portFor(site, port)).filter(({ endpoints }) => endpoints?.length !== 0)
  if (ports.length === 0) return undefined
  const [namespace = '', name = ''] = service.split('/')
  return {
    apiVersion: API_VERSION,
    kind: 'ServiceImport',
    metadata: { name, namespace, labels: MANAGED_BY },
    spec: { type: 'ClusterSetIP', serviceAccountName: resolution.serviceAccountName, ports },
  }
}
