import type { Code } from '../../api/diagnostics.ts'
import type { Issue } from '../../api/issue.ts'
import type { ServiceExport } from '../../api/service-export.ts'
import { verdict } from '../../compiler/conditions.ts'
import { clustersListed } from '../../compiler/in-a-line.ts'
import { sharing } from '../../compiler/memo.ts'
import type { ObjectStatus } from '../../compiler/tables.ts'
import type { ExportVerdict } from '../merge-service.ts'

/** What is known of one service's import in one member. */
export type Held =
  /** The member has not been listed. */
  | 'unknown'
  /** Somebody else's import is in the way. */
  | 'foreign'
  /** Keys of the clusters that the import leads to; none when there is no import. */
  | readonly string[]

/** What is said of an export whoever imports it: in `Exported`, and in an Event when it comes up. */
const BESIDES: ReadonlySet<Code> = new Set(['ImportFull', 'TargetClusterUnknown', 'ClusterKeyChanged'])

/** Clusters that a message names before it only counts them. */
const MOST_NAMED = 5

/**
 * What the hub says of an export: whether exporters differ, and who imports it. The latter is what the members hold, not
 * what they should: for one that cannot be seen now, what was said before stands.
 * @param others keys of all other members, sorted
 * @param before what the export's status says now
 */
export function exportedStatus(
  said: ExportVerdict,
  others: readonly string[],
  heldBy: (clusterKey: string) => Held,
  before: ServiceExport['status'],
): ObjectStatus {
  const { object, generation } = said.status
  const known = new Set((before?.clusters ?? []).map(({ cluster }) => cluster))
  const imports = (key: string): boolean => {
    const holds = heldBy(key)
    if (holds === 'unknown') return known.has(key)
    return holds !== 'foreign' && holds.includes(said.clusterKey)
  }
  const clusters = others.filter(imports)
  const missing = said.importers.filter((key) => !imports(key))
  const issue = issueOf(said, clusters, missing, others.length)
  const foreign = missing.filter((key) => heldBy(key) === 'foreign')
  const explained =
    foreign.length === 0
      ? issue
      : {
          ...issue,
          params: { ...issue.params, missing: `${listed(missing)} (${listed(foreign)}: an import of its own)` },
        }
  const remarks = said.issues.filter(({ code }) => BESIDES.has(code))
  const besides = remarks.filter(({ code }) => code !== issue.code)
  const exported = verdict('Exported', issue.code === 'Exported' ? 'True' : 'False', [
    { ...explained, object },
    ...besides,
  ])
  const conflict = said.status.conditions.filter(({ type }) => type === 'Conflict')
  return {
    object,
    generation,
    conditions: [...conflict, { ...exported, observedGeneration: generation }],
    extra: sharing({ clusters: clusters.map((cluster) => ({ cluster })), importers: clustersListed(clusters) }),
    ...(remarks.length === 0 ? {} : { remarks }),
  }
}

function issueOf(
  said: ExportVerdict,
  clusters: readonly string[],
  missing: readonly string[],
  others: number,
): Pick<Issue<Code>, 'code' | 'path' | 'params'> {
  const total = said.importers.length
  if (total > 0 && missing.length === 0) return { code: 'Exported', path: '', params: { clusters: listed(clusters) } }
  if (total > 0)
    return { code: 'Exporting', path: '', params: { count: total - missing.length, total, missing: listed(missing) } }
  const full = said.issues.find(({ code }) => code === 'ImportFull')
  if (full !== undefined) return full
  // Only an export that other clusters can reach is told about conflicts.
  const conflict = said.status.conditions.find(({ type }) => type === 'Conflict')
  if (conflict === undefined) return { code: 'NotExported', path: '' }
  const outvoted = conflict.reason === 'PortConflict' && others > 0
  return { code: outvoted ? 'Outvoted' : 'NoImporter', path: '' }
}

/** Keys as a message names them. */
export function listed(keys: readonly string[]): string {
  const rest = keys.length - MOST_NAMED
  return [...keys.slice(0, MOST_NAMED), ...(rest > 0 ? [`${rest} more`] : [])].join(', ')
}
