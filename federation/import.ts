import { API_VERSION, MANAGED_BY } from '../api/names.ts'
import type { ServiceImport } from '../api/service-import.ts'
import { perObject } from '../compiler/memo.ts'
import { by } from '../compiler/order.ts'
import { type Constituent, isFor } from './constituent.ts'
import type { PortOffer, Resolution, ResolvedPort } from './resolve.ts'
import type { Site } from './site.ts'

type ImportPort = ServiceImport['spec']['ports'][number]
type Endpoint = NonNullable<ImportPort['endpoints']>[number]

/** One value for all importers: of these there are as many as clusters, squared, for each service. */
const endpointOf = perObject(({ by: { site }, offered }: PortOffer): Endpoint => {
  const { host, ip, port } = site.gateway
  return {
    clusterKey: site.clusterKey,
    target: { host, ...(ip === undefined ? {} : { ip }), port, ...(offered.path ? { path: offered.path } : {}) },
  }
})

const portOf = ({ offers, ...decided }: ResolvedPort, givers: readonly Constituent[]): ImportPort => ({
  ...(decided.name === '' ? {} : { name: decided.name }),
  port: decided.port,
  protocol: 'TCP',
  ...(decided.appProtocol === undefined ? {} : { appProtocol: decided.appProtocol }),
  endpoints: offers
    .filter((offer) => givers.includes(offer.by))
    .map(endpointOf)
    .sort(by(({ clusterKey }) => clusterKey)),
})

/** The service as the givers serve it. Undefined when they serve no port of it. */
const importOf = (
  service: string,
  { ports: all, serviceAccountName, sessionSticky }: Resolution,
  givers: readonly Constituent[],
): ServiceImport | undefined => {
  const ports = all.map((port) => portOf(port, givers)).filter(({ endpoints }) => endpoints?.length !== 0)
  if (ports.length === 0) return undefined
  const [namespace = '', name = ''] = service.split('/')
  return {
    apiVersion: API_VERSION,
    kind: 'ServiceImport',
    metadata: { name, namespace, labels: MANAGED_BY },
    spec: { type: 'ClusterSetIP', serviceAccountName, ...(sessionSticky ? { sessionSticky } : {}), ports },
  }
}

/** The service as each cluster imports it, by clusterKey. Clusters that import the same share one value. */
export const importsOf = (
  service: string,
  resolution: Resolution,
  sites: readonly Site[],
): ReadonlyMap<string, ServiceImport> => {
  const made = new Map<string, ServiceImport | undefined>()
  const imports = new Map<string, ServiceImport>()
  for (const site of sites) {
    const givers = resolution.constituents.filter((each) => isFor(each, site))
    const key = JSON.stringify(givers.map((each) => each.site.name))
    if (!made.has(key)) made.set(key, importOf(service, resolution, givers))
    const imported = made.get(key)
    if (imported) imports.set(site.clusterKey, imported)
  }
  return imports
}
