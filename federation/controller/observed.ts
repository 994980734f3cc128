import { createHash } from 'node:crypto'
import type { Namespace, Service } from '../../api/core.ts'
import { applyDefaults } from '../../api/defaults.ts'
import { GLOBAL_ANNOTATIONS } from '../../api/global-service.ts'
import type { McsExport } from '../../api/mcs.ts'
import type { KubeObject, ObjectMeta } from '../../api/meta.ts'
import { FIELD_MANAGER, MANAGED_BY } from '../../api/names.ts'
import type { ConfigMap } from '../../api/resources.ts'
import type { ServiceExport } from '../../api/service-export.ts'
import type { ServiceImport } from '../../api/service-import.ts'
import { perObject, sharing } from '../../compiler/memo.ts'
import { by } from '../../compiler/order.ts'
import { lastApplied, withOwnFieldsOnly } from '../../kube/owned.ts'
import type { ObservedCopy, ObservedSlice } from './observed-slices.ts'
import type { TrustThere, Vouching } from './observed-trust.ts'

/** An import as it is in a member. Its contents by their hash: all members together hold very many. */
export interface ObservedImport extends KubeObject {
  /** Made by the hub, and not taken over by somebody since. */
  readonly ours: boolean
  /** Of all that the hub writes into it. */
  readonly hash: string
  /** Keys of the clusters that its endpoints lead to; sorted. */
  readonly givers: readonly string[]
  /** Names of the clusters that export the service by the standard, to which it may have no endpoint. */
  readonly exporters?: readonly string[]
}

/** What a member holds of what the hub reads and writes there, by name or `ns/name`. */
export interface Observed {
  readonly exports: ReadonlyMap<string, ServiceExport>
  readonly services: ReadonlyMap<string, Service>
  readonly imports: ReadonlyMap<string, ObservedImport>
  readonly namespaces: ReadonlyMap<string, Namespace>
  /** The ConfigMap that tells the member who it is. */
  readonly identity: ConfigMap | undefined
  readonly vouching: Vouching
  readonly trust: TrustThere
  /** Of the standard; none where its kinds are not installed. Absent: the hub may not see them. */
  readonly mcsExports?: ReadonlyMap<string, McsExport>
  /** Of the member's own Services. Absent: nobody has asked for them, they are awaited, or the hub may not see them. */
  readonly slices?: ReadonlyMap<string, ObservedSlice>
  /** Whether slices have been asked for and are still to come. */
  readonly awaitsSlices: boolean
  /** Slices that the hub has put there for other clusters. Absent: it may not. */
  readonly copies?: ReadonlyMap<string, ObservedCopy>
}

const isLabelled = ({ labels }: ObjectMeta): boolean =>
  Object.entries(MANAGED_BY).every(([label, value]) => labels?.[label] === value)

export const isOurs = (object: KubeObject): boolean =>
  isLabelled(object.metadata) && lastApplied(object, FIELD_MANAGER.federation) !== undefined

export function observeImport(object: ServiceImport): ObservedImport {
  const { apiVersion, kind } = object
  return {
    apiVersion,
    kind,
    metadata: identityOf(object),
    ours: isOurs(object),
    hash: hashOf(object),
    givers: sharing(giversOf(object)),
    ...(object.spec.standard === undefined ? {} : { exporters: sharing(object.spec.standard.clusters) }),
  }
}

/** Keys of the clusters that an import's endpoints lead to; sorted. */
export const giversOf = ({ spec }: ServiceImport): readonly string[] =>
  [...new Set((spec.ports ?? []).flatMap((port) => (port.endpoints ?? []).map((each) => each.clusterKey)))].toSorted()

/** Hash of what the hub would write, as the API server would keep it. */
export const wantedHash: (wanted: ServiceImport) => string = perObject((wanted) => hashOf(applyDefaults(wanted)))

const hashOf = ({ spec }: ServiceImport): string => {
  const { ips: _, ports = [], ...rest } = spec
  const ordered = { ...rest, ports: ports.toSorted(byNumberAndProtocol) }
  return createHash('sha256').update(canonical(ordered)).digest('hex').slice(0, 16)
}

const byNumberAndProtocol = by<ServiceImport['spec']['ports'][number]>(
  ({ port }) => port,
  ({ protocol = 'TCP' }) => protocol,
)

/** JSON with the fields of every object in one order. */
const canonical = (value: unknown): string =>
  JSON.stringify(value, (_, each: unknown) => (isMap(each) ? sorted(each) : each))

