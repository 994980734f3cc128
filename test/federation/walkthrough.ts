/** The objects of the four-cluster walkthrough, cluster by cluster; addresses alone are ours. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseAllDocuments } from 'yaml'
import type { KubeObject } from '../../api/meta.ts'
import { API_VERSION } from '../../api/names.ts'
import { namespace } from '../kube/objects.ts'

export const SYSTEM = 'portolan-system'
export const HUB = 'control-plane'
export const MEMBERS = ['cluster-1', 'cluster-2', 'cluster-3'] as const
export const clusterKey = (name: string): string => `default/default/default/${name}`

const SEEDS = join(import.meta.dirname, '../golden/seeds')

/** An object, and the cluster that it is applied to. */
export interface Placed {
  readonly cluster: string
  readonly object: KubeObject
}

/** As printed, in `ns` where the command says so. */
function printed(file: string, ns?: string): readonly KubeObject[] {
  return parseAllDocuments(readFileSync(join(SEEDS, file), 'utf8')).map((document) => {
    const object = document.toJS() as KubeObject
    return ns === undefined ? object : { ...object, metadata: { ...object.metadata, namespace: ns } }
  })
}

/** A member's Cluster, with its kubeconfig inline as printed. */
export const cluster = (name: string, kubeconfigFile: string): KubeObject & { readonly spec: object } => ({
  apiVersion: API_VERSION,
  kind: 'Cluster',
  metadata: { name },
  spec: {
    gatewayHost: '192.168.1.110',
    gatewayPort: 80 + Number(name.split('-')[1]),
    kubeconfig: readFileSync(kubeconfigFile, 'utf8'),
  },
})

/** A Service with one ready pod. Its address is given, as it comes back in gateways' tables. */
export const served = (ns: string, name: string, address: string): readonly KubeObject[] => [
  {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { namespace: ns, name },
    spec: { clusterIP: address, selector: { app: 'pipy' }, ports: [{ port: 8080, targetPort: 8080, protocol: 'TCP' }] },
  } as KubeObject,
  {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { namespace: ns, name: `${name}-1`, labels: { 'kubernetes.io/service-name': name } },
    addressType: 'IPv4',
    endpoints: [{ addresses: ['10.1.0.9'], conditions: { ready: true } }],
    ports: [{ port: 8080, protocol: 'TCP' }],
  } as KubeObject,
]

const exporting = (name: string): readonly KubeObject[] => [
  namespace('httpbin'),
  ...served('httpbin', 'httpbin', '10.43.7.1'),
  ...served('httpbin', `httpbin-${name}`, '10.43.7.2'),
  ...printed(`000-exports-${name}.yaml`),
]

/** Everything that is applied in the course of the walkthrough, as it stands at its end. */
export const walkthrough = (kubeconfigOf: (cluster: string) => string): readonly Placed[] => {
  const at = (name: string, objects: readonly KubeObject[]) => objects.map((object) => ({ cluster: name, object }))
  return [
    ...at(
      HUB,
      MEMBERS.map((name) => cluster(name, kubeconfigOf(name))),
    ),
    ...at('cluster-1', exporting('cluster-1')),
    ...at('cluster-3', exporting('cluster-3')),
    ...at('cluster-2', [
      namespace('curl'),
      namespace('httpbin'),
      ...served('httpbin', 'httpbin', '10.43.7.1'),
      ...served('httpbin', 'httpbin-cluster-2', '10.43.7.2'),
      ...printed('000-policy-activeactive.yaml', 'httpbin'),
    ]),
  ]
}
