/** What names are made of, as short as a table row. */
import type { EndpointSlice, Service } from '../../api/core.ts'
import { DERIVED_FROM_ANNOTATION, MCS_SERVICE_NAME_LABEL, MCS_SOURCE_CLUSTER_LABEL } from '../../api/names.ts'
import type { ServiceImport, ServiceImportSpec } from '../../api/service-import.ts'
import { derivedName } from '../../compiler/derived.ts'
import * as build from '../compiler/build.ts'

/** An import by the standard, with an address of its own. */
export const standard = (
  key: string,
  ports: readonly Partial<ServiceImportSpec['ports'][number]>[] = [{ name: 'http', port: 80 }],
  spec: Partial<ServiceImportSpec> = {},
): ServiceImport => {
  const made = build.serviceImport(key, [])
  return {
    ...made,
    spec: {
      doors: ['MCS'],
      standard: { clusters: ['east'] },
      ...spec,
      ports: ports.map(({ port = 80, ...rest }) => ({ port, endpoints: [], ...rest })),
    },
  }
}

export const headless = (key: string): ServiceImport =>
  standard(key, [{ name: 'pg', port: 5432 }], { type: 'Headless' })

/** The Service by which pods without a sidecar call an import. */
export const derived = (key: string, ...clusterIPs: readonly string[]): Service => {
  const namespace = key.split('/')[0] ?? ''
  const made = build.service(`${namespace}/${derivedName(key)}`, { clusterIP: clusterIPs[0] ?? 'None', clusterIPs })
  return { ...made, metadata: { ...made.metadata, annotations: { [DERIVED_FROM_ANNOTATION]: key } } }
}

/** Pods as `address`, `hostname@address`; with `!` in front one that is not ready. */
export const slice = (
  key: string,
  cluster: string,
  pods: readonly string[],
  ports: EndpointSlice['ports'] = [{ name: 'pg', port: 5432, protocol: 'TCP' }],
): EndpointSlice => {
  const [namespace = '', name = ''] = key.split('/')
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      namespace,
      name: `${name}-${cluster}`,
      labels: { [MCS_SERVICE_NAME_LABEL]: name, [MCS_SOURCE_CLUSTER_LABEL]: cluster },
    },
    addressType: pods[0]?.includes(':') ? 'IPv6' : 'IPv4',
    endpoints: pods.map((pod) => {
      const [address = '', hostname] = pod.replace('!', '').split('@').toReversed()
      return {
        addresses: [address],
        conditions: { ready: !pod.startsWith('!') },
        ...(hostname === undefined ? {} : { hostname }),
      }
    }),
    ports,
  }
}
