import type { KubeObject } from '../../api/meta.ts'
import { DNS_CONFIGMAP, FIELD_MANAGER, MANAGED_BY } from '../../api/names.ts'
import { CONFIGMAPS, GLOBAL_TRAFFIC_POLICIES, SERVICE_EXPORTS, SERVICE_IMPORTS } from '../../api/resources.ts'
import type { KubeClient } from '../../kube/client.ts'
import { type Failure, ok, type Result } from '../../kube/failure.ts'
import type { Resource } from '../../kube/object.ts'
import type { Reported } from './observed.ts'
import type { Action } from './plan.ts'

export interface CarryOutOptions {
  readonly client: KubeClient
  /** Asked before each write. */
  readonly mayWrite: () => boolean
  readonly onDone: (action: Action, written: KubeObject | undefined) => void
  readonly onFailure: (action: Action, failure: Failure) => void
}

const REPORTED: Readonly<Record<Reported['kind'], Resource<KubeObject>>> = {
  ServiceExport: SERVICE_EXPORTS,
  ServiceImport: SERVICE_IMPORTS,
  GlobalTrafficPolicy: GLOBAL_TRAFFIC_POLICIES,
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

  for (const group of Map.groupBy(actions, stepOf).values()) {
    const queue = group.values()
    // An iterator shared by all workers hands each action to one of them.
    const work = async () => {
      for (const action of queue) await one(action)
    }
    await Promise.all(Array.from({ length: Math.min(AT_ONCE, group.length) }, work))
  }
  return failures
}

/**
 * Names are the last table to be written: they must not lead where nothing listens yet. The other tables need not wait
 * for addresses, which nobody calls before they have names.
 */
function stepOf(action: Action): string {
  if (action.do === 'applyTable') return action.table.name === DNS_CONFIGMAP ? 'applyNames' : 'applyAddressesAndTables'
  return action.do === 'applyAddresses' ? 'applyAddressesAndTables' : action.do
}

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
    case 'applyStatus': {
      const { kind, namespace, name, uid, status } = action
      const object = { metadata: { namespace, name, uid }, status }
      return client.apply<KubeObject>(REPORTED[kind], object, { ...MANAGER, subresource: 'status' })
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
    case 'applyStatus':
      return { kind: action.kind, object: `${action.namespace}/${action.name}` }
  }
}
