import type { Code } from '../../api/diagnostics.ts'
import type { Issue } from '../../api/issue.ts'
import type { McsExport } from '../../api/mcs.ts'
import { verdict } from '../../compiler/conditions.ts'
import type { ObjectStatus } from '../../compiler/tables.ts'
import type { Held } from './exported.ts'
import { listed } from './exported.ts'

/** What is known of another cluster, as far as an export of the standard goes. */
export interface Reach {
  readonly clusterKey: string
  readonly held: Held
  /** Whether it has the namespace of the service. */
  readonly hasNamespace: boolean
}

/**
 * What the hub says of an export of the standard: `Conflict`, and `Ready` by who holds the import. Clusters without the
 * namespace are not waited for, nor are those that cannot be seen now: of them what was said before stands.
 * @param said `Conflict`, when other clusters can have something of it
 * @param reach of the clusters that it is for
 * @param before what the export's status says now
 */
export function readyStatus(
  { object, generation, conditions }: ObjectStatus,
  exporter: string,
  reach: readonly Reach[],
  before: McsExport['status'],
): ObjectStatus {
  const conflict = conditions.filter(({ type }) => type === 'Conflict')
  const { lastTransitionTime: _, ...was } = before?.conditions?.find(({ type }) => type === 'Ready') ?? {
    lastTransitionTime: '',
  }
  const stands = conflict.length > 0 && reach.some(({ held }) => held === 'unknown') && 'type' in was
  if (stands) return { object, generation, conditions: [...conflict, was] }
  const issue = conflict.length === 0 ? FAILED : issueOf(exporter, reach)
  const ready = verdict('Ready', TRUE.has(issue.code) ? 'True' : 'False', [{ ...issue, object }])
  return { object, generation, conditions: [...conflict, { ...ready, observedGeneration: generation }] }
}

type Said = Pick<Issue<Code>, 'code' | 'path' | 'params'>

const FAILED: Said = { code: 'Failed', path: '' }
const TRUE: ReadonlySet<Code> = new Set(['Exported', 'Ready'])

/** Clusters that are still to import it. */
export const awaited = (exporter: string, reach: readonly Reach[]): readonly string[] =>
  reach.filter((each) => each.hasNamespace && !holds(exporter, each)).map(({ clusterKey }) => clusterKey)

const holds = (exporter: string, { held }: Reach): boolean =>
  held !== 'unknown' && held !== 'foreign' && held.includes(exporter)

function issueOf(exporter: string, reach: readonly Reach[]): Said {
  const clusters = reach.filter((each) => holds(exporter, each)).map(({ clusterKey }) => clusterKey)
  if (clusters.length > 0) return { code: 'Exported', path: '', params: { clusters: listed(clusters) } }
  const missing = awaited(exporter, reach)
  if (missing.length > 0) return { code: 'Pending', path: '', params: { missing: listed(missing) } }
  return { code: 'Ready', path: '' }
}
