import type { Cluster } from '../api/cluster.ts'
import type { Code } from '../api/diagnostics.ts'
import type { Issue } from '../api/issue.ts'
import type { ServiceImport } from '../api/service-import.ts'
import { referenceOf, statusOf, verdict } from '../compiler/conditions.ts'
import { LastAnswers } from '../compiler/memo.ts'
import { by } from '../compiler/order.ts'
import { exportStatus } from '../compiler/status.ts'
import type { ObjectStatus } from '../compiler/tables.ts'
import { conflictsOf, tell } from './conflict.ts'
import { type Constituent, constituentsOf, isFor, type Member } from './constituent.ts'
import { importsOf } from './import.ts'
import { type Resolution, resolve } from './resolve.ts'
import { ROOM, roomInWords } from './room.ts'
import { type Site, sitesOf } from './site.ts'

export interface Federation {
  /** One entry per cluster, also when it imports nothing; sorted by clusterKey. */
  readonly members: readonly MemberImports[]
  /** Every export of a cluster of the set, by service and clusterKey. */
  readonly exports: readonly ExportVerdict[]
}

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
  /** `Valid`, and `Conflict` for one that other clusters can import. */
  readonly status: ObjectStatus
  /** `Conflict` of the standard's object in the standard's words, when that is a door of it; `Valid` is the compiler's. */
  readonly standard?: ObjectStatus
  /** Keys of the clusters whose imports lead to it. */
  readonly importers: readonly string[]
  /** What its author should hear of. */
  readonly issues: readonly Issue<Code>[]
}

/**
 * Decides what each cluster of the set imports, and what is to be said of the exports. Pure and total; the order of
 * members, clusters and their objects changes no byte.
 *
 * @param members what the clusters export; one without a Cluster has left, and nothing of it is used
 * @param clusters who belongs to the set; one without a member imports all the same
 */
export const merge = (members: readonly Member[], clusters: readonly Cluster[]): Federation => {
  const sites = sitesOf(clusters)
  const memberOf = new Map(members.map((member) => [member.cluster, member]))
  const constituents = sites.flatMap((site) => {
    const member = memberOf.get(site.name)
    return member ? constituentsOf(site, member) : []
  })
  const services = [...groupBy(constituents, ({ service }) => service)].sort(by(([service]) => service))
  const known = JSON.stringify(sites)
  const merged = services.map(([service, all]) =>
    perService.get(all[0] ?? {}, [known, ...all], () => mergeService(service, all, sites)),
  )
  return {
    members: sites.map(({ name, clusterKey }) => ({
      cluster: name,
      clusterKey,
      imports: merged.flatMap(({ imports }) => imports.get(clusterKey) ?? []),
    })),
    exports: merged.flatMap(({ exports }) => exports),
  }
}

/** What a change has nothing to do with is not merged again. */
const perService = new LastAnswers<object, MergedService>()

interface MergedService {
  /** By clusterKey; only clusters that import it. */
  readonly imports: ReadonlyMap<string, ServiceImport>
  /** Sorted by clusterKey. */
  readonly exports: readonly ExportVerdict[]
}

const mergeService = (service: string, all: readonly Constituent[], sites: readonly Site[]): MergedService => {
  const resolution = resolve(all)
  const conflicts = conflictsOf(resolution)
  const imports = importsOf(service, resolution, sites)

  const used = new Set(resolution.ports.flatMap(({ offers }) => offers.map((offer) => offer.by)))
  const total = resolution.constituents.length
  const exports = all.map((each): ExportVerdict => {
    const { site, offer, ports } = each
    const told = tell(each, conflicts, total)
    const says = ports.length > 0
    const status = exportStatus(offer)
    const conflict = verdict('Conflict', conflicts.length > 0 ? 'True' : 'False', told)
    return {
      cluster: site.name,
      clusterKey: site.clusterKey,
      status: says
        ? { ...status, conditions: [...status.conditions, ...statusOf(offer.object, [conflict]).conditions] }
        : status,
      importers: used.has(each) ? sites.filter((other) => isFor(each, other)).map(clusterKeyOf) : [],
      issues: [
        ...offer.faults,
        ...offer.remarks,
        ...strangers(each, sites),
        ...crowdedOut(each, resolution),
        ...(says && conflicts.length > 0 ? told : []),
      ],
    }
  })
  return { imports, exports: exports.sort(by(clusterKeyOf)) }
}

const clusterKeyOf = ({ clusterKey }: { readonly clusterKey: string }): string => clusterKey

/** Clusters that an export is for and that nobody knows. */
const strangers = ({ offer }: Constituent, sites: readonly Site[]): readonly Issue<Code>[] => {
  const known = new Set(sites.map(clusterKeyOf))
  return (offer.object.spec.targetClusters ?? []).flatMap((key, index): readonly Issue<Code>[] => {
    if (known.has(key)) return []
    const path = `spec.targetClusters[${index}]`
    return [{ code: 'TargetClusterUnknown', object: referenceOf(offer.object), path, value: key }]
  })
}

/** What the import has no room for of an export. */
const crowdedOut = (constituent: Constituent, resolution: Resolution): readonly Issue<Code>[] => {
  const out = resolution.crowdedOut.filter((offer) => offer.by === constituent).map(({ offered }) => offered.port)
  if (out.length === 0) return []
  const params = { ports: out.join(', '), room: roomInWords(ROOM) }
  return [{ code: 'ImportFull', object: referenceOf(constituent.offer.object), path: '', params }]
}

const groupBy = <T>(items: readonly T[], key: (item: T) => string): ReadonlyMap<string, readonly T[]> => {
  const groups = new Map<string, T[]>()
  for (const item of items) {
    const group = groups.get(key(item))
    if (group) group.push(item)
    else groups.set(key(item), [item])
  }
  return groups
}
