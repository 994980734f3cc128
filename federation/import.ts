import { API_VERSION, MANAGED_BY } from '../api/names.ts'
import { IMPORT_ENDPOINTS_MAX, type ServiceImport } from '../api/service-import.ts'
import { perObject } from '../compiler/memo.ts'
import { by, compare } from '../compiler/order.ts'
import { type Constituent, isFor } from './constituent.ts'
import type { Properties } from './properties.ts'
import type { PortOffer, Resolution, ResolvedPort } from './resolve.ts'
import type { Site } from './site.ts'

type Spec = ServiceImport['spec']
type ImportPort = Spec['ports'][number]
type Endpoint = NonNullable<ImportPort['endpoints']>[number]
type Standard = NonNullable<Spec['standard']>

/** One value for all importers: of these there are as many as clusters, squared, for each service. */
const endpointOf = perObject(({ by: { site }, offered, backends }: PortOffer): Endpoint => {
  const { host, ip, port } = site.gateway
  return {
    clusterKey: site.clusterKey,
    ...(backends === undefined ? {} : { backends }),
    target: { host, ...(ip === undefined ? {} : { ip }), port, ...(offered.path ? { path: offered.path } : {}) },
  }
})

const portOf = ({ offers, ...decided }: ResolvedPort, givers: readonly Constituent[]): ImportPort => ({
  ...(decided.name === '' ? {} : { name: decided.name }),
  port: decided.port,
  protocol: decided.protocol ?? 'TCP',
  ...(decided.appProtocol === undefined ? {} : { appProtocol: decided.appProtocol }),
  endpoints: offers
    .filter(({ offered, by }) => offered.protocol === undefined && givers.includes(by))
    .map(endpointOf)
    .sort(by(({ clusterKey }) => clusterKey)),
})

/** Whose exports a cluster sees: those that are for it, and of what the standard or an annotation offers its own. */
interface Seen {
  readonly givers: readonly Constituent[]
  readonly own?: Constituent
}

/** The service as one cluster sees it. Undefined when there is nothing to see. */
const importOf = (service: string, resolution: Resolution, { givers, own }: Seen): ServiceImport | undefined => {
  const { doors, standard, headless, serviceAccountName, sessionSticky } = resolution
  const seen = own ? [...givers, own] : givers
  const keepsAll = standard !== undefined || own !== undefined
  const all = keepsAll
    ? resolution.ports.filter(({ offers }) => offers.some((offer) => seen.includes(offer.by)))
    : resolution.ports
  const ports = all.map((port) => portOf(port, givers)).filter(({ endpoints }) => keepsAll || endpoints?.length !== 0)
  if (keepsAll ? seen.length === 0 : ports.length === 0) return undefined
  const [namespace = '', name = ''] = service.split('/')
  return {
    apiVersion: API_VERSION,
    kind: 'ServiceImport',
    metadata: { name, namespace, labels: MANAGED_BY },
    spec: {
      type: headless ? 'Headless' : 'ClusterSetIP',
      ...(doors.every((door) => door === 'ServiceExport') ? {} : { doors }),
      ...(standard ? { standard: standardOf(standard, seen) } : {}),
      serviceAccountName,
      ...(sessionSticky ? { sessionSticky } : {}),
      ports,
    },
  }
}

const standardOf = ({ words, ipFamilies, ...properties }: Properties, seen: readonly Constituent[]): Standard => {
  const { labels = {}, annotations = {} } = words ?? {}
  return {
    clusters: seen
      .map(({ site }) => site.name)
      .slice(0, IMPORT_ENDPOINTS_MAX)
      .sort(compare),
    ...(Object.keys(labels).length === 0 ? {} : { labels }),
    ...(Object.keys(annotations).length === 0 ? {} : { annotations }),
    ...properties,
    ...(ipFamilies.length === 0 ? {} : { ipFamilies }),
  }
}

/**
 * The service as each cluster imports it, by clusterKey. Clusters that import the same share one value.
 * @param sharing names of the clusters whose own Service of that name is shared by annotation
 */
export const importsOf = (
  service: string,
  resolution: Resolution,
  sites: readonly Site[],
  sharing: ReadonlySet<string>,
): ReadonlyMap<string, ServiceImport> => {
  const made = new Map<string, ServiceImport | undefined>()
  const imports = new Map<string, ServiceImport>()
  for (const site of sites) {
    const givers = resolution.constituents.filter((each) => isFor(each, site, sharing))
    const itself = resolution.constituents.find((each) => each.site.clusterKey === site.clusterKey)
    // A name that once leads to the proxy goes on doing so when others withdraw: callers know its address for a while.
    const own = resolution.standard || itself?.doors.includes('GlobalService') ? itself : undefined
    const key = JSON.stringify([givers.map((each) => each.site.name), own?.site.name])
    if (!made.has(key)) made.set(key, importOf(service, resolution, { givers, ...(own ? { own } : {}) }))
    const imported = made.get(key)
    if (imported) imports.set(site.clusterKey, imported)
  }
  return imports
}
