import type { Namespace } from '../../api/core.ts'
import { formatProblem } from '../../api/diagnostics.ts'
import type { Issue } from '../../api/issue.ts'
import type { MeshConfig } from '../../api/mesh-config.ts'
import { ROUTES_CONFIGMAP } from '../../api/names.ts'
import { CONFIGMAPS, type ConfigMap, MESH_CONFIGS, NAMESPACES } from '../../api/resources.ts'
import { auditMesh } from '../../compiler/controller/audit.ts'
import { observeTable } from '../../compiler/controller/observed.ts'
import { hasSidecar, type MeshPod } from '../../compiler/controller/pods.ts'
import { readStats } from '../../compiler/controller/programmed.ts'
import type { Tables } from '../../compiler/tables.ts'
import { inject } from '../../webhook/inject.ts'
import { refOf } from '../objects.ts'
import { type Live, mustOrMissing } from './connect.ts'
import type { Mesh } from './mesh.ts'
import { askProxy } from './pods.ts'

/** Whether one pod takes part in the mesh, and what its proxy goes by. */
export interface CallerAnswer {
  readonly namespace: string
  readonly name: string
  readonly sidecar: boolean
  /** Why there is none: as the webhook would say now. */
  readonly withoutBecause?: string
  /** Whether the names of imports mean anything to it: it asks mesh DNS. */
  readonly asksMeshDns: boolean
  /** Whether its namespace's table has the service. */
  readonly inScope: boolean
  readonly table?: TableVersions
}

/** The table of a namespace, in the three places where it is. */
export interface TableVersions {
  /** What compiling now gives; absent when the namespace is not of the mesh. */
  readonly compiled?: string
  /** What the namespace's ConfigMap holds. */
  readonly written?: string
  /** What the proxy says it runs. */
  readonly running?: string
  /** Why it said nothing. */
  readonly silent?: string
}

/** @param service namespace/name */
export async function callerOf(
  cluster: Live,
  mesh: Mesh,
  pod: MeshPod,
  tables: Tables,
  service: string,
): Promise<CallerAnswer> {
  const { namespace = '', name } = pod.metadata
  const sidecar = hasSidecar(pod)
  const table = tables.sidecars.find((each) => each.namespace === namespace)
  const because = sidecar ? undefined : await whyNone(cluster, mesh, pod)
  return {
    namespace,
    name,
    sidecar,
    ...(because === undefined ? {} : { withoutBecause: because }),
    asksMeshDns: sidecar && pod.spec.dnsPolicy === 'None',
    inScope: table?.routes.some((route) => route.service === service) ?? false,
    ...(sidecar ? { table: await versionsOf(cluster, pod, table?.version) } : {}),
  }
}

/** Versions of the table that a sidecar should run, has been given, and runs. */
export async function versionsOf(cluster: Live, pod: MeshPod, compiled: string | undefined): Promise<TableVersions> {
  const { namespace = '' } = pod.metadata
  const [map, stats] = await Promise.all([
    cluster.client.get<ConfigMap>(CONFIGMAPS, { namespace, name: ROUTES_CONFIGMAP }),
    askProxy(cluster, pod, '/stats?filter=%5Ecluster_manager%5C.cds%5C.'),
  ])
  const written = mustOrMissing(map, cluster.name)
  const running = stats.ok ? readStats(stats.value)?.version : undefined
  const silent = stats.ok ? 'it has loaded no table yet' : stats.failure.message
  return {
    ...(compiled === undefined ? {} : { compiled }),
    ...(written === undefined ? {} : { written: observeTable(written).version }),
    ...(running === undefined ? { silent } : { running }),
  }
}

/** Why a pod has no sidecar: the webhook's own decision, taken again. */
export async function whyNone(cluster: Live, mesh: Mesh, pod: MeshPod): Promise<string> {
  const [namespace, config] = await Promise.all([
    cluster.client.get<Namespace>(NAMESPACES, { name: pod.metadata.namespace ?? '' }),
    cluster.client.get<MeshConfig>(MESH_CONFIGS, mesh.meshConfig),
  ])
  const here = mustOrMissing(namespace, cluster.name)
  if (here === undefined) return 'its namespace is gone'
  const { decision, issues } = inject({
    pod,
    namespace: here,
    mesh: auditMesh(mesh, cluster.portolanNamespace, mustOrMissing(config, cluster.name)),
    seed: pod.metadata.uid ?? '',
  })
  // It would get one today.
  const missing: Issue<'SidecarMissing'> = { code: 'SidecarMissing', object: refOf(pod), path: '' }
  return (decision.outcome === 'inject' ? [missing] : issues).map(formatProblem).join(' ')
}
