import type { KubeObject } from '../../api/meta.ts'
import {
  CA_SECRET,
  CLUSTER_CONFIGMAP,
  DNS_CONFIGMAP,
  EGRESS_CONFIGMAP,
  FIELD_MANAGER,
  GATEWAY_CONFIGMAP,
  IDENTITY_CONFIGMAP,
  IDENTITY_SECRET,
  MANAGED_BY,
  PROXY_CONTAINER,
  ROUTES_CONFIGMAP,
  TRUST_CONFIGMAP,
} from '../../api/names.ts'
import {
  CONFIGMAPS,
  type LivePod,
  MESH_CONFIGS,
  PODS,
  SECRETS,
  SERVICE_ACCOUNTS,
  SERVICE_IMPORTS,
  SERVICES,
} from '../../api/resources.ts'
import { LEASES } from '../../kube/lease.ts'
import { keyOf, type Ref, type Resource } from '../../kube/object.ts'
import { CLUSTER_ROLE_BINDINGS, HUB_ACCOUNT, ROLE_BINDINGS } from './hub-account.ts'

/** What is in a cluster after its release has been uninstalled. */
export interface Uninstalled {
  readonly pods: readonly LivePod[]
  /** Those of {@link named} that are there. */
  readonly named: readonly Leftover[]
  /** Namespaces that have a routing table. */
  readonly tables: readonly string[]
  /** Namespaces that have certificates for their service accounts. */
  readonly identities: readonly string[]
  readonly imports: readonly KubeObject[]
  /** Of the kinds of which Portolan makes whole objects in many places, those with its label. */
  readonly objects: readonly (readonly [Resource, KubeObject])[]
  readonly meshConfig: KubeObject | undefined
  /** Any other kind whose status Portolan writes. */
  readonly reported: readonly (readonly [Resource, KubeObject])[]
}

export interface Leftover {
  readonly resource: Resource
  readonly ref: Ref
}

export interface Leftovers {
  /** In the order in which to remove them: what could write the others goes first. */
  readonly remove: readonly Leftover[]
  /** What running pods need, with the reason. */
  readonly keep: readonly (Leftover & { readonly because: string })[]
  /** What `manager` says in the status of objects that stay, and which nobody will keep true any more. */
  readonly retract: readonly (Leftover & { readonly manager: string })[]
}

/** What Portolan may have written under a name of its own. @param namespace Portolan's, as it was */
export function named(namespace: string): readonly Leftover[] {
  return [...ofTheMesh(namespace), ...ofTheRelease(namespace)]
}

/** What pods with sidecars go by, or what fills it: the hub's access, the addresses and names of imports. */
function ofTheMesh(namespace: string): readonly Leftover[] {
  return [
    { resource: CLUSTER_ROLE_BINDINGS, ref: { name: HUB_ACCOUNT } },
    { resource: ROLE_BINDINGS, ref: { namespace, name: HUB_ACCOUNT } },
    // Its tokens go with it.
    { resource: SERVICE_ACCOUNTS, ref: { namespace, name: HUB_ACCOUNT } },
    { resource: CONFIGMAPS, ref: { namespace, name: CLUSTER_CONFIGMAP } },
    { resource: CONFIGMAPS, ref: { namespace, name: TRUST_CONFIGMAP } },
    // With another root the next installation would make certificates that nobody takes before the hub has told of it.
    { resource: SECRETS, ref: { namespace, name: CA_SECRET } },
    { resource: CONFIGMAPS, ref: { namespace, name: IDENTITY_CONFIGMAP } },
    { resource: SERVICES, ref: { namespace, name: 'portolan-dns' } },
    { resource: CONFIGMAPS, ref: { namespace, name: DNS_CONFIGMAP } },
  ]
}

function ofTheRelease(namespace: string): readonly Leftover[] {
  return [
    { resource: CONFIGMAPS, ref: { namespace, name: EGRESS_CONFIGMAP } },
    { resource: CONFIGMAPS, ref: { namespace, name: GATEWAY_CONFIGMAP } },
    { resource: SECRETS, ref: { namespace, name: 'portolan-webhook-tls' } },
    { resource: LEASES, ref: { namespace, name: 'portolan-compiler' } },
    { resource: LEASES, ref: { namespace, name: 'portolan-federation' } },
    { resource: LEASES, ref: { namespace, name: 'portolan-identity' } },
    // Of `helm test`, which leaves it for people to read its log.
    { resource: PODS, ref: { namespace, name: 'portolan-smoke' } },
  ]
}

/**
 * What of Portolan's goes after its release has, and what stays: while a pod has a sidecar, that is all it routes by, so
 * that it goes on, may be restarted, and finds the same addresses after the next installation.
 * @param namespace Portolan's, as it was
 */
