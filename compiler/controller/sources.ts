import { type ClusterIdentity, clusterIdentity } from '../../api/cluster-identity.ts'
import type { EndpointSlice, Namespace, Service } from '../../api/core.ts'
import type { Code } from '../../api/diagnostics.ts'
import type { GlobalTrafficPolicy } from '../../api/global-traffic-policy.ts'
import type { Issue } from '../../api/issue.ts'
import type { MeshConfig } from '../../api/mesh-config.ts'
import type { KubeObject } from '../../api/meta.ts'
import {
  ABOUT_GROUP,
  CLUSTER_CONFIGMAP,
  DNS_CONFIGMAP,
  EGRESS_CONFIGMAP,
  FIELD_MANAGER,
  GATEWAY_CONFIGMAP,
  IDENTITY_CONFIGMAP,
  MCS_GROUP,
  ROUTES_CONFIGMAP,
  TRUST_CONFIGMAP,
} from '../../api/names.ts'
import * as resources from '../../api/resources.ts'
import type { ServiceExport } from '../../api/service-export.ts'
import type { ServiceImport } from '../../api/service-import.ts'
import type { KubeClient, Scope } from '../../kube/client.ts'
import { type Informer, type InformerEvent, type InformerOptions, startInformer } from '../../kube/informer.ts'
import { withOwnFieldsOnly } from '../../kube/owned.ts'
import { withWrites } from '../../kube/written.ts'
import { declaredExports } from '../doors.ts'
import type { MeshSettings, Snapshot } from '../snapshot.ts'
import type { Trust } from '../tables.ts'
import { readTrust, type TrustRead } from '../trust.ts'
import { createAccessSources } from './access-sources.ts'
import { type Observed, type ObservedTable, observeTable } from './observed.ts'
import { hasEnded, hasSidecar, keepPod, type MeshPod } from './pods.ts'
import { createStandardSources } from './standard-sources.ts'

export interface SourceOptions {
  readonly client: KubeClient
  /** Its clusterKey counts where the hub says nothing. */
  readonly mesh: MeshSettings
  /** Portolan's own. */
  readonly namespace: string
  readonly meshConfig: { readonly namespace: string; readonly name: string }
  /** Proxies have an identity. */
  readonly mtls: boolean
  readonly observe: (source: string, event: InformerEvent) => void
  /** Something that is compiled changed. */
  readonly onInput: () => void
  /** Something else changed: pods, or what was written. */
  readonly onOther: () => void
}

/** All that the compiler sees of its cluster, kept up to date. */
export interface Sources {
  /** Names of what has not been listed yet; pods left out, as tables do not need them. */
  readonly missing: () => readonly string[]
  readonly snapshot: () => Snapshot
  /** Who this cluster is by now. */
  readonly identity: () => ClusterIdentity & { readonly uid: string | undefined }
  /** Whom proxies are to believe; nothing where they have no identity. @param before the last good answer */
  readonly trust: (before: Trust | undefined) => TrustRead
  readonly observed: () => Observed
  readonly namespaces: () => ReadonlyMap<string, Namespace>
  readonly meshConfig: () => MeshConfig | undefined
  readonly uidOfTarget: (object: Issue['object']) => string | undefined
  /** What is wrong with what decides who may call whom. */
  readonly accessIssues: () => readonly Issue<Code>[]
  /** Pods of the namespaces last given to `followPods`, and Portolan's own. */
  readonly pods: () => readonly MeshPod[]
  readonly followPods: (namespaces: readonly string[]) => void
  /** False only when the namespace's pods are known and none of them has a sidecar that runs, or is to. */
  /** Whether the pods of a namespace have been listed. */
  readonly knowsPods: (namespace: string) => boolean
  readonly mayHaveSidecars: (namespace: string) => boolean
  /** Takes note of an object as the API server answered a write. */
  readonly written: (object: KubeObject) => void
  readonly stop: () => Promise<void>
}

