/** What users would apply, as text. One namespace of apps, one of clients; `httpbin` is the service that everything is about. */
import { stringify } from 'yaml'

export const APP_IMAGE = 'portolan.test/demo-app:dev'
export const MESH = 'portolan'

/** kubectl reads YAML 1.1, where more words mean true or false. */
export const documents = (...objects: readonly object[]) =>
  objects.map((object) => stringify(object, { version: '1.1' })).join('---\n')

export const meshNamespace = (name: string, extra: { labels?: object; annotations?: object } = {}) => ({
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: {
    name,
    labels: { 'flomesh.io/monitored-by': MESH, ...extra.labels },
    annotations: { 'flomesh.io/sidecar-injection': 'enabled', ...extra.annotations },
  },
})

export const plainNamespace = (name: string) => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } })

interface AppOptions {
  readonly namespace: string
  readonly name: string
  /** What the app calls itself in its answers. */
  readonly says: string
  readonly replicas?: number
}

/** A Deployment of the demo app, and its Service at port 8080. */
export const app = ({ namespace, name, says, replicas = 1 }: AppOptions) => [
  {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace },
    spec: {
      replicas,
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name } },
        spec: {
          terminationGracePeriodSeconds: 5,
          containers: [
            {
              name: 'app',
              image: APP_IMAGE,
              env: [{ name: 'CLUSTER', value: says }],
              ports: [{ containerPort: 8080 }, { containerPort: 8081 }, { containerPort: 8082 }],
              readinessProbe: { httpGet: { path: '/status/200', port: 8080 }, periodSeconds: 1 },
            },
          ],
        },
      },
    },
  },
  {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace },
    spec: { selector: { app: name }, ports: [{ name: 'http', port: 8080, targetPort: 8080 }] },
  },
]

/** The demo app at two ports: one is HTTP, at the other the server speaks first. */
export const greeter = (namespace: string, says: string) =>
  app({ namespace, name: 'greeter', says }).map((object) =>
    object.kind === 'Service' ? { ...object, spec: { selector: { app: 'greeter' }, ports: GREETER_PORTS } } : object,
  )
const GREETER_PORTS = [
  { name: 'http', port: 8080, targetPort: 8080 },
  { name: 'tcp-greeting', port: 8082, targetPort: 8082 },
]

/** A pod template's worth of client: sleeps until somebody execs into it. */
export const client = (namespace: string, name: string, pod: { annotations?: object; spec?: object } = {}) => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name, namespace },
  spec: {
    selector: { matchLabels: { app: name } },
    template: {
      metadata: { labels: { app: name }, annotations: { ...pod.annotations } },
      spec: {
        terminationGracePeriodSeconds: 1,
        containers: [{ name: 'curl', image: APP_IMAGE, command: ['sleep', '365d'] }],
        ...pod.spec,
      },
    },
  },
})

export const serviceExport = (namespace: string, name: string, spec: object) => ({
  apiVersion: 'flomesh.io/v1alpha1',
  kind: 'ServiceExport',
  metadata: { name, namespace },
  spec: { serviceAccountName: '*', ...spec },
})

export interface Remote {
  readonly clusterKey: string
  readonly host: string
  readonly port: number
  readonly path: string
}

export const serviceImport = (namespace: string, name: string, remotes: readonly Remote[], port = 8080) => ({
  apiVersion: 'flomesh.io/v1alpha1',
  kind: 'ServiceImport',
  metadata: { name, namespace },
  spec: {
    type: 'ClusterSetIP',
    serviceAccountName: '*',
    ports: [
      {
        port,
        protocol: 'TCP',
        endpoints: remotes.map(({ clusterKey, host, port, path }) => ({
          clusterKey,
          target: { host, ip: host, port, path },
        })),
      },
    ],
  },
})

export interface Target {
  readonly clusterKey: string
  readonly weight?: number
  readonly priority?: number
}

export const policy = (
  namespace: string,
  name: string,
  lbType: 'Locality' | 'FailOver' | 'ActiveActive',
  targets: readonly Target[] = [],
) => ({
  apiVersion: 'flomesh.io/v1alpha1',
  kind: 'GlobalTrafficPolicy',
  metadata: { name, namespace },
  spec: { lbType, ...(targets.length > 0 ? { targets } : {}) },
})

export const clusterKey = (name: string) => `default/default/default/${name}`
