import type { KubeObject } from '../../api/meta.ts'
import { FIELD_MANAGER, MANAGED_BY } from '../../api/names.ts'
import { CONFIGMAPS, SERVICE_IMPORTS } from '../../api/resources.ts'
import type { KubeClient } from '../../kube/client.ts'
import { type Failure, ok, type Result } from '../../kube/failure.ts'
import { keyOf } from '../../kube/object.ts'
import { inParallel } from '../../kube/pool.ts'
import { applied, OBJECT_RESOURCES } from './objects.ts'
import { type Action, stepOf } from './plan.ts'

export interface CarryOutOptions {
  readonly client: KubeClient
  /** Asked before each write. */
  readonly mayWrite: () => boolean
  readonly onDone: (action: Action, written: KubeObject | undefined) => void
  readonly onFailure: (action: Action, failure: Failure) => void
}

const AT_ONCE = 8

/** Writes, step by step in the order given, several of one step at once. Returns how many failed. */
export async function carryOut(actions: readonly Action[], options: CarryOutOptions): Promise<number> {
  const { client, mayWrite, onDone, onFailure } = options
  let failures = 0

  async function one(action: Action) {
    if (!mayWrite()) return
    const result = await write(client, action)
    if (result.ok) return onDone(action, result.value)
    // The object is gone or another one has its name: the informers will tell, and then there is nothing left to do.
    if (result.failure.reason === 'NotFound' || result.failure.reason === 'Conflict') return
    failures += 1
    onFailure(action, result.failure)
  }

  for (const group of Map.groupBy(actions, stepOf).values()) await inParallel(group, AT_ONCE, one)
  return failures
}

const refOf = (namespace: string | undefined, name: string) =>
  namespace === undefined ? { name } : { namespace, name }

const MANAGER = { manager: FIELD_MANAGER.compiler } as const

async function write(client: KubeClient, action: Action): Promise<Result<KubeObject | undefined>> {
  switch (action.do) {
    case 'applyAddresses': {
      const { namespace, name, uid, ips } = action
      // The uid keeps apply from creating what has just been deleted.
      const object = { metadata: { namespace, name, uid }, spec: { ips } }
      return client.apply<KubeObject>(SERVICE_IMPORTS, object, MANAGER)
    }
    case 'applyTable': {
      const { namespace, name, data } = action.table
      const object = { metadata: { namespace, name, labels: MANAGED_BY }, data }
      const written = await client.apply<KubeObject>(CONFIGMAPS, object, { ...MANAGER, metadataOnly: true })
      return written.ok ? ok({ ...written.value, kind: CONFIGMAPS.kind, data }) : written
    }
    case 'removeTable': {
      const { namespace, name, uid } = action
      const gone = await client.delete(CONFIGMAPS, { namespace, name }, { uid })
      return gone.ok ? ok(undefined) : gone
    }
    case 'applyObject': {
      const { object, uid } = action
      const { namespace, name } = object
      const { metadata, ...fields } = applied(object)
      const whole = {
        metadata: { ...refOf(namespace, name), ...(uid === undefined ? {} : { uid }), ...metadata },
        ...fields,
      }
      // Somebody else may have made one of that name a moment ago: it stays theirs.
      return client.apply(OBJECT_RESOURCES[object.kind], whole, { ...MANAGER, force: uid !== undefined })
    }
    case 'removeObject': {
      const { kind, namespace, name, uid } = action
      const gone = await client.delete(OBJECT_RESOURCES[kind], { namespace, name }, { uid })
      return gone.ok ? ok(undefined) : gone
    }
    case 'applyStatus': {
      const { resource, namespace, name, uid, status } = action
      const object = { metadata: { ...refOf(namespace, name), uid }, status }
      return client.apply<KubeObject>(resource, object, { ...MANAGER, subresource: 'status' })
    }
  }
}

/** `ConfigMap shop/portolan-routes`, for logs and metrics. */
export function describeAction(action: Action): { readonly kind: string; readonly object: string } {
  switch (action.do) {
    case 'applyAddresses':
      return { kind: 'ServiceImport', object: `${action.namespace}/${action.name}` }
    case 'applyTable':
      return { kind: 'ConfigMap', object: `${action.table.namespace}/${action.table.name}` }
    case 'removeTable':
      return { kind: 'ConfigMap', object: `${action.namespace}/${action.name}` }
    case 'applyObject':
      return { kind: action.object.kind, object: keyOf(action.object) }
    case 'removeObject':
      return { kind: action.kind, object: keyOf(action) }
    case 'applyStatus':
      return { kind: action.resource.kind, object: keyOf(action) }
  }
}
