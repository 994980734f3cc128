/** Applies and deletes objects of several clusters, whatever their API servers go through meanwhile. */
import { Agent, request } from 'undici'
import type { KubeObject, ObjectMeta } from '../../api/meta.ts'
import * as resources from '../../api/resources.ts'
import { type Failure, must, mustOrMissing, type Result } from '../../kube/failure.ts'
import type { Resource } from '../../kube/object.ts'
import { until } from '../lab/run.ts'
import type { Clusters, TestCluster } from './clusters.ts'
import type { Placed } from './walkthrough.ts'

export const RESOURCES = {
  Cluster: { group: 'flomesh.io', version: 'v1alpha1', plural: 'clusters', kind: 'Cluster', namespaced: false },
  Namespace: resources.NAMESPACES,
  Service: resources.SERVICES,
  EndpointSlice: resources.ENDPOINT_SLICES,
  ServiceExport: resources.SERVICE_EXPORTS,
  ServiceImport: resources.SERVICE_IMPORTS,
  GlobalTrafficPolicy: resources.GLOBAL_TRAFFIC_POLICIES,
  Secret: resources.SECRETS,
  ConfigMap: resources.CONFIGMAPS,
} as const satisfies Readonly<Record<string, Resource<KubeObject>>>

const MANAGER = { manager: 'walkthrough' } as const

function resourceOf({ kind, apiVersion, metadata }: KubeObject): Resource<KubeObject> {
  const found = (RESOURCES as Readonly<Record<string, Resource<KubeObject>>>)[kind]
  if (found === undefined) throw new Error(`${apiVersion} ${kind} ${metadata.name}: tests apply no such kind`)
  return found
}

/** Again and again while the API server is away. */
function answered<T>(what: string, request: () => Promise<Result<T>>): Promise<Result<T>> {
  return until(what, async () => {
    const result = await request()
    return result.ok || !AWAY.has(result.failure.reason) ? result : undefined
  })
}
const AWAY: ReadonlySet<Failure['reason']> = new Set(['Unreachable', 'Unavailable', 'TooManyRequests'])

/** As `kubectl apply` would; in a namespace that is not there, or on its way out, once it is there. */
export async function place(clusters: Clusters, { cluster, object }: Placed): Promise<void> {
  const { client } = clusters.named(cluster)
  const { namespace, name } = object.metadata
  await until(`${cluster}: ${object.kind} ${name} is applied`, async () => {
    const applied = await answered('an answer', () => client.apply(resourceOf(object), object, MANAGER))
    if (applied.ok) return true
    if (namespace === undefined) return void must(applied)
    const bare = { metadata: { name: namespace } }
    await answered('an answer', () => client.create<KubeObject>(RESOURCES.Namespace, bare))
    if (applied.failure.reason === 'NotFound' || applied.failure.message.includes('terminated')) return false
    return void must(applied)
  })
}

/** As `kubectl delete --ignore-not-found` would. A namespace is only on its way out after this. */
export async function remove(clusters: Clusters, { cluster, object }: Placed): Promise<void> {
  const { client } = clusters.named(cluster)
  const gone = await answered(`${cluster}: ${object.kind} ${object.metadata.name} is deleted`, () =>
    client.delete(resourceOf(object), object.metadata),
  )
  // A namespace that is being deleted already is in conflict with being deleted.
  if (!gone.ok && gone.failure.reason !== 'NotFound' && gone.failure.reason !== 'Conflict') must(gone)
}

/** Does what a namespace controller does: API servers alone let no namespace go. Another of the name may be there at once. */
export async function removeNamespace(cluster: TestCluster, name: string): Promise<void> {
  const { client } = cluster
  const find = async () => mustOrMissing(await client.get(RESOURCES.Namespace, { name }))
  const { uid } = (await find())?.metadata ?? {}
  if (uid === undefined) return
  await client.delete(RESOURCES.Namespace, { name }, { uid })
  await until(`${cluster.name}: namespace ${name} is gone`, async () => {
    for (const resource of Object.values(RESOURCES) as readonly Resource<KubeObject>[]) {
      if (!resource.namespaced) continue
      for (const { metadata } of must(await client.list(resource, { namespace: name })).items)
        await client.delete(resource, metadata)
    }
    const there = await find()
    if (there?.metadata.uid !== uid) return true
    const { metadata } = there
    await finalize(cluster, metadata)
    return false
  })
}

async function finalize({ api: { connection } }: TestCluster, metadata: ObjectMeta): Promise<void> {
  const { headers, tls } = await connection.credentials()
  const dispatcher = new Agent({ connect: tls })
  const answer = await request(`${connection.server}/api/v1/namespaces/${metadata.name}/finalize`, {
    dispatcher,
    method: 'PUT',
    headers: { ...headers, 'content-type': 'application/json' },
    body: JSON.stringify({ apiVersion: 'v1', kind: 'Namespace', metadata, spec: { finalizers: [] } }),
  })
  await answer.body.dump()
  await dispatcher.close()
}

/** Deletes the objects in the order given, then every namespace that is left; resolves when all of it is gone. */
export async function clear(clusters: Clusters, objects: readonly Placed[]): Promise<void> {
  for (const each of objects) await remove(clusters, each)
  await Promise.all(
    clusters.members.map(async (member) => {
      for (const name of await namespacesOf(member)) await removeNamespace(member, name)
    }),
  )
}

/** Namespaces that tests, or the hub, have made. */
async function namespacesOf({ client }: TestCluster): Promise<readonly string[]> {
  const { items } = must(await client.list(RESOURCES.Namespace))
  return items.map(({ metadata }) => metadata.name).filter((name) => !OWN.test(name))
}
const OWN = /^(default|kube-.*|portolan-system)$/
