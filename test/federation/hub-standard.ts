/** The standard's objects on API servers without nodes; nobody but the test itself makes slices of endpoints there. */
import { join } from 'node:path'
import type { EndpointSlice, Service } from '../../api/core.ts'
import type { McsExport } from '../../api/mcs.ts'
import { MCS_GROUP, MCS_SERVICE_NAME_LABEL, MCS_SOURCE_CLUSTER_LABEL, MCS_VERSION } from '../../api/names.ts'
import { ENDPOINT_SLICES, MCS_EXPORTS } from '../../api/resources.ts'
import type { ServiceImport } from '../../api/service-import.ts'
import { kubectl } from '../kube/compiler.ts'
import { until } from '../lab/run.ts'
import { conditionOf, namespaceObject, type Site } from './hub.ts'

const CRDS = join(import.meta.dirname, '../../charts/portolan/files/crds-mcs')

/** As the chart does. */
export async function installStandard({ api }: Site): Promise<void> {
  await kubectl(api, ['apply', '-f', CRDS])
  await kubectl(api, ['wait', '--for=condition=Established', 'crd', '--all', '--timeout=120s'])
}

const split = (service: string) => {
  const [namespace = '', name = ''] = service.split('/')
  return { namespace, name }
}

export const standardExport = (service: string, spec: object = {}) => ({
  apiVersion: `${MCS_GROUP}/${MCS_VERSION}`,
  kind: 'ServiceExport',
  metadata: split(service),
  spec,
})

export interface Ports {
  readonly port?: number
  readonly name?: string
}

export const plainService = (
  service: string,
  { port = 80, name = 'http' }: Ports = {},
  annotations: Readonly<Record<string, string>> = {},
): Service =>
  ({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { ...split(service), annotations },
    spec: { ports: [{ name, port, protocol: 'TCP' }] },
  }) as Service

export interface Pods {
  readonly ready?: readonly string[]
  readonly unready?: readonly string[]
  readonly terminating?: readonly string[]
}

/** What the Service's endpoints are, as Kubernetes would write it. */
export const endpoints = (service: string, { ready = [], unready = [], terminating = [] }: Pods) => {
  const { namespace, name } = split(service)
  const each = (addresses: readonly string[], conditions: object) =>
    addresses.map((address) => ({ addresses: [address], conditions, nodeName: 'node-1' }))
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { namespace, name: `${name}-abcde`, labels: { 'kubernetes.io/service-name': name } },
    addressType: 'IPv4',
    endpoints: [
      ...each(ready, { ready: true, serving: true, terminating: false }),
      ...each(unready, { ready: false, serving: false, terminating: false }),
      ...each(terminating, { ready: false, serving: true, terminating: true }),
    ],
    ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
  }
}

/** A namespace, a Service with pods, and its export by the standard. */
export const offerStandard = (service: string, pods: Pods, ports: Ports = {}, spec: object = {}) => [
  namespaceObject(split(service).namespace),
  plainService(service, ports),
  endpoints(service, pods),
  standardExport(service, spec),
]

export const standardOf = (site: Site, service: string): Promise<McsExport | undefined> =>
  site.get(MCS_EXPORTS, split(service))

/** Resolves with the export of the standard once a condition has the reason. */
export const says = (site: Site, service: string, type: string, reason: string): Promise<McsExport> =>
  until(`${site.name}'s export ${service} says ${type} ${reason}`, async () => {
    const object = await standardOf(site, service)
    return conditionOf(object, type)?.reason === reason ? object : undefined
  })

/** Exporting cluster → ready endpoints, on the first port. */
export const backendsIn = (
  found: ServiceImport | undefined,
): Readonly<Record<string, number | undefined>> | undefined =>
  found &&
  Object.fromEntries(
    (found.spec.ports[0]?.endpoints ?? []).map(({ clusterKey, backends }) => [clusterKey.split('/').at(-1), backends]),
  )

/** Resolves once the site's import of a service says so. */
export const counts = (
  site: Site,
  service: string,
  expected: Readonly<Record<string, number>>,
): Promise<ServiceImport> =>
  until(`${site.name} counts ${JSON.stringify(expected)} of ${service}`, async () => {
    const found = await site.importOf(service)
    return JSON.stringify(backendsIn(found)) === JSON.stringify(expected) ? found : undefined
  })

/** Slices that the hub keeps there for a service. */
export async function copiesOf(site: Site, service: string): Promise<readonly EndpointSlice[]> {
  const { namespace, name } = split(service)
  const all = await site.list(ENDPOINT_SLICES, namespace)
  return all.filter(({ metadata }) => metadata.labels?.[MCS_SERVICE_NAME_LABEL] === name)
}

/** Exporting cluster → addresses, ready or not. */
const addressesIn = (slices: readonly EndpointSlice[]): Readonly<Record<string, readonly string[]>> =>
  Object.fromEntries(
    slices
      .map(({ metadata, endpoints: all }): [string, readonly string[]] => [
        metadata.labels?.[MCS_SOURCE_CLUSTER_LABEL] ?? '',
        (all ?? []).flatMap(({ addresses }) => addresses),
      ])
      .toSorted(([a], [b]) => (a < b ? -1 : 1)),
  )

/** Resolves once the slices that the hub keeps in a site for a service are these. */
export const copies = (
  site: Site,
  service: string,
  expected: Readonly<Record<string, readonly string[]>>,
): Promise<readonly EndpointSlice[]> =>
  until(`${site.name} has slices of ${service}: ${JSON.stringify(expected)}`, async () => {
    const found = await copiesOf(site, service)
    return JSON.stringify(addressesIn(found)) === JSON.stringify(expected) ? found : undefined
  })
