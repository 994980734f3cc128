/** Objects for tests, as short as a table row. */
import type { EndpointSlice, Namespace, Service, ServicePort } from '../../api/core.ts'
import type { GlobalTrafficPolicy } from '../../api/global-traffic-policy.ts'
import { API_VERSION } from '../../api/names.ts'
import type { ServiceExport } from '../../api/service-export.ts'
import type { ServiceImport } from '../../api/service-import.ts'
import type { MeshSettings, Snapshot } from '../../compiler/snapshot.ts'
import type { Trust } from '../../compiler/tables.ts'

export const clusterKey = (name: string): string => `default/default/default/${name}`

export const mesh: MeshSettings = {
  meshName: 'portolan',
  clusterKey: clusterKey('west'),
  clusterDomain: 'cluster.local',
  vipRange: '240.240.0.0/16',
}

/** Of clusters that know each other. */
export const trustIn = (own: string, ...others: readonly string[]): Trust => ({
  trustDomain: `${own}.portolan.local`,
  bundle: '{"trust_domains":{}}',
  clusters: Object.fromEntries(
    [own, ...others].sort().map((name) => {
      const trustDomain = `${name}.portolan.local`
      return [
        clusterKey(name),
        { trustDomain, gateway: `spiffe://${trustDomain}/ns/portolan-system/sa/portolan-gateway` },
      ]
    }),
  ),
})

const named = (key: string) => {
  const [namespace = '', name = ''] = key.split('/')
  return { namespace, name }
}

export const namespace = (name: string, annotations?: Record<string, string>): Namespace => ({
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name, labels: { 'flomesh.io/monitored-by': mesh.meshName }, ...(annotations ? { annotations } : {}) },
})

export const service = (key: string, spec: Partial<Service['spec']> = {}): Service => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: named(key),
  spec: { type: 'ClusterIP', clusterIP: '10.43.0.7', ports: [{ port: 8080, targetPort: 80 }], ...spec },
})

/** Pods behind a Service's port; an address with `!` in front is not ready. */
export const pods = (
  key: string,
  addresses: readonly string[],
  port: number,
  of: Partial<ServicePort> = {},
): EndpointSlice => ({
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: { ...named(key), name: `${named(key).name}-1`, labels: { 'kubernetes.io/service-name': named(key).name } },
  addressType: 'IPv4',
  endpoints: addresses.map((each) => ({
    addresses: [each.replace('!', '')],
    conditions: { ready: !each.startsWith('!') },
  })),
  ports: [{ port, ...(of.name === undefined ? {} : { name: of.name }) }],
})

export interface Exporter {
  readonly cluster: string
  readonly host?: string
  readonly port?: number
  readonly path?: string
}

/** An import with the same exporters on each of its ports. */
export const serviceImport = (
  key: string,
  exporters: readonly Exporter[],
  ports: readonly { readonly port: number; readonly appProtocol?: string }[] = [{ port: 8080 }],
  metadata: Partial<ServiceImport['metadata']> = {},
): ServiceImport => ({
  apiVersion: API_VERSION,
  kind: 'ServiceImport',
  metadata: { ...named(key), ...metadata },
  spec: {
    ports: ports.map((port) => ({
      ...port,
      protocol: 'TCP',
      endpoints: exporters.map(({ cluster, host = '192.0.2.1', port: at = 80, path = `/${cluster}/${key}` }) => ({
        clusterKey: clusterKey(cluster),
        target: { host, port: at, path },
      })),
    })),
  },
})

export const policy = (
  key: string,
  lbType: 'Locality' | 'FailOver' | 'ActiveActive',
  targets?: readonly (string | { readonly cluster: string; readonly weight?: number; readonly priority?: number })[],
): GlobalTrafficPolicy => ({
  apiVersion: API_VERSION,
  kind: 'GlobalTrafficPolicy',
  metadata: named(key),
  spec: {
    lbType,
    ...(targets
      ? {
          targets: targets.map((target) => {
            if (typeof target === 'string') return { clusterKey: clusterKey(target) }
            const { cluster, ...rest } = target
            return { clusterKey: clusterKey(cluster), ...rest }
          }),
        }
      : {}),
  },
})

export const serviceExport = (
  key: string,
  spec: ServiceExport['spec'] = {},
  metadata: Partial<ServiceExport['metadata']> = {},
): ServiceExport => ({ apiVersion: API_VERSION, kind: 'ServiceExport', metadata: { ...named(key), ...metadata }, spec })

export const snapshot = (parts: Partial<Snapshot> = {}): Snapshot => ({
  mesh,
  namespaces: [namespace('app')],
  services: [],
  endpointSlices: [],
  imports: [],
  exports: [],
  policies: [],
  ...parts,
})
