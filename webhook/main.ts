import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import type { Logger } from 'pino'
import { collectDefaultMetrics } from 'prom-client'
import { clusterIdentity } from '../api/cluster-identity.ts'
import type { ObjectRef } from '../api/issue.ts'
import { CLUSTER_CONFIGMAP, TRUST_CONFIGMAP } from '../api/names.ts'
import {
  CONFIGMAPS,
  type ConfigMap,
  MESH_CONFIGS,
  NAMESPACES,
  SECRETS,
  SERVICE_EXPORTS,
  SERVICE_IMPORTS,
  SERVICES,
} from '../api/resources.ts'
import { startKeeper } from '../certs/keeper.ts'
import { DEFAULT_LIVES } from '../certs/plan.ts'
import { MUTATING, type Target, VALIDATING } from '../certs/publish.ts'
import { perObject } from '../compiler/memo.ts'
import { trustAmong } from '../compiler/trust.ts'
import type { KubeClient, Scope } from '../kube/client.ts'
import { mustOrMissing } from '../kube/failure.ts'
import { serveHealth, serveMetrics } from '../kube/health.ts'
import { type Informer, type InformerEvent, startInformer } from '../kube/informer.ts'
import type { KubeObject, Ref, Resource } from '../kube/object.ts'
import type { Sources } from './answer.ts'
import type { Mesh } from './decision.ts'
import { createMetrics } from './metrics.ts'
import { extraSearches } from './searches.ts'
import { listen } from './server.ts'

export interface WebhookOptions {
  /** Portolan's own namespace. */
  readonly namespace: string
  /** Name of the Service that the API server calls. */
  readonly service: string
  /** Further names in the certificate, for a webhook that the API server calls by a URL. */
  readonly extraNames?: readonly string[]
  readonly meshName: string
  /** region/zone/group/name of this cluster where no hub says it. */
  readonly clusterKey: string
  readonly meshConfig: { readonly namespace: string; readonly name: string }
  readonly proxyImage: string
  readonly initImage: string
  readonly imagePullPolicy: Mesh['imagePullPolicy']
  /** Name of mesh DNS's Service, in `namespace`. */
  readonly dnsService: string
  readonly clusterDomain: string
  readonly vipRange: string
  /** Proxies have an identity. */
  readonly mtls: boolean
  /** Name of the Secret with the roots, in `namespace`. */
  readonly secret: string
  /** Names of the webhook configurations, mutating and validating alike, that are to trust the roots. */
  readonly webhookConfigs: readonly string[]
  readonly port: number
  readonly healthPort: number
  readonly metricsPort: number
  /** Where the search list of this process's own pod stands. */
  readonly resolvConf?: string
}

const POLL_MS = 30_000
/** API servers and kube-proxies hear of a leaving replica well within this. */
const LINGER_MS = 5_000
const DRAIN_MOST_MS = 15_000

/** Keys of the clusters that have an identity, as the hub tells. Once for each of its words: reading roots takes time. */
const clustersIn = perObject((told: ConfigMap) => Object.keys(trustAmong([told], '')?.trust?.clusters ?? {}))