export function leftovers(namespace: string, found: Uninstalled): Leftovers {
  const { pods, imports, meshConfig, reported } = found
  const meshPods = Map.groupBy(pods.filter(routes), (pod) => pod.metadata.namespace ?? '')
  const inUse = meshPods.size > 0
  const present = new Set(found.named.map(idOf))
  const thereOf = (those: readonly Leftover[]) => those.filter((each) => present.has(idOf(each)))
  const shared = [
    ...thereOf(ofTheMesh(namespace)),
    ...imports.filter(madeByHub).map((each) => ({ resource: SERVICE_IMPORTS, ref: refOf(each.metadata) })),
    ...wholeObjects(found.objects, FIELD_MANAGER.federation),
  ]
  // They lead to proxies that have gone with the release.
  const leading = wholeObjects(found.objects, FIELD_MANAGER.compiler)
  const settings =
    meshConfig !== undefined && untouched(meshConfig)
      ? [{ resource: MESH_CONFIGS, ref: refOf(meshConfig.metadata) }]
      : []
  const perNamespace = [...found.tables.map(tableOf), ...found.identities.map(identitiesOf)]
  const [needed, needless] = partition(perNamespace, ({ ref }) => meshPods.has(ref.namespace ?? ''))
  const staying = [
    ...imports
      .filter((each) => inUse || !madeByHub(each))
      .map((each): readonly [Resource, KubeObject] => [SERVICE_IMPORTS, each]),
    ...reported,
  ]
  return {
    remove: [...(inUse ? [] : shared), ...leading, ...thereOf(ofTheRelease(namespace)), ...settings, ...needless],
    keep: [
      ...needed.map((each) => ({ ...each, because: sidecars(meshPods.get(each.ref.namespace ?? '') ?? []) })),
      ...(inUse ? shared.map((each) => ({ ...each, because: sidecars([...meshPods.values()].flat()) })) : []),
    ],
    retract: staying.flatMap(([resource, { metadata }]) =>
      statusManagers(metadata).map((manager) => ({ resource, ref: refOf(metadata), manager })),
    ),
  }
}

const idOf = ({ resource, ref }: Leftover): string => `${resource.kind} ${keyOf(ref)}`

const tableOf = (namespace: string): Leftover => ({ resource: CONFIGMAPS, ref: { namespace, name: ROUTES_CONFIGMAP } })
const identitiesOf = (namespace: string): Leftover => ({ resource: SECRETS, ref: { namespace, name: IDENTITY_SECRET } })

function partition<T>(all: readonly T[], test: (each: T) => boolean): readonly [yes: readonly T[], no: readonly T[]] {
  return [all.filter(test), all.filter((each) => !test(each))]
}

function routes({ metadata, spec, status }: LivePod): boolean {
  const over = metadata.deletionTimestamp !== undefined || status?.phase === 'Succeeded' || status?.phase === 'Failed'
  return !over && (spec.initContainers?.some(({ name }) => name === PROXY_CONTAINER) ?? false)
}

function sidecars(pods: readonly LivePod[]): string {
  const names = pods.map(({ metadata }) => keyOf(metadata)).toSorted()
  const shown = names.length > 3 ? [...names.slice(0, 2), `${names.length - 2} more`] : names
  return `${names.length === 1 ? '1 pod has a sidecar' : `${names.length} pods have sidecars`}: ${shown.join(', ')}`
}

/** Nobody has changed it since the chart made it. */
function untouched({ metadata }: KubeObject): boolean {
  return metadata.generation === 1 && metadata.labels?.['app.kubernetes.io/part-of'] === 'portolan'
}

/** Whether a hub has made an import. Not so those that `portolan federate` has made: they lie in somebody's repository. */
export function madeByHub({ metadata }: KubeObject): boolean {
  const [[label, value] = ['', '']] = Object.entries(MANAGED_BY)
  return metadata.labels?.[label] === value && managers(metadata, undefined).includes(FIELD_MANAGER.federation)
}

const wholeObjects = (objects: Uninstalled['objects'], manager: string): readonly Leftover[] =>
  objects
    .filter(([, { metadata }]) => managers(metadata, undefined).includes(manager))
    .map(([resource, { metadata }]) => ({ resource, ref: refOf(metadata) }))

function statusManagers(metadata: KubeObject['metadata']): readonly string[] {
  const ours: readonly string[] = [FIELD_MANAGER.compiler, FIELD_MANAGER.federation]
  return [...new Set(managers(metadata, 'status'))].filter((manager) => ours.includes(manager)).toSorted()
}

function managers({ managedFields = [] }: KubeObject['metadata'], subresource: string | undefined): readonly string[] {
  return (managedFields as readonly { readonly manager?: string; readonly subresource?: string }[])
    .filter((entry) => entry.subresource === subresource)
    .map(({ manager = '' }) => manager)
}

const refOf = ({ namespace, name }: KubeObject['metadata']): Ref =>
  namespace === undefined ? { name } : { namespace, name }
