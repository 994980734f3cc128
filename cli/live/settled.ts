import type { Cluster } from '../../api/cluster.ts'
import { formatProblem } from '../../api/diagnostics.ts'
import { referenceOf } from '../../compiler/conditions.ts'
import { createdAt } from '../../compiler/keys.ts'
import { spokenAt } from '../../compiler/protocol.ts'
import { conflictsOf } from '../../federation/conflict.ts'
import { type Constituent, constituentsOf, isFor, type Member, sharingOf } from '../../federation/constituent.ts'
import { type Resolution, resolve } from '../../federation/resolve.ts'
import { sitesOf } from '../../federation/site.ts'

/** What the hub makes of all exports of one service. */
export interface Settled {
  /** What people call the hub. */
  readonly hub: string
  /** The oldest first: it decides. */
  readonly exporters: readonly SettledExporter[]
  /** Each property with the cluster whose export decides it. */
  readonly properties: readonly { readonly property: string; readonly value: string; readonly decidedBy: string }[]
  /** What exporters disagree about, in sentences. */
  readonly conflicts: readonly string[]
}

export interface SettledExporter {
  readonly clusterKey: string
  /** When the export was created, RFC 3339. */
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
      since: createdAt(each.offer.object),
      ...uselessness(each),
      importers: each.says ? sites.filter((site) => isFor(each, site, sharing)).map((site) => site.clusterKey) : [],
    })),
    properties: propertiesOf(resolution),
    conflicts: conflictsOf(resolution).map((conflict) =>
      formatProblem({ ...conflict, object: referenceOf(first.offer.object), path: '' }),
    ),
  }
}

function uselessness({ says, offer }: Constituent): Pick<SettledExporter, 'useless'> {
  if (says) return {}
  return { useless: [...offer.faults, ...offer.remarks].map(formatProblem).join(' ') }
}

function propertiesOf({ constituents, ports, serviceAccountName, sessionSticky }: Resolution): Settled['properties'] {
  const [oldest] = constituents
  if (oldest === undefined) return []
  const { clusterKey } = oldest.site
  return [
    ...ports.map((port) => ({
      property: `port ${port.port}`,
      value: [port.name === '' ? 'without a name' : `named ${port.name}`, `speaks ${spokenAt(port)}`].join(', '),
      decidedBy: port.offers[0]?.by.site.clusterKey ?? clusterKey,
    })),
    { property: 'type', value: oldest.headless ? 'headless' : 'ordinary', decidedBy: clusterKey },
    { property: 'serviceAccountName', value: serviceAccountName, decidedBy: clusterKey },
    { property: 'sessionSticky', value: String(sessionSticky), decidedBy: clusterKey },
  ]
}
