import type { Cluster } from '../../api/cluster.ts'
import type { MeshConfig } from '../../api/mesh-config.ts'
import { FIELD_MANAGER, ROUTES_CONFIGMAP } from '../../api/names.ts'
import {
  CLUSTERS,
  CONFIGMAPS,
  type ConfigMap,
  type LivePod,
  MESH_CONFIGS,
  PODS,
  SERVICE_EXPORTS,
} from '../../api/resources.ts'
import { compile } from '../../compiler/compile.ts'
import { explicitNamespaces } from '../../compiler/controller/explicit.ts'
import { keepPod, type MeshPod } from '../../compiler/controller/pods.ts'
import { scopesOf } from '../../compiler/scope.ts'
import type { Snapshot } from '../../compiler/snapshot.ts'
import type { Tables } from '../../compiler/tables.ts'
import type { Scope } from '../../kube/client.ts'
import { type Failure, ok, type Result } from '../../kube/failure.ts'
import { LEASES, type Lease } from '../../kube/lease.ts'
import type { KubeObject, Resource } from '../../kube/object.ts'
import { UsageError } from '../io.ts'
import {
  DEFINITIONS,
  type Definition,
  MUTATING_WEBHOOKS,
  NODES,
  type Node,
  SERVICE_RANGES,
  type ServiceRange,
  VALIDATING_WEBHOOKS,
  type WebhookConfiguration,
} from './check-kinds.ts'
import { COREFILE } from './cluster-dns-place.ts'
import type { Live } from './connect.ts'
import { DEPLOYMENTS, type Deployment, type Mesh } from './mesh.ts'
import { askForCertificates, type ProxyTls, speakTls } from './proxy-tls.ts'
import { readSnapshot } from './snapshot.ts'

/** What checks look at. Whatever the user may not see is a failure, and no more than that. */
export interface CheckFacts {
  readonly now: Date
  readonly mesh: Mesh
  /** Portolan's own. */
  readonly namespace: string
  /** Of Kubernetes, `v1.35.4`. */
  readonly version: string
  readonly definitions: Result<readonly Definition[]>
  readonly deployments: Result<readonly Deployment[]>
  readonly mutating: Result<WebhookConfiguration | undefined>
  readonly validating: Result<WebhookConfiguration | undefined>
  readonly trial: Trial
  readonly leases: Result<readonly Lease[]>
  readonly snapshot: Result<Snapshot>
  /** Compiled from the snapshot. */
  readonly tables: Result<Tables>
  /** Those that the compiler writes. */
  readonly maps: Result<readonly ConfigMap[]>
  readonly pods: Result<readonly MeshPod[]>
  /** Those that speak TLS: how many there are, and what was heard of those that were asked. */
  readonly proxies: { readonly all: number; readonly answers: readonly ProxyTls[] }
  readonly meshConfig: Result<MeshConfig | undefined>
  readonly clusters: Result<readonly Cluster[]>
  readonly nodes: Result<readonly Node[]>
  readonly serviceRanges: Result<readonly ServiceRange[]>
  /** Configuration of the cluster's own DNS, where it is CoreDNS. */
  readonly corefile: Result<ConfigMap | undefined>
}

/** What came of asking for something that only the webhook refuses. */
export type Trial =
  | { readonly outcome: 'answered' }
  | { readonly outcome: 'silent'; readonly why: string }
  | { readonly outcome: 'impossible'; readonly failure: Failure }

const NAME = 'portolan'

