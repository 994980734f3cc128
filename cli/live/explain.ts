import { compile } from '../../compiler/compile.ts'
import { type ExitCode, type Io, UsageError } from '../io.ts'
import { type Format, painter, serialize } from '../print.ts'
import { callerOf } from './caller.ts'
import { isForbidden, type Live, withCluster } from './connect.ts'
import { explanationText } from './explain-text.ts'
import { explanationOf, hasErrors, isKnown } from './explanation.ts'
import type { LiveFlags, NamespaceFlag } from './flags.ts'
import { readHub } from './hub.ts'
import { meshOf } from './mesh.ts'
import { parseName, suggestion } from './names.ts'
import { readPod } from './pods.ts'
import { type HubFacts, settledOf } from './settled.ts'
import { readSnapshot } from './snapshot.ts'

export interface ExplainOptions extends LiveFlags, NamespaceFlag {
  readonly output: Format
  readonly colors: boolean
  /** `[namespace/]pod` that calls. */
  readonly from?: string
  /** Context of the cluster that holds the Clusters. */
  readonly hubContext?: string
}

/** `portolan explain`: what becomes of calls to one service, in a cluster as it is. */
export function explainCommand(wanted: string, options: ExplainOptions, io: Io): Promise<ExitCode> {
  return withCluster(options, async (cluster) => {
    const { namespace, name } = parseName(wanted, cluster.namespace, 'a service')
    const service = `${namespace}/${name}`
    const mesh = await meshOf(cluster)
    const [snapshot, hub, pod] = await Promise.all([
      readSnapshot(cluster, mesh),
      askHub(cluster, options),
      options.from === undefined ? undefined : readPod(cluster, parseName(options.from, namespace, 'a pod')),
    ])
    const tables = compile(snapshot)
    const settled = hub === undefined ? undefined : settledOf(service, hub)
    const caller = pod === undefined ? undefined : await callerOf(cluster, mesh, pod, tables, service)
    const explanation = explanationOf({
      cluster: cluster.name,
      service,
      snapshot,
      tables,
      ...(settled === undefined ? {} : { settled }),
      ...(caller === undefined ? {} : { caller }),
    })
    if (!isKnown(explanation)) {
      const { imports, exports, mcsExports = [], services } = snapshot
      const known = [...imports, ...exports, ...mcsExports, ...services].map(
        ({ metadata }) => `${metadata.namespace}/${metadata.name}`,
      )
      throw new UsageError(
        `${cluster.name}: there is no Service, import or export ${service}${suggestion(service, known)}`,
      )
    }
    io.out(
      options.output === 'text'
        ? explanationText(explanation, painter(options.colors))
        : serialize(explanation, options.output),
    )
    return hasErrors(explanation) ? 1 : 0
  })
}

function askHub(cluster: Live, { hubContext, ...flags }: ExplainOptions): Promise<HubFacts | undefined> {
  // Who may look at a cluster need not be allowed to look at its hub's Secrets.
  if (hubContext === undefined) return readHub(cluster).catch(unlessForbidden)
  return withCluster({ ...flags, context: hubContext }, async (hub) => {
    const facts = await readHub(hub)
    if (facts !== undefined) return facts
    throw new UsageError(`${hub.name} is no hub: it has no Cluster; name the context where the Clusters are`)
  })
}

function unlessForbidden(error: unknown): undefined {
  if (!isForbidden(error)) throw error
}