export function startSources(options: SourceOptions): Sources {
  const { client, mesh, namespace, meshConfig, observe, onInput, onOther } = options
  const started: { readonly name: string; readonly informer: Informer<KubeObject> }[] = []

  function start<T extends KubeObject, S extends KubeObject = T>(
    name: string,
    rest: Omit<InformerOptions<T, S>, 'client' | 'observe'>,
    tell = onInput,
  ): Informer<S> {
    const informer = startInformer<T, S>({ client, observe: (event) => observe(name, event), ...rest })
    informer.onChange(tell)
    started.push({ name, informer })
    return informer
  }

  const own = <T extends KubeObject>(object: T): T => withOwnFieldsOnly(object, FIELD_MANAGER.compiler)
  const named = (name: string) => `metadata.name=${name}`
  const namespaces = start('namespaces', { resource: resources.NAMESPACES })
  const services = start<Service>('services', { resource: resources.SERVICES, keep: own })
  const slices = start('endpointslices', { resource: resources.ENDPOINT_SLICES, keep: keepSlice })
  const imports = start<ServiceImport>('serviceimports', { resource: resources.SERVICE_IMPORTS, keep: own })
  const exports = start<ServiceExport>('serviceexports', { resource: resources.SERVICE_EXPORTS, keep: own })
  const policies = start<GlobalTrafficPolicy>('globaltrafficpolicies', {
    resource: resources.GLOBAL_TRAFFIC_POLICIES,
    keep: own,
  })
  const configs = start<MeshConfig>('meshconfigs', {
    resource: resources.MESH_CONFIGS,
    scope: { namespace: meshConfig.namespace, fieldSelector: named(meshConfig.name) },
  })
  const startWord = (name: string) =>
    start<resources.ConfigMap>(`configmaps/${name}`, {
      resource: resources.CONFIGMAPS,
      scope: { namespace, fieldSelector: named(name) },
    })
  const identities = startWord(CLUSTER_CONFIGMAP)
  const trusts = options.mtls ? { own: startWord(IDENTITY_CONFIGMAP), told: startWord(TRUST_CONFIGMAP) } : undefined
  const identity = () => {
    const told = identities.get(namespace, CLUSTER_CONFIGMAP)
    return { ...clusterIdentity(told, mesh.clusterKey), uid: told?.metadata.uid }
  }
  const startTable = (name: string, scope: Scope) =>
    withWrites(
      start<resources.ConfigMap, ObservedTable>(
        `configmaps/${name}`,
        {
          resource: resources.CONFIGMAPS,
          scope: { ...scope, fieldSelector: named(name) },
          keep: observeTable,
        },
        onOther,
      ),
    )
  const tables = new Map([
    [ROUTES_CONFIGMAP, startTable(ROUTES_CONFIGMAP, {})],
    [GATEWAY_CONFIGMAP, startTable(GATEWAY_CONFIGMAP, { namespace })],
    [DNS_CONFIGMAP, startTable(DNS_CONFIGMAP, { namespace })],
    ...(mesh.egressNamespace === undefined
      ? []
      : [[EGRESS_CONFIGMAP, startTable(EGRESS_CONFIGMAP, { namespace: mesh.egressNamespace })] as const]),
  ])
  const written = {
    ServiceImport: withWrites(imports),
    ServiceExport: withWrites(exports),
    GlobalTrafficPolicy: withWrites(policies),
    Service: withWrites(services),
    EndpointSlice: withWrites(slices),
  }
  const standard = createStandardSources({ client, observe, onInput, onOther })

  const accessSources = createAccessSources({ client, observe, onInput })
  const isRestricted = () => configs.list()[0]?.spec.traffic?.enablePermissiveTrafficPolicyMode === false
  const allPods = () => [...pods.values()].flatMap((informer) => informer.list())
  /** Namespaces of Services that other clusters call, or share calls with. */
  const serving = (): readonly string[] => {
    if (!isRestricted()) return []
    const { globalServices } = identity()
    const all = { exports: exports.list(), mcsExports: standard.exports(), services: services.list(), globalServices }
    return [...declaredExports(all), ...imports.list()].map(({ metadata }) => metadata.namespace ?? 'default')
  }

  const startPods = (of: string) =>
    start<resources.LivePod, MeshPod>(
      `pods/${of}`,
      { resource: resources.PODS, scope: { namespace: of }, keep: keepPod },
      // What they run as decides who may call.
      () => (isRestricted() ? onInput() : onOther()),
    )
  const pods = new Map([[namespace, startPods(namespace)]])
  const stopping: Promise<void>[] = []

  return {
    missing: () => {
      // Pods count where it matters what they run as.
      const counts = ({ informer }: (typeof started)[number]) => informer.resource !== resources.PODS || isRestricted()
      const unknown = started.filter((each) => counts(each) && !each.informer.hasSynced())
      return [...unknown.map(({ name }) => name), ...accessSources.missing(), ...standard.missing()]
    },
    uidOfTarget: accessSources.uidOf,
    accessIssues: () => accessSources.issues({ kind: 'MeshConfig', ...meshConfig }),
    identity,
    trust: (before) => {
      if (trusts === undefined) return { issues: [] }
      const words = { identity: trusts.own.list()[0], told: trusts.told.list()[0] }
      return readTrust({ ...words, clusterKey: identity().clusterKey, namespace }, before)
    },
    snapshot: () => {
      const { clusterKey, globalServices, joined, hub } = identity()
      const running = allPods().filter((pod) => !hasEnded(pod))
      const access = accessSources.access(services.list(), running)
      return {
        mesh: { ...mesh, clusterKey },
        namespaces: namespaces.list(),
        services: services.list(),
        endpointSlices: slices.list(),
        imports: [...written.ServiceImport.store().values()],
        exports: exports.list(),
        mcsExports: standard.exports(),
        globalServices,
        ...(joined ? { membership: hub === undefined ? {} : { clusterset: hub } } : {}),
        policies: policies.list(),
        ...(access === undefined ? {} : { access }),
      }
    },
    observed: () => ({
      tables: new Map([...tables.values()].flatMap((each) => [...each.store()])),
      imports: written.ServiceImport.store(),
      exports: written.ServiceExport.store(),
      mcsExports: standard.writtenExports(),
      policies: written.GlobalTrafficPolicy.store(),
      objects: {
        Service: written.Service.store(),
        EndpointSlice: written.EndpointSlice.store(),
        ...standard.objects(),
      },
      terminating: new Set(
        namespaces
          .list()
          .filter(({ metadata }) => metadata.deletionTimestamp !== undefined)
          .map(({ metadata }) => metadata.name),
      ),
    }),
    namespaces: () => namespaces.store(),
    meshConfig: () => configs.list()[0],
    pods: allPods,
    followPods: (wanted) => {
      accessSources.follow(isRestricted())
      const all = new Set([namespace, ...wanted, ...serving()])
      for (const name of all) if (!pods.has(name)) pods.set(name, startPods(name))
      for (const [name, informer] of pods) {
        if (all.has(name)) continue
        pods.delete(name)
        started.splice(
          started.findIndex((entry) => entry.informer === informer),
          1,
        )
        stopping.push(informer.stop())
      }
    },
    knowsPods: (name) => pods.get(name)?.hasSynced() ?? false,
    mayHaveSidecars: (name) => {
      const informer = pods.get(name)
      return !informer?.hasSynced() || informer.list().some((pod) => hasSidecar(pod) && !hasEnded(pod))
    },
    written: (object) => {
      if (isStandard(object)) standard.written(own(object))
      else if (object.kind === 'ConfigMap') tables.get(object.metadata.name)?.remember(observeTable(object))
      else if (object.kind === 'ServiceImport') written.ServiceImport.remember(own(object as ServiceImport))
      else if (object.kind === 'ServiceExport') written.ServiceExport.remember(own(object as ServiceExport))
      else if (object.kind === 'Service') written.Service.remember(own(object as Service))
      else if (object.kind === 'EndpointSlice') written.EndpointSlice.remember(keepSlice(object as EndpointSlice))
      else if (object.kind === 'GlobalTrafficPolicy')
        written.GlobalTrafficPolicy.remember(own(object as GlobalTrafficPolicy))
    },
    stop: async () => {
      await Promise.all([
        accessSources.stop(),
        standard.stop(),
        ...stopping,
        ...started.map(({ informer }) => informer.stop()),
      ])
    },
  }
}

const isStandard = ({ apiVersion }: KubeObject): boolean =>
  apiVersion.startsWith(`${MCS_GROUP}/`) || apiVersion.startsWith(`${ABOUT_GROUP}/`)

/** Slices are the most numerous of all: of those that others made only what routing and names read is kept. */
function keepSlice(slice: EndpointSlice): EndpointSlice {
  const own = withOwnFieldsOnly(slice, FIELD_MANAGER.compiler)
  if (own.metadata.managedFields?.length !== 0) return own
  const { name, namespace, uid, resourceVersion, labels } = slice.metadata
  return {
    ...slice,
    metadata: {
      name,
      ...(namespace === undefined ? {} : { namespace }),
      ...(uid === undefined ? {} : { uid }),
      ...(resourceVersion === undefined ? {} : { resourceVersion }),
      ...(labels === undefined ? {} : { labels }),
    },
    // A slice without endpoints carries null.
    endpoints: (slice.endpoints ?? []).map(({ addresses, hostname, conditions }) => ({
      addresses: addresses.slice(0, 1),
      ...(hostname === undefined ? {} : { hostname }),
      ...(conditions === undefined ? {} : { conditions }),
    })),
  }
}
