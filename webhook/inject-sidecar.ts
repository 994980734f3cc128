import { createHash } from 'node:crypto'
import { identityKeys } from '../api/identity.ts'
import {
  EXPLICIT_NAMES,
  IDENTITY_MOUNT,
  IDENTITY_SECRET,
  IDENTITY_VOLUME,
  INIT_CONTAINER,
  type Interception,
  METRICS_PORT,
  MTLS_BOOTSTRAP,
  PROXY_CONTAINER,
  PROXY_UID_BASE,
  PROXY_UID_COUNT,
  ROUTES_CONFIGMAP,
  ROUTES_MOUNT,
  ROUTES_VOLUME,
} from '../api/names.ts'
import type { Container, Mesh, Pod } from './decision.ts'
import { captureScript } from './inject-capture.ts'
import { explicitBootstrapFile } from './inject-explicit.ts'
import type { Settings } from './inject-settings.ts'
import { quantityValue } from './setting-types.ts'

type Volume = NonNullable<Pod['spec']['volumes']>[number]

const record = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}

const runAsUser = (holder: unknown): unknown => record(record(holder)['securityContext'])['runAsUser']

/** Uids that the pod's own processes are known to run as: to the capture rules they must not look like the proxy. */
const ownUids = (pod: Pod): ReadonlySet<unknown> =>
  new Set([pod.spec, ...pod.spec.containers, ...(pod.spec.initContainers ?? [])].map(runAsUser))

/** Spreads proxies over a range of uids, since the kernel limits inotify instances per uid. */
export const chooseProxyUid = (pod: Pod, seed: string): number => {
  const start = createHash('sha256').update(seed).digest().readUInt32BE(0) % PROXY_UID_COUNT
  const taken = ownUids(pod)
  for (let step = 0; step < PROXY_UID_COUNT; step++) {
    const uid = PROXY_UID_BASE + ((start + step) % PROXY_UID_COUNT)
    if (!taken.has(uid)) return uid
  }
  return PROXY_UID_BASE + start
}

const hardened = () => ({
  allowPrivilegeEscalation: false,
  privileged: false,
  readOnlyRootFilesystem: true,
  seccompProfile: { type: 'RuntimeDefault' },
})

const bootstrapFile = ({ mtls }: Mesh, interception: Interception): string =>
  interception === 'explicit' ? explicitBootstrapFile(mtls) : mtls ? MTLS_BOOTSTRAP : 'bootstrap.json'

