/** What the clusters of conformance.test.ts hold: one namespace of Services, each of them there for a few behaviours. */
import { APP_IMAGE, app } from './manifests.ts'
import { callers, type Exported, mcsExport } from './standard.ts'

export const NS = 'conformance'
/** A port that all have. */
export const HTTP = { name: 'http', port: 8080, protocol: 'TCP' }

const web = (says: string) => app({ namespace: NS, name: 'web', says })[0] as object

const workload = (kind: string, name: string, replicas: number, spec: object = {}) => ({
  apiVersion: 'apps/v1',
  kind,
  metadata: { name, namespace: NS },
  spec: {
    replicas,
    selector: { matchLabels: { app: name } },
    template: {
      metadata: { labels: { app: name } },
      spec: {
        terminationGracePeriodSeconds: 1,
        containers: [
          {
            name: 'app',
            image: APP_IMAGE,
            env: [{ name: 'CLUSTER', value: name }],
            readinessProbe: { tcpSocket: { port: 8080 }, periodSeconds: 1 },
          },
        ],
      },
    },
    ...spec,
  },
})

/** Every Service leads to the Deployment `web` of its cluster unless its spec says otherwise. */
export const service = (name: string, ports: readonly object[] = [HTTP], spec: object = {}) => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, namespace: NS, labels: { of: 'the-service' }, annotations: { of: 'the service' } },
  spec: { selector: { app: 'web' }, ports, ...spec },
})

const HEADLESS = { clusterIP: 'None' }
export const AFFINITY = { sessionAffinity: 'ClientIP', sessionAffinityConfig: { clientIP: { timeoutSeconds: 10 } } }
export const FROM_EAST: Exported = { exportedLabels: { tier: 'shop' }, exportedAnnotations: { owner: 'the shop team' } }
const FROM_WEST: Exported = { exportedLabels: { shelf: 'top' }, exportedAnnotations: { keeper: 'somebody else' } }

const SERVICES = {
  /** Exported from east alone, by the older version of the API. */
  east: [
    service('web', [HTTP, { name: 'talk', port: 8080, protocol: 'UDP' }], {
      ...AFFINITY,
      internalTrafficPolicy: 'Cluster',
      trafficDistribution: 'PreferClose',
    }),
    service('greeter', [{ name: 'tcp', port: 42, targetPort: 8082 }]),
    service('chosen'),
    service('crowd', [HTTP], { ...HEADLESS, selector: { app: 'crowd' } }),
    service('members', [HTTP], { ...HEADLESS, selector: { app: 'members' } }),
    { ...service('outside'), spec: { type: 'ExternalName', externalName: 'example.com' } },
  ],
  /** Exported from both, as each of them has it: east first. */
  both: [
    [service('lasting'), service('lasting')],
    [
      service('joined'),
      service('joined', [
        HTTP,
        { name: 'more', port: 4242, targetPort: 8080 },
        { name: 'signals', port: 142, protocol: 'SCTP' },
      ]),
    ],
    [service('disputed'), service('disputed', [{ name: 'http', port: 4242, targetPort: 8080 }])],
    [service('labelled'), service('labelled')],
    [service('headed'), service('headed', [HTTP], HEADLESS)],
  ],
} as const

const exported = (name: string, exportedBy: string, version?: string) => {
  const words = exportedBy === 'east' ? FROM_EAST : FROM_WEST
  return mcsExport(NS, name, ['web', 'labelled'].includes(name) ? words : undefined, version)
}

/** Pods, Services, and what exports them, in each cluster. `kept` and west's `chosen` are not exported. */
export const WORLD = {
  east: {
    objects: [
      ...callers(NS),
      web('east'),
      workload('Deployment', 'crowd', 2),
      workload('StatefulSet', 'members', 2, { serviceName: 'members', podManagementPolicy: 'Parallel' }),
      service('kept'),
      ...SERVICES.east,
      ...SERVICES.both.map(([east]) => east),
    ],
    exports: [
      ...SERVICES.east.map(({ metadata: { name } }) => exported(name, 'east', 'v1alpha1')),
      ...SERVICES.both.map(([{ metadata }]) => exported(metadata.name, 'east')),
    ],
  },
  west: {
    objects: [...callers(NS), web('west'), service('chosen'), ...SERVICES.both.map(([, west]) => west)],
    exports: SERVICES.both.map(([{ metadata }]) => exported(metadata.name, 'west')),
  },
} as const
