import { MTLS_CLUSTERS } from '../../api/names.ts'
import { CONFIGMAPS, type ConfigMap } from '../../api/resources.ts'
import { compile } from '../../compiler/compile.ts'
import { isComponent } from '../../compiler/controller/nudge.ts'
import { hasIdentity, hasSidecar, type MeshPod } from '../../compiler/controller/pods.ts'
import { gatewayFiles, sidecarFiles } from '../../compiler/files.ts'
import type { Tables } from '../../compiler/tables.ts'
import { type ExitCode, type Io, UsageError } from '../io.ts'
import { type Format, painter, serialize } from '../print.ts'
import { whyNone } from './caller.ts'
import { type Live, must, mustOrMissing, withCluster } from './connect.ts'
import type { LiveFlags, NamespaceFlag } from './flags.ts'
import { meshOf } from './mesh.ts'
import { parseName } from './names.ts'
import { askProxy, readPod } from './pods.ts'
import { type ClusterFile, proxyReport, type RouteFile } from './proxy-report.ts'
import { type Answers, type ProxyState, QUESTIONS, readProxy } from './proxy-state.ts'
import { reportText } from './proxy-text.ts'
import { readSnapshot } from './snapshot.ts'

export interface RoutesOptions extends LiveFlags, NamespaceFlag {
  readonly output: Format
  readonly colors: boolean
}

/** `portolan routes`: what one pod's proxy runs, against what was compiled. Exit code 1 when they differ. */
export function routesCommand(wanted: string, options: RoutesOptions, io: Io): Promise<ExitCode> {
  return withCluster(options, async (cluster) => {
    const pod = await readPod(cluster, parseName(wanted, cluster.namespace, 'a pod'))
    const mesh = await meshOf(cluster)
    const { namespace = '', name } = pod.metadata
    const isGateway = isComponent(pod, cluster.portolanNamespace, 'gateway')
    if (!isGateway && !hasSidecar(pod))
      throw new UsageError(
        `${cluster.name}: pod ${namespace}/${name} has no sidecar: ${await whyNone(cluster, mesh, pod)}`,
      )

    const live = await readSnapshot(cluster, mesh)
    // A namespace that has left the mesh keeps its table while sidecars live there.
    const tables = compile({ ...live, leaving: [namespace] })
    const place = { namespace: isGateway ? cluster.portolanNamespace : namespace, clusterKey: mesh.clusterKey }
    const mtls = !isGateway && hasIdentity(pod)
    const set = isGateway ? gatewayFiles(tables.gateway, undefined, place) : sidecarSet(tables, place, mtls)
    const clusters = mtls ? MTLS_CLUSTERS : 'cds.json'
    const map = mustOrMissing(
      await cluster.client.get<ConfigMap>(CONFIGMAPS, { namespace: place.namespace, name: set.name }),
      cluster.name,
    )
    const running = await ask(cluster, pod)
    const written = map?.data?.[clusters]
    const report = proxyReport({
      running,
      compiled: JSON.parse(set.files[clusters] ?? '') as ClusterFile,
      ...(written === undefined ? {} : { written: JSON.parse(written) as ClusterFile }),
      ...(isGateway ? { routes: JSON.parse(set.files['rds.json'] ?? '') as RouteFile } : {}),
      isGateway,
    })
    const title = `${isGateway ? 'Gateway' : 'Sidecar of'} ${namespace}/${name} in ${cluster.name} (${mesh.clusterKey})`
    io.out(
      options.output === 'text'
        ? reportText(title, report, painter(options.colors))
        : serialize({ pod: { namespace, name }, isGateway, ...report }, options.output),
    )
    return report.state === 'same' ? 0 : 1
  })
}

/** @throws UsageError when another mesh's tables are the pod's */
function sidecarSet(
  { sidecars }: Tables,
  { namespace, clusterKey }: { readonly namespace: string; readonly clusterKey: string },
  mtls: boolean,
) {
  const table = sidecars.find((each) => each.namespace === namespace)
  if (table !== undefined) return sidecarFiles(table, clusterKey, { plain: !mtls, mtls })
  throw new UsageError(`namespace ${namespace} belongs to another mesh; name its --portolan-namespace`)
}

async function ask(cluster: Live, pod: MeshPod): Promise<ProxyState> {
  const answers: Record<string, string> = {}
  for (const [question, path] of Object.entries(QUESTIONS))
    answers[question] = must(await askProxy(cluster, pod, path), cluster.name)
  return readProxy(answers as Answers)
}
