import jsonPatch from 'fast-json-patch'
import { applyDefaults } from '../../api/defaults.ts'
import type { KubeObject } from '../../api/meta.ts'
import { CLUSTER_CONFIGMAP, FIELD_MANAGER, MANAGED_BY, MCS_GROUP, TRUST_CONFIGMAP } from '../../api/names.ts'
import {
  CONFIGMAPS,
  ENDPOINT_SLICES,
  MCS_EXPORTS,
  NAMESPACES,
  SERVICE_EXPORTS,
  SERVICE_IMPORTS,
} from '../../api/resources.ts'
import type { ServiceImport } from '../../api/service-import.ts'
import type { KubeClient } from '../../kube/client.ts'
import { type Failure, ok, type Result } from '../../kube/failure.ts'
import type { Resource } from '../../kube/object.ts'
import { inParallel } from '../../kube/pool.ts'
import type { Action, WantedImport } from './action.ts'
import { withKept } from './kept.ts'

export interface CarryOutOptions {
  readonly client: KubeClient
  /** Asked before each write. */
  readonly mayWrite: () => boolean
  readonly onDone: (action: Action, written: KubeObject | undefined) => void
  readonly onFailure: (action: Action, failure: Failure) => void
}

const AT_ONCE = 8

/** Writes, kind of action by kind of action in the order given, several of one kind at once. Returns how many failed. */
export async function carryOut(actions: readonly Action[], options: CarryOutOptions): Promise<number> {
  const { client, mayWrite, onDone, onFailure } = options
  let failures = 0

  async function one(action: Action) {
    if (!mayWrite()) return
    const result = await write(client, action)
    if (result.ok) return onDone(action, result.value)
    if (isOvertaken(action, result.failure)) return
    failures += 1
    onFailure(action, result.failure)
  }

  for (const group of Map.groupBy(actions, (action) => action.do).values()) await inParallel(group, AT_ONCE, one)
  return failures
}

/** The object is gone, or another one has its name: the informers will tell, and then there is something else to do. */
function isOvertaken(action: Action, { reason }: Failure): boolean {
  if (reason === 'Conflict') return true
  return reason === 'NotFound' && (action.do.startsWith('remove') || action.do === 'applyStatus')
}

const MANAGER = { manager: FIELD_MANAGER.federation } as const

async function write(client: KubeClient, action: Action): Promise<Result<KubeObject | undefined>> {
  switch (action.do) {
    case 'applyIdentity':
    case 'applyTrust': {
      const { namespace, data } = action
      const object = { metadata: { namespace, name: configMapOf(action), labels: MANAGED_BY }, data }
      return client.apply<KubeObject>(CONFIGMAPS, object, MANAGER)
    }
    case 'removeIdentity':
    case 'removeTrust': {
      const { namespace, uid } = action
      return removed(await client.delete(CONFIGMAPS, { namespace, name: configMapOf(action) }, { uid }))
    }
    case 'createNamespace': {
      const created = await client.create<KubeObject>(NAMESPACES, {
        metadata: { name: action.name, labels: MANAGED_BY },
      })
      return !created.ok && created.failure.reason === 'AlreadyExists' ? ok(undefined) : created
    }
    case 'applyImport':
      return writeImport(client, action.import)
    case 'removeImport': {
      const { namespace, name, uid } = action
      return removed(await client.delete(SERVICE_IMPORTS, { namespace, name }, { uid }))
    }
    case 'applySlice': {
      const { namespace, name, labels, content } = action.slice
      const object = { metadata: { namespace, name, labels }, ...content }
      return client.apply<KubeObject>(ENDPOINT_SLICES, object, MANAGER)
    }
    case 'removeSlice': {
      const { namespace, name, uid } = action
      return removed(await client.delete(ENDPOINT_SLICES, { namespace, name }, { uid }))
    }
    case 'applyStatus': {
      const { namespace, name, uid, status } = action
      // The uid keeps apply from creating what has just been deleted.
      const object = { metadata: { namespace, name, uid }, status }
      return client.apply<KubeObject>(exportsOf(action), object, { ...MANAGER, subresource: 'status' })
    }
  }
}

const exportsOf = ({ apiVersion }: Extract<Action, { do: 'applyStatus' }>): Resource<KubeObject> =>
  apiVersion.startsWith(`${MCS_GROUP}/`) ? MCS_EXPORTS : SERVICE_EXPORTS

const configMapOf = (action: Action): string => (action.do.endsWith('Trust') ? TRUST_CONFIGMAP : CLUSTER_CONFIGMAP)

const removed = (result: Result<void>): Result<undefined> => (result.ok ? ok(undefined) : result)

async function writeImport(client: KubeClient, wanted: WantedImport): Promise<Result<KubeObject | undefined>> {
  const { namespace, name, uid } = wanted
  const spec = await specOf(client, wanted)
  if (!spec.ok) return spec
  const metadata = { namespace, name, labels: MANAGED_BY, ...(uid === undefined ? {} : { uid }) }
  const object = { metadata, spec: spec.value }
  const applied = await client.apply<ServiceImport>(SERVICE_IMPORTS, object, {
    ...MANAGER,
    // What somebody else has put there in this very moment is not taken over.
    force: uid !== undefined,
  })
  return applied.ok ? withoutAdditions(client, applied.value, spec.value) : applied
}

async function specOf(client: KubeClient, { namespace, name, wanted, keep }: WantedImport) {
  if (wanted !== undefined && keep.length === 0) return ok(wanted.spec)
  const there = await client.get<ServiceImport>(SERVICE_IMPORTS, { namespace, name })
  return there.ok ? ok(withKept(wanted, there.value, keep)) : there
}

/** Takes out what others have put between our own fields, which apply leaves alone. */
async function withoutAdditions(
  client: KubeClient,
  object: ServiceImport,
  spec: ServiceImport['spec'],
): Promise<Result<KubeObject>> {
  const { spec: wanted } = applyDefaults({ ...object, spec })
  const { ips, ...rest } = object.spec
  const additions = jsonPatch.compare(rest, { ...wanted })
  if (additions.length === 0) return ok(object)
  const { namespace, name, resourceVersion } = object.metadata
  const test = { op: 'test', path: '/metadata/resourceVersion', value: resourceVersion }
  const body = [test, ...additions.map((operation) => ({ ...operation, path: `/spec${operation.path}` }))]
  return client.patch<KubeObject>(SERVICE_IMPORTS, { namespace, name }, { type: 'json', body, ...MANAGER })
}

/** Kind and `ns/name`, for logs. */
export function describeAction(action: Action): { readonly kind: string; readonly object: string } {
  switch (action.do) {
    case 'applyIdentity':
    case 'removeIdentity':
    case 'applyTrust':
    case 'removeTrust':
      return { kind: 'ConfigMap', object: `${action.namespace}/${configMapOf(action)}` }
    case 'createNamespace':
      return { kind: 'Namespace', object: action.name }
    case 'applyImport':
      return { kind: 'ServiceImport', object: `${action.import.namespace}/${action.import.name}` }
    case 'removeImport':
      return { kind: 'ServiceImport', object: `${action.namespace}/${action.name}` }
    case 'applySlice':
      return { kind: 'EndpointSlice', object: `${action.slice.namespace}/${action.slice.name}` }
    case 'removeSlice':
      return { kind: 'EndpointSlice', object: `${action.namespace}/${action.name}` }
    case 'applyStatus':
      return { kind: `ServiceExport of ${action.apiVersion}`, object: `${action.namespace}/${action.name}` }
  }
}