/** Runs the webhook until `stop` is aborted, then drains it. Rejects only when it cannot start. */
export const runWebhook = async (
  options: WebhookOptions,
  client: KubeClient,
  log: Logger,
  stop: AbortSignal,
): Promise<void> => {
  const { namespace, service, clusterDomain } = options
  const informers: Informer<KubeObject>[] = []
  const follow = <T extends KubeObject>(resource: Resource<T>, scope: Scope = {}): Informer<T> => {
    const observe = (event: InformerEvent): void => reportTrouble(log, resource, event)
    const informer = startInformer<T>({ client, resource, scope, observe })
    informers.push(informer)
    return informer
  }
  const followOne = <T extends KubeObject>(resource: Resource<T>, ref: Ref): Informer<T> =>
    follow(resource, { namespace: ref.namespace, fieldSelector: `metadata.name=${ref.name}` })

  const namespaces = follow(NAMESPACES)
  const services = follow(SERVICES)
  const exports = follow(SERVICE_EXPORTS)
  const imports = follow(SERVICE_IMPORTS)
  const meshConfig = followOne(MESH_CONFIGS, options.meshConfig)
  const identities = followOne(CONFIGMAPS, { namespace, name: CLUSTER_CONFIGMAP })
  const trusts = followOne(CONFIGMAPS, { namespace, name: TRUST_CONFIGMAP })

  const targets: readonly Target[] = options.webhookConfigs.flatMap((name) => [
    { resource: MUTATING, name },
    { resource: VALIDATING, name },
  ])
  const secret = { namespace, name: options.secret }
  const trusted = [...targets.map(({ resource, name }) => followOne(resource, { name })), followOne(SECRETS, secret)]

  const searches = extraSearches(readFileSync(options.resolvConf ?? '/etc/resolv.conf', 'utf8'), clusterDomain)
  const configRef: ObjectRef = { kind: 'MeshConfig', ...options.meshConfig }
  const nameserver = (): string | undefined => {
    const address = services.get(namespace, options.dnsService)?.spec.clusterIP ?? ''
    return isIP(address) === 0 ? undefined : address
  }
  const sources: Sources = {
    mesh: () => ({
      name: options.meshName,
      ownNamespace: namespace,
      config: meshConfig.get(options.meshConfig.namespace, options.meshConfig.name)?.spec ?? {},
      configRef,
      proxyImage: options.proxyImage,
      initImage: options.initImage,
      imagePullPolicy: options.imagePullPolicy,
      vipRange: options.vipRange,
      mtls: options.mtls,
      dns: { nameserver: nameserver() ?? '', clusterDomain, extraSearches: searches },
    }),
    namespace: async (name) => namespaces.get(undefined, name) ?? mustOrMissing(await client.get(NAMESPACES, { name })),
    world: () => {
      const { clusterKey } = clusterIdentity(identities.list()[0], options.clusterKey)
      const told = trusts.list()[0]
      return {
        services: services.list(),
        exports: exports.list(),
        imports: imports.list(),
        clusterKey,
        vipRange: options.vipRange,
        ...(told === undefined ? {} : { clusters: [...new Set([clusterKey, ...clustersIn(told)])] }),
      }
    },
  }

  const metrics = createMetrics()
  collectDefaultMetrics({ register: metrics.registry })
  const server = await listen({ sources, metrics, log, port: options.port })
  const keeper = startKeeper({
    client,
    secret,
    dnsNames: [
      `${service}.${namespace}.svc`,
      `${service}.${namespace}.svc.${clusterDomain}`,
      ...(options.extraNames ?? []),
    ],
    targets,
    lives: DEFAULT_LIVES,
    now: Date.now,
    pollMs: POLL_MS,
    onLeaf: (leaf) => server.present(leaf),
    observe: (event) => {
      if (event.type === 'did') log.info(event.action, 'certificates')
      else log.warn({ err: event.cause }, event.message)
    },
  })
  for (const informer of trusted) informer.onChange(keeper.wake)

  const waitingFor = (): readonly string[] => [
    ...(stop.aborted ? ['the end: this replica is leaving'] : []),
    ...(keeper.isReady() ? [] : ['a certificate that the API server trusts']),
    ...informers.filter((informer) => !informer.hasSynced()).map(({ resource }) => `the list of ${resource.plural}`),
    ...(nameserver() === undefined ? [`an address of Service ${namespace}/${options.dnsService}`] : []),
  ]
  const plain = await Promise.all([
    serveHealth(options.healthPort, waitingFor),
    serveMetrics(options.metricsPort, metrics.registry),
  ])
  log.info({ port: server.port }, 'webhook is up')

  await aborted(stop)
  log.info('webhook is leaving')
  await server.drain(LINGER_MS, DRAIN_MOST_MS)
  await keeper.stop()
  await Promise.all([...informers.map((informer) => informer.stop()), ...plain.map((one) => one.close())])
}

const aborted = (signal: AbortSignal): Promise<void> =>
  signal.aborted
    ? Promise.resolve()
    : new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))

const reportTrouble = (log: Logger, { plural }: Resource, event: InformerEvent): void => {
  if (event.type === 'failed') log.warn({ resource: plural, attempt: event.attempt }, event.failure.message)
  if (event.type === 'stalled') log.warn({ resource: plural }, 'the watch went silent and is opened again')
}