export const proxyContainer = (mesh: Mesh, settings: Settings, uid: number): Container => ({
  name: PROXY_CONTAINER,
  image: mesh.proxyImage,
  imagePullPolicy: mesh.imagePullPolicy,
  restartPolicy: 'Always',
  command: ['envoy'],
  args: [
    ...['-c', `${ROUTES_MOUNT}/${bootstrapFile(mesh, settings.interception)}`],
    ...['--service-node', '$(POD_NAME).$(POD_NAMESPACE)'],
    ...['--service-cluster', '$(POD_NAMESPACE)'],
    '--disable-hot-restart',
    ...['--concurrency', '1'],
    ...['--drain-time-s', '5'],
    ...['--file-flush-interval-msec', '1000'],
    ...['-l', settings.logLevel],
  ],
  env: [
    { name: 'POD_NAME', valueFrom: { fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.name' } } },
    { name: 'POD_NAMESPACE', valueFrom: { fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' } } },
    {
      name: 'POD_SERVICE_ACCOUNT',
      valueFrom: { fieldRef: { apiVersion: 'v1', fieldPath: 'spec.serviceAccountName' } },
    },
  ],
  ports: [{ name: 'portolan-stats', containerPort: METRICS_PORT, protocol: 'TCP' }],
  resources: {
    requests: { cpu: settings.cpuRequest, memory: settings.memoryRequest },
    limits: { cpu: settings.cpuLimit, memory: settings.memoryLimit },
  },
  securityContext: {
    ...hardened(),
    runAsUser: uid,
    runAsGroup: uid,
    runAsNonRoot: true,
    capabilities: { drop: ['ALL'] },
  },
  volumeMounts: [
    { name: ROUTES_VOLUME, mountPath: ROUTES_MOUNT, readOnly: true },
    ...(mesh.mtls ? [{ name: IDENTITY_VOLUME, mountPath: IDENTITY_MOUNT, readOnly: true }] : []),
  ],
})

const smaller = (a: string, b: string): string => ((quantityValue(a) ?? 0) < (quantityValue(b) ?? 0) ? a : b)

/** Never more than the sidecar's own, so that whatever makes the sidecar fit a LimitRange makes this fit too. */
const initResources = ({ cpuRequest, memoryRequest, cpuLimit, memoryLimit }: Settings) => ({
  requests: { cpu: smaller(cpuRequest, '10m'), memory: smaller(memoryRequest, '16Mi') },
  limits: { cpu: smaller(cpuLimit, '1'), memory: smaller(memoryLimit, '64Mi') },
})

export const initContainer = (mesh: Mesh, settings: Settings, uid: number): Container => ({
  name: INIT_CONTAINER,
  image: mesh.initImage,
  imagePullPolicy: mesh.imagePullPolicy,
  command: ['sh', '-ec', captureScript({ vipRange: mesh.vipRange, proxyUid: uid, ...settings })],
  // The legacy back end insists on a lock file; /dev/shm is the one place that is writable in every container.
  env: [{ name: 'XTABLES_LOCKFILE', value: '/dev/shm/xtables.lock' }],
  resources: initResources(settings),
  securityContext: {
    ...hardened(),
    runAsUser: 0,
    runAsGroup: 0,
    runAsNonRoot: false,
    capabilities: { drop: ['ALL'], add: ['NET_ADMIN', 'NET_RAW'] },
  },
})

/** As a volume lists what it takes: keys, and the names that the proxy knows them by. */
const itemsOf = (files: Readonly<Record<string, string>>) => Object.entries(files).map(([key, path]) => ({ key, path }))

/** A proxy with an identity takes all, as it has a file for each of the other clusters. */
const routesVolume = (mesh: Mesh, interception: Interception): Volume => {
  const files = [
    bootstrapFile(mesh, interception),
    'cds.json',
    ...(interception === 'explicit' ? [EXPLICIT_NAMES] : []),
  ]
  const items = mesh.mtls ? {} : { items: itemsOf(Object.fromEntries(files.map((file) => [file, file]))) }
  return { name: ROUTES_VOLUME, configMap: { name: ROUTES_CONFIGMAP, ...items } }
}

/** The kubelet holds a pod back, and says so, until its service account has a certificate. */
const identityVolume = ({ spec }: Pod): Volume => {
  const { serviceAccountName } = spec
  const { cert, key } = identityKeys(typeof serviceAccountName === 'string' ? serviceAccountName : 'default')
  return {
    name: IDENTITY_VOLUME,
    secret: { secretName: IDENTITY_SECRET, items: itemsOf({ [cert]: 'tls.crt', [key]: 'tls.key' }) },
  }
}

export const volumesFor = (mesh: Mesh, pod: Pod, interception: Interception): readonly Volume[] => [
  routesVolume(mesh, interception),
  ...(mesh.mtls ? [identityVolume(pod)] : []),
]

interface DnsConfig {
  readonly nameservers?: readonly string[]
  readonly searches?: readonly string[]
  readonly options?: readonly { readonly name: string; readonly value?: string }[]
}

/** Kubernetes refuses a pod with more. */
const MAX_NAMESERVERS = 3
const MAX_SEARCHES = 32

const unique = (list: readonly string[]): readonly string[] => [...new Set(list)]

/** What the kubelet would write to the pod's resolv.conf for ClusterFirst, with mesh DNS in place of the cluster's. */
export const meshDnsConfig = (mesh: Mesh, namespace: string, own: DnsConfig | undefined): DnsConfig => {
  const { nameserver, clusterDomain, extraSearches } = mesh.dns
  const cluster = [`${namespace}.svc.${clusterDomain}`, `svc.${clusterDomain}`, clusterDomain]
  const options = new Map([['ndots', { name: 'ndots', value: '5' }] as const])
  const merged = new Map<string, { readonly name: string; readonly value?: string }>(options)
  for (const option of own?.options ?? []) merged.set(option.name, option)
  return {
    nameservers: unique([nameserver, ...(own?.nameservers ?? [])]).slice(0, MAX_NAMESERVERS),
    searches: unique([...cluster, ...extraSearches, ...(own?.searches ?? [])]).slice(0, MAX_SEARCHES),
    options: [...merged.values()],
  }
}
