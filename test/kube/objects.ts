/** Objects to begin a test with. */
export const namespace = (name: string, mesh = true) => ({
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: {
    name,
    labels: mesh ? { 'flomesh.io/monitored-by': 'portolan' } : {},
    annotations: { 'flomesh.io/sidecar-injection': 'enabled' },
  },
})
export const service = (ns: string, name: string) => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { namespace: ns, name },
  spec: { ports: [{ name: 'http', port: 8080 }] },
})
export const east = (path: string) => ({
  clusterKey: 'default/default/default/east',
  target: { host: '10.9.0.1', port: 80, path },
})
export const imported = (
  ns: string,
  name: string,
  ports: readonly object[] = [{ port: 8080, endpoints: [east(`/${name}`)] }],
) => ({
  apiVersion: 'flomesh.io/v1alpha1',
  kind: 'ServiceImport',
  metadata: { namespace: ns, name },
  spec: { ports },
})
export const policy = (ns: string, name: string, lbType = 'FailOver') => ({
  apiVersion: 'flomesh.io/v1alpha1',
  kind: 'GlobalTrafficPolicy',
  metadata: { namespace: ns, name },
  spec: lbType === 'Locality' ? { lbType } : { lbType, targets: [{ clusterKey: 'default/default/default/east' }] },
})
export const exported = (ns: string, name: string) => ({
  apiVersion: 'flomesh.io/v1alpha1',
  kind: 'ServiceExport',
  metadata: { namespace: ns, name },
  spec: { rules: [{ portNumber: 8080, path: `/${name}` }] },
})
/** One pod behind a Service of the name. */
export const endpoints = (ns: string, name: string, ready = true) => ({
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: { namespace: ns, name: `${name}-1`, labels: { 'kubernetes.io/service-name': name } },
  addressType: 'IPv4',
  endpoints: [{ addresses: ['10.1.0.9'], conditions: { ready } }],
  ports: [{ name: 'http', port: 8080 }],
})
export const pod = (ns: string, name: string, sidecar: boolean) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { namespace: ns, name, labels: { app: 'test' } },
  spec: {
    containers: [{ name: 'app', image: 'app' }],
    ...(sidecar ? { initContainers: [{ name: 'portolan-proxy', image: 'envoy', restartPolicy: 'Always' }] } : {}),
  },
})
