/** A hub and members on real API servers without nodes: the chart's CRDs, and no more rights than the chart gives. */

import { pino } from 'pino'
import type { Cluster } from '../../api/cluster.ts'
import type { Namespace, Service } from '../../api/core.ts'
import type { Condition, KubeObject } from '../../api/meta.ts'
import { API_VERSION, DEFAULT_TRUST_DOMAIN } from '../../api/names.ts'
import * as resources from '../../api/resources.ts'
import type { ServiceExport } from '../../api/service-export.ts'
import type { ServiceImport } from '../../api/service-import.ts'
import { type FederationOptions, runFederation } from '../../federation/main.ts'
import { createClient, type KubeClient } from '../../kube/client.ts'
import type { Connection } from '../../kube/connection.ts'
import { must, mustOrMissing } from '../../kube/failure.ts'
import type { Ref, Resource } from '../../kube/object.ts'
import { inParallel } from '../../kube/pool.ts'
import { render } from '../chart/helm.ts'
import { type ApiServer, type Etcd, startApiServer, startEtcd, type User } from '../kube/apiserver.ts'
import { kubectl, SYSTEM } from '../kube/compiler.ts'
import { CRDS } from '../kube/crds.ts'
import { freePorts } from '../lab/ports.ts'
import { until } from '../lab/run.ts'

const account = (name: string): User => ({
  name: `system:serviceaccount:${SYSTEM}:${name}`,
  groups: ['system:serviceaccounts', `system:serviceaccounts:${SYSTEM}`, 'system:authenticated'],
})
/** Who the hub is at home. */
export const HUB_ACCOUNT = account('portolan-federation')
/** Who it is in a member. */
export const MEMBER_ACCOUNT = account('portolan-hub')
/** Known to every API server, and without any rights. */
export const STRANGER = account('stranger')

/** One cluster: an API server on which the chart has been installed, as far as federation is concerned. */
export interface Site {
  readonly name: string
  readonly api: ApiServer
  /** The administrator's. */
  readonly client: KubeClient
  readonly apply: (...objects: readonly object[]) => Promise<void>
  readonly get: <T extends KubeObject>(resource: Resource<T>, ref: Ref) => Promise<T | undefined>
  readonly list: <T extends KubeObject>(resource: Resource<T>, namespace?: string) => Promise<readonly T[]>
  readonly remove: (resource: Resource, ref: Ref) => Promise<void>
  readonly importOf: (service: string) => Promise<ServiceImport | undefined>
  readonly exportOf: (service: string) => Promise<ServiceExport | undefined>
  /** As `join` would put it into the hub. `server` may name a proxy in front. */
  readonly kubeconfig: (change?: KubeconfigChange) => Promise<string>
}

export interface KubeconfigChange {
  readonly user?: User
  readonly server?: string
  readonly token?: string
  readonly ca?: string
  readonly namespace?: string
}

export interface Stage {
  readonly hub: Site
  readonly members: readonly Site[]
  readonly site: (name: string) => Site
  /** Starts a replica of the hub's controller in this process. */
  readonly start: (options?: ReplicaOptions) => Promise<Replica>
  readonly stop: () => Promise<void>
}

export interface StageOptions {
  /** Also gives sites the member's permissions; false leaves that to the test. */
  readonly granted?: boolean
  readonly etcd?: Etcd
}

/** API servers of the names given, the hub's beside them. */
export async function startStage(names: readonly string[], { granted = true }: StageOptions = {}): Promise<Stage> {
  const etcd = await startEtcd()
  const rbac = await render('--show-only', 'templates/federation/rbac.yaml')
  const member = await render('--show-only', 'templates/federation/member.yaml')
  // All at once they would keep each other from getting ready.
  const [hub, ...members] = (await inParallel(['hub', ...names], 2, (name) =>
    startSite(name, etcd, name === 'hub' ? rbac : granted ? member : ''),
  )) as [Site, ...Site[]]
  const replicas: Replica[] = []
  return {
    hub,
    members,
    site: (name) => {
      const found = [hub, ...members].find((each) => each.name === name)
      if (found === undefined) throw new Error(`there is no site ${name}`)
      return found
    },
    start: async (options) => {
      const replica = await startReplica(hub, options)
      replicas.push(replica)
      return replica
    },
    stop: async () => {
      await Promise.all(replicas.map((replica) => replica.stop()))
      await Promise.all([hub, ...members].map(({ client }) => client.close()))
      await Promise.all([hub, ...members].map(({ api }) => api.stop()))
      await etcd.stop()
    },
  }
}

