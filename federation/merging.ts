import type { Cluster } from '../api/cluster.ts'
import type { ServiceImport } from '../api/service-import.ts'
import { keyOf } from '../compiler/keys.ts'
import { type Constituent, constituentsOf, type Member, sharingOf } from './constituent.ts'
import { listDifference } from './differences.ts'
import { globalIn } from './global-services.ts'
import { type ExportVerdict, type MemberImports, type MergedService, mergeService } from './merge-service.ts'
import { type Site, sitesOf } from './site.ts'
import { withChanges } from './sorted-list.ts'

/** What is said of all exports of a service. */
export interface ServiceVerdicts {
  /** namespace/name */
  readonly service: string
  /** Sorted by clusterKey. */
  readonly exports: readonly ExportVerdict[]
}

export interface Merged {
  /** One entry per cluster, also when it imports nothing; sorted by clusterKey. */
  readonly members: readonly MemberImports[]
  /** Sorted by service. What has not changed is the very same value. */
  readonly services: readonly ServiceVerdicts[]
}

/** What one cluster of the set brings. */
interface Seat {
  readonly site: Site
  member: Member | undefined
  constituents: readonly Constituent[]
  /** The same by service. */
  readonly byService: Map<string, Constituent>
  /** Its own Services that are shared by annotation. */
  global: ReadonlySet<string>
}

const NOTHING: ReadonlySet<string> = new Set()

/**
 * Merges the same set again and again: only services of which a member has said something new since the last time are
 * merged. What comes out does not depend on what was merged before.
 */
export function createMerging(): (members: readonly Member[], clusters: readonly Cluster[]) => Merged {
  let known = ''
  let set = createSet([])
  return (members, clusters) => {
    const sites = sitesOf(clusters)
    const text = JSON.stringify(sites)
    // Who is there, and where, is part of every answer.
    if (text !== known) set = createSet(sites)
    known = text
    return set(new Map(members.map((member) => [member.cluster, member])))
  }
}

function createSet(sites: readonly Site[]): (members: ReadonlyMap<string, Member>) => Merged {
  const seats = sites.map(
    (site): Seat => ({
      site,
      member: undefined,
      constituents: [],
      byService: new Map(),
      global: NOTHING,
    }),
  )
  const merged = new Map<string, MergedService>()
  let services: readonly ServiceVerdicts[] = []
  let members = sites.map(({ name, clusterKey }): MemberImports => ({ cluster: name, clusterKey, imports: [] }))

  /** Takes note of what a member says now. Returns the services of which that is something new. */
  function seated(seat: Seat, member: Member | undefined): readonly string[] {
    if (seat.member === member) return []
    const constituents = member ? constituentsOf(seat.site, member) : []
    const { gone, come } = listDifference(seat.constituents, constituents)
    for (const { service } of gone) seat.byService.delete(service)
    for (const constituent of come) seat.byService.set(constituent.service, constituent)
    const global = member?.globalServices ? globalIn(member.services) : NOTHING
    const shared = global === seat.global ? [] : [...apart(global, seat.global), ...apart(seat.global, global)]
    seat.member = member
    seat.constituents = constituents
    seat.global = global
    return [...gone, ...come].map(({ service }) => service).concat(shared)
  }

  function mergeOne(service: string): MergedService | undefined {
    const all = seats.flatMap(({ byService }) => byService.get(service) ?? [])
    if (all.length === 0) return undefined
    const sharing = sharingOf(
      all,
      seats.flatMap(({ member }) => member ?? []),
    )
    return mergeService(service, all, sites, sharing)
  }

  return (all) => {
    const stirred = new Set(seats.flatMap((seat) => seated(seat, all.get(seat.site.name))))
    const verdicts = new Map<string, ServiceVerdicts | undefined>()
    const imports = new Map(sites.map(({ clusterKey }) => [clusterKey, new Map<string, ServiceImport | undefined>()]))
    for (const service of stirred) {
      const before = merged.get(service)
      const now = mergeOne(service)
      if (now === undefined) merged.delete(service)
      else merged.set(service, now)
      verdicts.set(service, now && { service, exports: now.exports })
      for (const [clusterKey, changes] of imports) {
        const wanted = now?.imports.get(clusterKey)
        if (wanted !== before?.imports.get(clusterKey)) changes.set(service, wanted)
      }
    }
    services = withChanges(services, verdicts, ({ service }) => service)
    members = members.map((member) => {
      const changes = imports.get(member.clusterKey)
      if (changes === undefined || changes.size === 0) return member
      return { ...member, imports: withChanges(member.imports, changes, keyOf) }
    })
    return { members, services }
  }
}

/** Those of one that are not of the other. */
const apart = (one: ReadonlySet<string>, other: ReadonlySet<string>): readonly string[] =>
  [...one].filter((item) => !other.has(item))
