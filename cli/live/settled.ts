import type { Cluster } from '../../api/cluster.ts'
import { formatProblem } from '../../api/diagnostics.ts'
import type { Door } from '../../api/service-import.ts'
import { exportReference } from '../../compiler/doors.ts'
import { createdAt } from '../../compiler/keys.ts'
import { spokenAt } from '../../compiler/protocol.ts'
import { conflictsOf } from '../../federation/conflict.ts'
import { type Constituent, constituentsOf, isFor, type Member, sharingOf } from '../../federation/constituent.ts'
import type { Properties } from '../../federation/properties.ts'
import { portLabel, type Resolution, resolve } from '../../federation/resolve.ts'
import { sitesOf } from '../../federation/site.ts'

/** What the hub makes of all exports of one service. */
export interface Settled {
  /** What people call the hub. */
  readonly hub: string
  /** The oldest first: it decides. */
  readonly exporters: readonly SettledExporter[]
  /** Each property with the cluster whose export decides it. */
  readonly properties: readonly SettledProperty[]
  /** What exporters disagree about, in sentences. */
  readonly conflicts: readonly string[]
}

export interface SettledProperty {
  readonly property: string
  readonly value: string
  /** Key of the cluster. */
  readonly decidedBy: string
  /** What says so there; absent when the Service itself does. */
  readonly door?: Door
}

export interface SettledExporter {
  readonly clusterKey: string
  /** Through which the service is offered there, in the order of DOORS. */
  readonly doors: readonly Door[]
  /** Which of them is the oldest. */
  readonly eldest: Door
  /** When that was created, RFC 3339. */
  readonly since: string
  /** Why no cluster can import it; absent when one can. */
  readonly useless?: string
  /** Keys of the clusters that it is for. */
  readonly importers: readonly string[]
}

export interface HubFacts {
  readonly hub: string
  readonly clusters: readonly Cluster[]
  /** What the hub last saw in each member. */
  readonly members: readonly Member[]
}

/** @returns undefined when no cluster of the set exports the service */
export function settledOf(service: string, { hub, clusters, members }: HubFacts): Settled | undefined {
  const sites = sitesOf(clusters)
  const memberOf = new Map(members.map((member) => [member.cluster, member]))
  const all = sites.flatMap((site) => {
    const member = memberOf.get(site.name)
    return member === undefined ? [] : constituentsOf(site, member).filter((each) => each.service === service)
  })
  const [first] = all
  if (first === undefined) return undefined
  const resolution = resolve(all)
  const sharing = sharingOf(all, members)
  const without = all.filter((each) => !resolution.constituents.includes(each))
  return {
    hub,
    exporters: [...resolution.constituents, ...without].map((each) => ({
      clusterKey: each.site.clusterKey,
      doors: each.doors,
      eldest: each.offer.object.eldest,
      since: createdAt(each.offer.object),
      ...uselessness(each),
      importers: each.says ? sites.filter((site) => isFor(each, site, sharing)).map((site) => site.clusterKey) : [],
    })),
    properties: propertiesOf(resolution),
    conflicts: conflictsOf(resolution).map((conflict) =>
      formatProblem({ ...conflict, object: exportReference(first.offer.object), path: '' }),
    ),
  }
}

function uselessness({ says, offer }: Constituent): Pick<SettledExporter, 'useless'> {
  if (says) return {}
  return { useless: [...offer.faults, ...offer.remarks].map(formatProblem).join(' ') }
}

function propertiesOf(resolution: Resolution): readonly SettledProperty[] {
  const { constituents, ports, serviceAccountName, sessionSticky, standard } = resolution
  const [oldest] = constituents
  if (oldest === undefined) return []
  const { clusterKey } = oldest.site
  const byDoor = (door: Door) => constituents.find(({ doors }) => doors.includes(door))?.site.clusterKey
  const ours = byDoor('ServiceExport')
  return [
    ...ports.map((port) => ({
      property: `port ${portLabel(port)}`,
      value: [port.name === '' ? 'without a name' : `named ${port.name}`, `speaks ${spokenAt(port)}`].join(', '),
      decidedBy: port.offers[0]?.by.site.clusterKey ?? clusterKey,
    })),
    { property: 'type', value: oldest.headless ? 'headless' : 'ordinary', decidedBy: clusterKey },
    ...(ours === undefined
      ? []
      : [
          { property: 'serviceAccountName', value: serviceAccountName },
          { property: 'sessionSticky', value: String(sessionSticky) },
        ].map((each) => ({ ...each, decidedBy: ours, door: 'ServiceExport' as const }))),
    ...(standard === undefined ? [] : standardProperties(standard, clusterKey, byDoor('MCS') ?? clusterKey)),
  ]
}

/** @param words who decides what imports are labelled and annotated with */
function standardProperties(
  { sessionAffinity, sessionAffinitySeconds, internalTrafficPolicy, trafficDistribution, ...rest }: Properties,
  oldest: string,
  words: string,
): readonly SettledProperty[] {
  const sticky = sessionAffinitySeconds === undefined ? '' : ` for ${sessionAffinitySeconds} s`
  const said = (all: Readonly<Record<string, string>> = {}) =>
    Object.entries(all)
      .map(([name, value]) => `${name}=${value}`)
      .join(', ') || 'none'
  return [
    { property: 'sessionAffinity', value: `${sessionAffinity}${sticky}`, decidedBy: oldest },
    { property: 'internalTrafficPolicy', value: internalTrafficPolicy, decidedBy: oldest },
    { property: 'trafficDistribution', value: trafficDistribution ?? 'unset', decidedBy: oldest },
    ...(rest.ipFamilies.length === 0
      ? []
      : [{ property: 'ipFamilies', value: rest.ipFamilies.join(', '), decidedBy: oldest }]),
    { property: 'labels', value: said(rest.words?.labels), decidedBy: words, door: 'MCS' },
    { property: 'annotations', value: said(rest.words?.annotations), decidedBy: words, door: 'MCS' },
  ]
}