async function startSite(name: string, etcd: Etcd, rbac: string): Promise<Site> {
  const api = await startApiServer({ etcd, users: [HUB_ACCOUNT, MEMBER_ACCOUNT, STRANGER] })
  await kubectl(api, ['apply', ...CRDS])
  await kubectl(api, ['wait', '--for=condition=Established', 'crd', '--all', '--timeout=120s'])
  await kubectl(api, ['create', 'namespace', SYSTEM])
  if (rbac !== '') await kubectl(api, ['apply', '-f', '-'], rbac)
  if (rbac.includes('portolan-member')) await kubectl(api, ['apply', '-f', '-'], BINDINGS)
  const client = createClient(api.connection)
  const split = (service: string): Ref => {
    const [namespace = '', own = ''] = service.split('/')
    return { namespace, name: own }
  }
  const get = async <T extends KubeObject>(resource: Resource<T>, ref: Ref) =>
    mustOrMissing(await client.get<T>(resource, ref))
  return {
    name,
    api,
    client,
    apply: async (...objects) => {
      const text = objects.map((object) => JSON.stringify(object)).join('\n---\n')
      await kubectl(api, ['apply', '-f', '-'], text)
    },
    get,
    list: async (resource, namespace) =>
      must(await client.list(resource, namespace === undefined ? {} : { namespace })).items,
    remove: async (resource, ref) => void mustOrMissing(await client.delete(resource, ref)),
    importOf: (service) => get(resources.SERVICE_IMPORTS, split(service)),
    exportOf: (service) => get(resources.SERVICE_EXPORTS, split(service)),
    kubeconfig: async ({ user = MEMBER_ACCOUNT, server = api.server, token, ca, namespace = SYSTEM } = {}) => {
      const { headers, tls } = await api.connectionOf(user).credentials()
      const data = Buffer.from(ca ?? String(tls.ca)).toString('base64')
      return JSON.stringify({
        apiVersion: 'v1',
        kind: 'Config',
        clusters: [{ name, cluster: { server, 'certificate-authority-data': data } }],
        users: [{ name, user: { token: token ?? headers['authorization']?.replace('Bearer ', '') } }],
        contexts: [{ name, context: { cluster: name, user: name, namespace } }],
        'current-context': name,
      })
    },
  }
}

const BINDINGS = [
  { kind: 'ClusterRoleBinding', metadata: { name: 'portolan-hub' }, ref: 'ClusterRole' },
  { kind: 'RoleBinding', metadata: { name: 'portolan-hub', namespace: SYSTEM }, ref: 'Role' },
]
  .map(({ ref, ...binding }) =>
    JSON.stringify({
      apiVersion: 'rbac.authorization.k8s.io/v1',
      ...binding,
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: ref, name: 'portolan-member' },
      subjects: [{ kind: 'ServiceAccount', name: 'portolan-hub', namespace: SYSTEM }],
    }),
  )
  .join('\n---\n')

export interface Replica {
  readonly metric: (line: string) => Promise<number | undefined>
  readonly leads: () => Promise<boolean>
  readonly ready: () => Promise<boolean>
  readonly log: readonly { readonly level: number; readonly msg: string; readonly [field: string]: unknown }[]
  /** SIGTERM. */
  readonly stop: () => Promise<void>
}

export interface ReplicaOptions extends Partial<FederationOptions> {
  /** Default: the hub's API server as the hub's service account. */
  readonly connection?: Connection
  /** Hears of every line of the log. */
  readonly onLog?: (line: Replica['log'][number]) => void
}

/** Heartbeats and retries much faster than in earnest. */
export const QUICK = {
  heartbeatMs: 500,
  heartbeatTimeoutMs: 3_000,
  requestTimeoutMs: 5_000,
  mostRetryMs: 1_000,
  sightMs: 1_000,
}

async function startReplica(hub: Site, { connection, onLog, ...options }: ReplicaOptions = {}): Promise<Replica> {
  const [healthPort = 0, metricsPort = 0] = await freePorts(2)
  const log: Replica['log'][number][] = []
  const stopping = new AbortController()
  const client = createClient(connection ?? hub.api.connectionOf(HUB_ACCOUNT), { timeoutMs: 5_000 })
  const finished = runFederation(
    {
      namespace: SYSTEM,
      identity: 'replica',
      lease: 'portolan-federation',
      leaseSeconds: 3,
      createNamespaces: true,
      trustDomain: DEFAULT_TRUST_DOMAIN,
      healthPort,
      metricsPort,
      times: QUICK,
      ...options,
    },
    client,
    pino(
      { level: 'debug' },
      {
        write: (line: string) => {
          const entry = JSON.parse(line) as Replica['log'][number]
          log.push(entry)
          onLog?.(entry)
        },
      },
    ),
    stopping.signal,
  )
  const metric = async (line: string) => {
    const text = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text()
    const found = text.split('\n').find((each) => each.startsWith(`${line} `))
    return found === undefined ? undefined : Number(found.slice(line.length))
  }
  const ready = async () => (await fetch(`http://127.0.0.1:${healthPort}/readyz`)).ok
  await until('the replica is ready', ready)
  return {
    metric,
    ready,
    leads: async () => (await metric('portolan_leading')) === 1,
    log,
    stop: async () => {
      stopping.abort()
      await finished
      await client.close()
    },
  }
}