export async function gatherFacts(cluster: Live, mesh: Mesh, now: Date): Promise<CheckFacts> {
  const { client, portolanNamespace: namespace, version } = cluster
  const all = <T extends KubeObject>(resource: Resource<T>, scope: Scope = {}) => listed(cluster, resource, scope)
  const routeMaps = { fieldSelector: `metadata.name=${ROUTES_CONFIGMAP}` }
  const snapshot = await asResult(readSnapshot(cluster, mesh))
  const members = snapshot.ok ? scopesOf(snapshot.value).map((scope) => scope.namespace) : []
  const [definitions, deployments, mutating, validating, trial, leases, maps, own, pods] = await Promise.all([
    all(DEFINITIONS),
    all<Deployment>(DEPLOYMENTS, { namespace }),
    optional(client.get(MUTATING_WEBHOOKS, { name: NAME })),
    optional(client.get(VALIDATING_WEBHOOKS, { name: NAME })),
    tryWebhook(cluster),
    all<Lease>(LEASES, { namespace }),
    all<ConfigMap>(CONFIGMAPS, routeMaps),
    all<ConfigMap>(CONFIGMAPS, { namespace }),
    Promise.all(members.map((each) => all<LivePod>(PODS, { namespace: each }))),
  ])
  const [meshConfig, clusters, nodes, serviceRanges, corefile] = await Promise.all([
    optional(client.get<MeshConfig>(MESH_CONFIGS, mesh.meshConfig)),
    all(CLUSTERS),
    all(NODES),
    all(SERVICE_RANGES),
    optional(client.get(CONFIGMAPS, COREFILE.configMap)),
  ])
  const live = mapped(together(pods), (list) => list.map(keepPod))
  const explicitIn = ({ namespaces }: Snapshot) =>
    explicitNamespaces(
      namespaces,
      meshConfig.ok ? meshConfig.value?.spec : undefined,
      pods.flatMap((each) => (each.ok ? each.value : [])).map(keepPod),
    )
  const tables = mapped(snapshot, (value) => compile({ ...value, explicit: explicitIn(value) }))
  return {
    now,
    mesh,
    namespace,
    version,
    definitions,
    deployments,
    mutating,
    validating,
    trial,
    leases,
    snapshot,
    tables,
    maps: together([maps, own]),
    pods: live,
    proxies: await proxiesOf(cluster, mesh, { pods: live, tables, now }),
    meshConfig,
    clusters,
    nodes,
    corefile,
    // Before 1.33 there is no such kind.
    serviceRanges: !serviceRanges.ok && serviceRanges.failure.reason === 'NotFound' ? ok([]) : serviceRanges,
  }
}

/** Nobody is asked where there is nothing to ask for, or no telling whom to ask: that is another check's to say. */
async function proxiesOf(
  cluster: Live,
  { mtls }: Mesh,
  { pods, tables, now }: Pick<CheckFacts, 'pods' | 'tables' | 'now'>,
): Promise<CheckFacts['proxies']> {
  const namespace = cluster.portolanNamespace
  const own = mtls ? await listed<LivePod>(cluster, PODS, { namespace }) : ok([])
  if (!mtls || !own.ok || !pods.ok || !tables.ok) return { all: 0, answers: [] }
  const { all, asked } = speakTls({ own: own.value.map(keepPod), mesh: pods.value }, tables.value, namespace, now)
  return { all, answers: await askForCertificates(cluster, asked) }
}

const listed = async <T extends KubeObject>(
  { client }: Live,
  resource: Resource<T>,
  scope: Scope,
): Promise<Result<readonly T[]>> => mapped(await client.list<T>(resource, scope), ({ items }) => items)

async function optional<T>(answer: Promise<Result<T>>): Promise<Result<T | undefined>> {
  const result = await answer
  return !result.ok && result.failure.reason === 'NotFound' ? ok(undefined) : result
}

/** A failure that ends other commands is only one more thing to say here. */
async function asResult<T>(work: Promise<T>): Promise<Result<T>> {
  try {
    return ok(await work)
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    const { cause, message } = error
    return { ok: false, failure: (cause as Failure | undefined) ?? { reason: 'Unknown', message } }
  }
}

function mapped<T, U>(result: Result<T>, change: (value: T) => U): Result<U> {
  return result.ok ? ok(change(result.value)) : result
}

/** All lists as one, or the first failure. */
function together<T>(results: readonly Result<readonly T[]>[]): Result<readonly T[]> {
  return results.find((result) => !result.ok) ?? ok(results.flatMap((result) => (result.ok ? result.value : [])))
}

/**
 * Asks for an export that the schema allows and only the webhook refuses. Its answer is the only proof that the API
 * server can ask it: what nobody refuses is taken, for the webhook may be passed over when it is silent.
 */
async function tryWebhook({ client, portolanNamespace: namespace }: Live): Promise<Trial> {
  const rewrite = { from: '^/check', to: '/\\1' }
  const object = { metadata: { namespace, name: 'portolan-check' }, spec: { pathRewrite: rewrite } }
  const tried = await client.apply(SERVICE_EXPORTS, object, { manager: FIELD_MANAGER.cli, dryRun: true })
  if (tried.ok) return { outcome: 'silent', why: 'what it should have refused was taken' }
  const { message } = tried.failure
  if (/admission webhook "[^"]*" denied/.test(message)) return { outcome: 'answered' }
  const why = /failed calling webhook "[^"]*": (.*)/s.exec(message)?.[1]
  return why === undefined ? { outcome: 'impossible', failure: tried.failure } : { outcome: 'silent', why }
}