const isMap = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const sorted = (map: Readonly<Record<string, unknown>>) =>
  Object.fromEntries(Object.entries(map).toSorted(([a], [b]) => (a < b ? -1 : 1)))

/** With the hub's own managedFields, without labels, annotations and the fields of others. */
export function observeExport(object: ServiceExport): ServiceExport {
  const { clusters } = object.status ?? {}
  return {
    ...object,
    ...(clusters === undefined ? {} : { status: { ...object.status, clusters: sharing(clusters) } }),
    metadata: statedMeta(object),
  }
}

/** The same of an export of the standard. */
export function observeMcsExport({ apiVersion, kind, spec, status, ...object }: McsExport): McsExport {
  return {
    apiVersion,
    kind,
    metadata: statedMeta(object as McsExport),
    ...(spec === undefined ? {} : { spec: sharing(spec) }),
    ...(status === undefined ? {} : { status }),
  }
}

/** Metadata of an object of whose status a part is the hub's. */
function statedMeta(object: KubeObject): ObjectMeta {
  const { metadata } = withOwnFieldsOnly(object, FIELD_MANAGER.federation)
  const { generation, creationTimestamp, deletionTimestamp, managedFields } = metadata
  return {
    ...identityOf(object),
    ...(generation === undefined ? {} : { generation }),
    ...(creationTimestamp === undefined ? {} : { creationTimestamp }),
    ...(deletionTimestamp === undefined ? {} : { deletionTimestamp }),
    ...(managedFields === undefined ? {} : { managedFields: managedFields.map(withSharedFields) }),
  }
}

/** Exports of one cluster list the same importers, a field each. */
const withSharedFields = (entry: unknown): unknown =>
  isMap(entry) && isMap(entry['fieldsV1']) ? { ...entry, fieldsV1: sharing(entry['fieldsV1']) } : entry

/** Only what an export's Service can decide, and what makes it one itself. Clusters have very many of the same make. */
export function observeService(object: Service): Service {
  const { apiVersion, kind, spec } = object
  const { type, clusterIP, sessionAffinityConfig, ...said } = spec
  const ports = spec.ports?.map(({ name, port, protocol, appProtocol }) => ({
    ...(name === undefined ? {} : { name }),
    port,
    ...(protocol === undefined ? {} : { protocol }),
    ...(appProtocol === undefined ? {} : { appProtocol }),
  }))
  return {
    apiVersion,
    kind,
    metadata: { ...identityOf(object), ...sharedByAnnotation(object.metadata) },
    spec: sharing({
      ...(type === undefined ? {} : { type }),
      ...(clusterIP === 'None' ? { clusterIP } : {}),
      ...(ports === undefined ? {} : { ports }),
      ...Object.fromEntries(STANDARD_FIELDS.flatMap((name) => (said[name] === undefined ? [] : [[name, said[name]]]))),
      ...(said.sessionAffinity === 'ClientIP' && sessionAffinityConfig ? { sessionAffinityConfig } : {}),
    }),
  } as Service
}

const STANDARD_FIELDS = ['sessionAffinity', 'internalTrafficPolicy', 'trafficDistribution', 'ipFamilies'] as const

const SHARING = Object.values(GLOBAL_ANNOTATIONS).flat()

/** A Service that asks to be shared is as old as itself; of all others nobody cares. */
function sharedByAnnotation({ annotations = {}, creationTimestamp }: ObjectMeta): Partial<ObjectMeta> {
  const said = SHARING.flatMap((name) => (annotations[name] === undefined ? [] : [[name, annotations[name]] as const]))
  if (said.length === 0) return {}
  return {
    annotations: sharing(Object.fromEntries(said)),
    ...(creationTimestamp === undefined ? {} : { creationTimestamp }),
  }
}

export function observeNamespace(object: Namespace): Namespace {
  const { deletionTimestamp } = object.metadata
  return {
    apiVersion: object.apiVersion,
    kind: 'Namespace',
    metadata: { ...identityOf(object), ...(deletionTimestamp === undefined ? {} : { deletionTimestamp }) },
  }
}

export function identityOf({ metadata: { name, namespace, uid, resourceVersion } }: KubeObject): ObjectMeta {
  return {
    name,
    ...(namespace === undefined ? {} : { namespace }),
    ...(uid === undefined ? {} : { uid }),
    ...(resourceVersion === undefined ? {} : { resourceVersion }),
  }
}