/** What it warned of; a server whose kinds are new asks its callers for patience. */
export const warningsOf = ({ log }: Replica): Replica['log'] =>
  log.filter(({ level, reason }) => level >= 40 && reason !== 'TooManyRequests')

export const keyOf = (name: string, region = 'default'): string => `${region}/default/default/${name}`

export const conditionOf = (
  object: { readonly status?: { readonly conditions?: readonly Condition[] } } | undefined,
  type: string,
): Condition | undefined => object?.status?.conditions?.find((each) => each.type === type)

export const clusterOf = async (stage: Stage, name: string): Promise<Cluster | undefined> =>
  stage.hub.get(resources.CLUSTERS, { name })

/** Resolves with the Cluster once Managed has the reason. */
export const managed = (stage: Stage, name: string, reason: string): Promise<Cluster> =>
  until(`Cluster ${name} is ${reason}`, async () => {
    const cluster = await clusterOf(stage, name)
    return conditionOf(cluster, 'Managed')?.reason === reason ? cluster : undefined
  })

/** Registers a site at the hub as `portolan cluster join` does. */
export async function enlist(
  stage: Stage,
  site: Site,
  { name = site.name, change, spec }: { name?: string; change?: KubeconfigChange; spec?: object } = {},
): Promise<void> {
  await stage.hub.apply(secretOf(name, await site.kubeconfig(change)), clusterObject(name, spec))
}

export const secretOf = (name: string, kubeconfig: string) => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { namespace: SYSTEM, name: `portolan-kubeconfig-${name}` },
  stringData: { kubeconfig },
})

export const clusterObject = (name: string, spec: object = {}) => ({
  apiVersion: API_VERSION,
  kind: 'Cluster',
  metadata: { name },
  spec: {
    gatewayHost: `gateway.${name}.example`,
    gatewayPort: 80,
    kubeconfigSecretRef: { name: `portolan-kubeconfig-${name}` },
    ...spec,
  },
})

export const namespaceObject = (name: string): Namespace => ({
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name },
})

export const serviceObject = (service: string, port = 8080): Service => {
  const [namespace = '', name = ''] = service.split('/')
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { namespace, name },
    spec: { ports: [{ name: 'http', port, protocol: 'TCP' }] },
  }
}

export const exportObject = (service: string, spec: object = {}) => {
  const [namespace = '', name = ''] = service.split('/')
  return { apiVersion: API_VERSION, kind: 'ServiceExport', metadata: { namespace, name }, spec }
}

/** A namespace, a Service and its export. */
export const offer = (service: string, { port = 8080, spec = {} }: { port?: number; spec?: object } = {}) => [
  namespaceObject(service.split('/')[0] ?? ''),
  serviceObject(service, port),
  exportObject(service, spec),
]

/** Keys of the clusters that an import leads to, on its first port. */
export const givers = (found: ServiceImport | undefined): readonly string[] =>
  (found?.spec.ports[0]?.endpoints ?? []).map(({ clusterKey }) => clusterKey)

/** Resolves once the site's import leads to these clusters and no others. */
export const imports = (site: Site, service: string, names: readonly string[]): Promise<ServiceImport> =>
  until(`${site.name} imports ${service} from ${names.join(', ')}`, async () => {
    const found = await site.importOf(service)
    return JSON.stringify(givers(found)) === JSON.stringify(names.map((name) => keyOf(name))) ? found : undefined
  })

/** Resolves once the site has no such import. */
export const importsNot = (site: Site, service: string): Promise<boolean> =>
  until(`${site.name} does not import ${service}`, async () => (await site.importOf(service)) === undefined)

interface Event extends KubeObject {
  readonly reason: string
  readonly note: string
  readonly regarding: { readonly kind: string; readonly name: string }
}
const EVENTS: Resource<Event> = {
  group: 'events.k8s.io',
  version: 'v1',
  plural: 'events',
  kind: 'Event',
  namespaced: true,
}

/** Resolves with the site's Event about an object of the name. */
export const event = (site: Site, name: string, reason: string) =>
  until(`an Event of ${site.name} about ${name} says ${reason}`, async () =>
    (await site.list(EVENTS)).find((each) => each.regarding.name === name && each.reason === reason),
  )
