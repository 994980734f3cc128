import type { FEDERATION } from '../api/diagnostics/federation.ts'
import type { Issue } from '../api/issue.ts'
import { referenceOf } from '../compiler/conditions.ts'
import { spokenAt } from '../compiler/protocol.ts'
import type { Constituent, OfferedPort } from './constituent.ts'
import type { Resolution, ResolvedPort } from './resolve.ts'

type FederationIssue = Issue<keyof typeof FEDERATION>

/** What the exporters of a service disagree about. Every one of them is told the same. */
export type Conflict = Pick<FederationIssue, 'code' | 'path' | 'params'>

/** Clusters, and differences, that a message names before it only counts them. */
const MOST_NAMED = 3
const MOST_DIFFERENCES = 8

export const conflictsOf = (resolution: Resolution): readonly Conflict[] => {
  const { constituents } = resolution
  const [oldest] = constituents
  if (!oldest) return []
  const conflict = (
    code: Conflict['code'],
    path: string,
    of: (constituent: Constituent) => unknown,
    details: Readonly<Record<string, string>>,
  ): readonly Conflict[] => {
    const count = constituents.filter((each) => of(each) !== of(oldest)).length
    if (count === 0) return []
    return [{ code, path, params: { count, total: constituents.length, winner: oldest.site.clusterKey, ...details } }]
  }
  const type = oldest.headless ? 'headless' : 'an ordinary one'
  const account = oldest.serviceAccountName
  const sticky = oldest.sessionSticky ? 'stay' : 'do not stay'
  return [
    ...conflict('PortConflict', 'spec.rules', ({ ports }) => JSON.stringify(ports.map(meaningOf)), {
      what: atMost(MOST_DIFFERENCES, portDifferences(resolution), '; '),
    }),
    ...conflict('TypeConflict', '', ({ headless }) => headless, { type }),
    ...conflict('ServiceAccountConflict', 'spec.serviceAccountName', (each) => each.serviceAccountName, { account }),
    ...conflict('SessionStickyConflict', 'spec.sessionSticky', (each) => each.sessionSticky, { sticky }),
  ]
}

/** The conflicts as one of the exporters is told them, or that there is none. */
export const tell = (
  { offer }: Constituent,
  conflicts: readonly Conflict[],
  total: number,
): readonly [FederationIssue, ...FederationIssue[]] => {
  const object = referenceOf(offer.object)
  const [first, ...rest] = conflicts.map((conflict): FederationIssue => ({ ...conflict, object }))
  return first ? [first, ...rest] : [{ code: 'NoConflicts', object, path: '', params: { total } }]
}

/** What callers of a port go by; where its gateway serves it is the exporter's own affair. */
const meaningOf = (port: OfferedPort) => [port.port, port.name, spokenAt(port)]

const portDifferences = ({ constituents, ports, leftOut, crowdedOut }: Resolution): readonly string[] => [
  ...ports.flatMap((port) => {
    const offering = new Set(
      [...port.offers, ...port.strangers, ...crowdedOut.filter(({ offered }) => offered.port === port.port)].map(
        (offer) => offer.by,
      ),
    )
    const missing = constituents.filter((each) => !offering.has(each))
    return [
      ...(missing.length === 0 ? [] : [`port ${port.port} is not in ${listed(missing)}`]),
      ...otherwise(port, ({ name }) => nameOf(name), 'has'),
      ...otherwise(port, spokenAt, 'speaks'),
    ]
  }),
  ...leftOut.map(
    ({ by, offered, instead }) =>
      `port ${offered.port} in ${by.site.clusterKey} is left out, as ${nameOf(offered.name)} is port ${instead}`,
  ),
]

const nameOf = (name: string): string => (name === '' ? 'no name' : `name ${name}`)

/** What others say of a port than the oldest that serves it. */
const otherwise = (
  { port, offers, strangers }: ResolvedPort,
  of: (offered: OfferedPort) => string,
  verb: string,
): readonly string[] => {
  const [first, ...others] = [...offers, ...strangers]
  if (!first) return []
  const decided = of(first.offered)
  const dissenters = new Map<string, Constituent[]>()
  for (const { by, offered } of others) {
    const said = of(offered)
    if (said !== decided) dissenters.set(said, [...(dissenters.get(said) ?? []), by])
  }
  return [...dissenters].map(
    ([said, by]) =>
      `port ${port} ${verb} ${decided} as in ${first.by.site.clusterKey}, not ${said} as in ${listed(by)}`,
  )
}

const listed = (constituents: readonly Constituent[]): string =>
  atMost(
    MOST_NAMED,
    constituents.map(({ site }) => site.clusterKey),
    ', ',
  )

const atMost = (most: number, texts: readonly string[], separator: string): string => {
  const rest = texts.length - most
  return [...texts.slice(0, most), ...(rest > 0 ? [`${rest} more`] : [])].join(separator)
}
