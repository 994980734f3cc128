import type { EndpointSlice, Service } from '../api/core.ts'
import { EGRESS_SERVICE } from '../api/names.ts'
import { byKey } from '../compiler/keys.ts'
import type { MeshSettings, Snapshot } from '../compiler/snapshot.ts'
import type { Tables } from '../compiler/tables.ts'
import { CLUSTER_MESH, sharesByAnnotation } from '../federation/global-services.ts'
import type { Objects } from './objects.ts'

/** Manifests do not say what a cluster fills in. These addresses stand in for it; they belong to nobody (RFC 2544). */
const CLUSTER_IPS = '198.18'
const POD_IPS = '198.19'

/** Where the chart is installed, as far as files can tell. */
export const PORTOLAN_NAMESPACE = 'portolan-system'

/**
 * The snapshot a cluster would give once the objects are applied: every Service has its address and, unless its
 * EndpointSlices are among the files, one ready pod.
 *
 * @param down Services (namespace/name) without a ready pod, whatever the files say
 */
export function asApplied(objects: Objects, mesh: MeshSettings, down: readonly string[]): Snapshot {
  const all = [...objects.services, ...egressService(mesh, objects.services)]
  const services = all.sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1)).map(withAddress)
  const given = new Set(objects.endpointSlices.map(serviceOf))
  const madeUp = services.map(sliceOf).filter((slice) => !given.has(serviceOf(slice)))
  const { meshConfigs: _, clusters: _others, ...read } = objects
  return {
    ...read,
    mesh,
    services,
    globalServices: sharesByAnnotation(undefined, byKey(services).has(CLUSTER_MESH)),
    endpointSlices: [...objects.endpointSlices, ...madeUp].filter((slice) => !down.includes(serviceOf(slice))),
  }
}

/** The chart's, in front of the pods of the egress. */
function egressService({ egressNamespace }: MeshSettings, services: readonly Service[]): readonly Service[] {
  if (egressNamespace === undefined || byKey(services).has(`${egressNamespace}/${EGRESS_SERVICE}`)) return []
  return [serviceOfName(egressNamespace, EGRESS_SERVICE, { clusterIP: 'None' })]
}

const serviceOfName = (namespace: string, name: string, spec: Service['spec']): Service => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { namespace, name },
  spec,
})

/** The snapshot once the Services have been made that compilation wants, each with an address. */
export function withDerived(snapshot: Snapshot, { objects }: Pick<Tables, 'objects'>): Snapshot {
  const given = snapshot.services.length
  const derived = objects
    .filter(({ kind }) => kind === 'Service')
    .map(({ namespace = '', name, annotations = {}, fields }, index): Service => {
      const made = serviceOfName(namespace, name, fields['spec'] as Service['spec'])
      return withAddress({ ...made, metadata: { ...made.metadata, annotations } }, given + index)
    })
  return { ...snapshot, services: [...snapshot.services, ...derived] }
}

function nameOf({ metadata }: Service): string {
  return `${metadata.namespace}/${metadata.name}`
}

function serviceOf({ metadata }: EndpointSlice): string {
  return `${metadata.namespace}/${metadata.labels?.['kubernetes.io/service-name']}`
}

function withAddress(service: Service, index: number): Service {
  const { type, clusterIP } = service.spec
  if (clusterIP !== undefined || type === 'ExternalName') return service
  return { ...service, spec: { ...service.spec, clusterIP: address(CLUSTER_IPS, index) } }
}

function sliceOf({ metadata, spec }: Service, index: number): EndpointSlice {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      name: metadata.name,
      ...(metadata.namespace === undefined ? {} : { namespace: metadata.namespace }),
      labels: { 'kubernetes.io/service-name': metadata.name },
    },
    addressType: 'IPv4',
    endpoints: [{ addresses: [address(POD_IPS, index)], conditions: { ready: true } }],
    ports: (spec.ports ?? []).map(({ name, port, targetPort, protocol }) => ({
      ...(name === undefined ? {} : { name }),
      port: typeof targetPort === 'number' ? targetPort : port,
      ...(protocol === undefined ? {} : { protocol }),
    })),
  }
}

function address(prefix: string, index: number): string {
  return `${prefix}.${Math.floor((index + 1) / 256) % 256}.${(index + 1) % 256}`
}
