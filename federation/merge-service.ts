import type { Code } from '../api/diagnostics.ts'
import type { Issue } from '../api/issue.ts'
import type { Door, ServiceImport } from '../api/service-import.ts'
import { referenceOf } from '../compiler/conditions.ts'
import { exportReference } from '../compiler/doors.ts'
import { keyNow } from '../compiler/key-now.ts'
import { by } from '../compiler/order.ts'
import type { ObjectStatus } from '../compiler/tables.ts'
import { conflictsOf, tell } from './conflict.ts'
import { type Constituent, isFor } from './constituent.ts'
import { importsOf } from './import.ts'
import { portLabel, type Resolution, resolve } from './resolve.ts'
import { ROOM, roomInWords } from './room.ts'
import type { Site } from './site.ts'
import { standardVerdict, verdictOn } from './verdict.ts'

export interface MemberImports {
  /** Name of its Cluster object. */
  readonly cluster: string
  readonly clusterKey: string
  /** All that the cluster should import, by namespace and name. */
  readonly imports: readonly ServiceImport[]
}

export interface ExportVerdict {
  readonly cluster: string
  readonly clusterKey: string
  /**
   * `Valid`, and `Conflict` for one that other clusters can have something of. Of the ServiceExport; of a service that is
   * offered without one, of what offers it in its place: of a Service it is written nowhere.
   */
  readonly status: ObjectStatus
  /** The same of the standard's export, when that is a door of it, in the standard's words: all conflicts are the reason. */
  readonly standard?: ObjectStatus
  /** Through which the service is offered here, when ServiceExport is not the only one. */
  readonly doors?: readonly Door[]
  /** Keys of the clusters whose imports lead to it. */
  readonly importers: readonly string[]
  /** What its author should hear of. */
  readonly issues: readonly Issue<Code>[]
}

/** What one service of the set comes to. */
export interface MergedService {
  /** By clusterKey; only clusters that import it. */
  readonly imports: ReadonlyMap<string, ServiceImport>
  /** Sorted by clusterKey. */
  readonly exports: readonly ExportVerdict[]
}

/**
 * @param all exports of the service, one per cluster
 * @param sharing names of the clusters whose own Service of that name is shared by annotation
 */
export const mergeService = (
  service: string,
  all: readonly Constituent[],
  sites: readonly Site[],
  sharing: ReadonlySet<string>,
): MergedService => {
  const resolution = resolve(all)
  const conflicts = conflictsOf(resolution)
  const imports = importsOf(service, resolution, sites, sharing)

  const served = resolution.ports.filter(({ protocol }) => protocol === undefined)
  const used = new Set(served.flatMap(({ offers }) => offers.map((offer) => offer.by)))
  const total = resolution.constituents.length
  const exports = all.map((each): ExportVerdict => {
    const { site, offer, doors, says } = each
    const status = verdictOn(each, conflicts, total)
    const standard = standardVerdict(each, conflicts, total)
    const told = says && conflicts.length > 0 ? tell(exportReference(offer.object), conflicts, total) : []
    return {
      cluster: site.name,
      clusterKey: site.clusterKey,
      status: (doors[0] === 'MCS' ? standard : undefined) ?? status,
      ...(standard === undefined ? {} : { standard }),
      ...(doors.every((door) => door === 'ServiceExport') ? {} : { doors }),
      importers: used.has(each) ? sites.filter((other) => isFor(each, other, sharing)).map(clusterKeyOf) : [],
      issues: [
        ...offer.faults,
        ...offer.remarks,
        ...unusableWords(each),
        ...strangers(each, sites),
        ...crowdedOut(each, resolution),
        ...told,
      ],
    }
  })
  return { imports, exports: exports.sort(by(clusterKeyOf)) }
}

const clusterKeyOf = ({ clusterKey }: { readonly clusterKey: string }): string => clusterKey

/** What the standard's export asks for on imports and no import can have. */
const unusableWords = ({ offer: { object }, properties: { words } }: Constituent): readonly Issue<Code>[] => {
  const { standard } = object
  if (standard === undefined || words === undefined) return []
  return words.unusable.map(({ why, names }) => ({
    code: 'ExportedWordsUnusable',
    object: referenceOf(standard),
    path: 'spec',
    params: { names: names.join(', '), why },
  }))
}

/** Clusters that an export is for and that nobody knows. */
const strangers = ({ offer }: Constituent, sites: readonly Site[]): readonly Issue<Code>[] => {
  const known = sites.map(clusterKeyOf)
  return (offer.object.spec.targetClusters ?? []).flatMap((key, index): readonly Issue<Code>[] => {
    if (known.includes(key)) return []
    const at = { object: exportReference(offer.object), path: `spec.targetClusters[${index}]`, value: key }
    const now = keyNow(key, known)
    return [
      now === undefined
        ? { code: 'TargetClusterUnknown', ...at }
        : { code: 'ClusterKeyChanged', ...at, params: { now } },
    ]
  })
}

/** What the import has no room for of an export. */
const crowdedOut = (constituent: Constituent, resolution: Resolution): readonly Issue<Code>[] => {
  const out = resolution.crowdedOut.filter((offer) => offer.by === constituent).map(({ offered }) => portLabel(offered))
  if (out.length === 0) return []
  const params = { ports: out.join(', '), room: roomInWords(ROOM) }
  return [{ code: 'ImportFull', object: exportReference(constituent.offer.object), path: '', params }]
}
