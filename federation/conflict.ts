import type { FEDERATION } from '../api/diagnostics/federation.ts'
import type { STANDARD } from '../api/diagnostics/standard.ts'
import type { Issue, ObjectRef } from '../api/issue.ts'
import { spokenAt } from '../compiler/protocol.ts'
import type { Constituent, OfferedPort } from './constituent.ts'
import type { Properties } from './properties.ts'
import { portLabel, type Resolution, type ResolvedPort } from './resolve.ts'

type FederationIssue = Issue<keyof typeof FEDERATION | keyof typeof STANDARD>

/** What the exporters of a service disagree about. Every one of them is told the same. */
export type Conflict = Pick<FederationIssue, 'code' | 'path' | 'params'>

/** Clusters, and differences, that a message names before it only counts them. */
const MOST_NAMED = 3
const MOST_DIFFERENCES = 8

/** What has no say in a property has no value of it. */
type Property = (constituent: Constituent) => unknown

export const conflictsOf = (resolution: Resolution): readonly Conflict[] => {
  const { constituents, headless, standard } = resolution
  const [oldest] = constituents
  if (!oldest) return []
  const conflict = (
    code: Conflict['code'],
    path: string,
    of: Property,
    details: Readonly<Record<string, string>>,
  ): readonly Conflict[] => {
    const winner = constituents.find((each) => of(each) !== undefined)
    const other = (each: Constituent) => of(each) !== undefined && of(each) !== of(winner as Constituent)
    const count = constituents.filter(other).length
    if (winner === undefined || count === 0) return []
    return [{ code, path, params: { count, total: constituents.length, winner: winner.site.clusterKey, ...details } }]
  }
  const type = oldest.headless ? 'headless' : 'an ordinary one'
  const effect = headless
    ? 'callers get the addresses of its pods in any case'
    : 'callers get one address for all of them in any case'
  const account = resolution.serviceAccountName
  const sticky = resolution.sessionSticky ? 'stay' : 'do not stay'
  const portsOf = (each: Constituent) =>
    JSON.stringify((standard ? [...each.ports, ...each.others] : each.ports).map(meaningOf))
  return [
    ...conflict('PortConflict', standard ? '' : 'spec.rules', portsOf, {
      what: atMost(MOST_DIFFERENCES, portDifferences(resolution), '; '),
    }),
    ...conflict('TypeConflict', '', (each) => each.headless, { type, effect }),
    ...conflict('ServiceAccountConflict', 'spec.serviceAccountName', (each) => each.serviceAccountName, { account }),
    ...conflict('SessionStickyConflict', 'spec.sessionSticky', (each) => each.sessionSticky, { sticky }),
    ...(standard === undefined ? [] : standardConflicts(constituents, standard, conflict)),
  ]
}

/** Those that the standard has reasons for, beside ports and type. */
const standardConflicts = (
  constituents: readonly Constituent[],
  merged: Properties,
  conflict: (
    code: Conflict['code'],
    path: string,
    of: Property,
    details: Readonly<Record<string, string>>,
  ) => readonly Conflict[],
): readonly Conflict[] => {
  const of =
    (property: (properties: Properties) => unknown): Property =>
    ({ properties }) =>
      property(properties)
  const { sessionAffinity, sessionAffinitySeconds: seconds, internalTrafficPolicy, words } = merged
  const closeness = merged.trafficDistribution ?? 'unset'
  const families = merged.ipFamilies.join(', ')
  const apart = constituents.some(
    ({ properties: { ipFamilies } }) => ipFamilies.length > 0 && !ipFamilies.some((each) => families.includes(each)),
  )
  const wordsIn = (all: Readonly<Record<string, string>> = {}) =>
    atMost(
      MOST_DIFFERENCES,
      Object.entries(all).map(([name, value]) => `${name}=${value}`),
      ', ',
    ) || 'none'
  return [
    ...conflict(
      'SessionAffinityConflict',
      '',
      of((each) => each.sessionAffinity),
      { value: sessionAffinity },
    ),
    ...(seconds === undefined
      ? []
      : conflict(
          'SessionAffinityConfigConflict',
          '',
          of((each) => each.sessionAffinitySeconds),
          { value: `${seconds}` },
        )),
    ...conflict(
      'InternalTrafficPolicyConflict',
      '',
      of((each) => each.internalTrafficPolicy),
      {
        value: internalTrafficPolicy,
      },
    ),
    ...conflict(
      'TrafficDistributionConflict',
      '',
      of((each) => meantBy(each.trafficDistribution)),
      {
        value: closeness,
      },
    ),
    ...(apart
      ? conflict(
          'IPFamilyConflict',
          '',
          of(({ ipFamilies }) => ipFamilies.join(', ') || undefined),
          {
            value: families,
          },
        )
      : []),
    ...conflict(
      'LabelsConflict',
      '',
      of((each) => each.words && JSON.stringify(each.words.labels)),
      {
        value: wordsIn(words?.labels),
      },
    ),
    ...conflict(
      'AnnotationsConflict',
      '',
      of((each) => each.words && JSON.stringify(each.words.annotations)),
      {
        value: wordsIn(words?.annotations),
      },
    ),
  ]
}

/** Two names of one thing: the older is deprecated. */
const meantBy = (trafficDistribution = ''): string =>
  trafficDistribution === 'PreferClose' ? 'PreferSameZone' : trafficDistribution

/** The conflicts as an object of one of the exporters is told them, or that there is none. */
export const tell = (
  object: ObjectRef,
  conflicts: readonly Conflict[],
  total: number,
): readonly [FederationIssue, ...FederationIssue[]] => {
  const [first, ...rest] = conflicts.map((conflict): FederationIssue => ({ ...conflict, object }))
  return first ? [first, ...rest] : [{ code: 'NoConflicts', object, path: '', params: { total } }]
}

/** What callers of a port go by; where its gateway serves it is the exporter's own affair. */
const meaningOf = (port: OfferedPort) => [portLabel(port), port.name, spokenAt(port)]

const portDifferences = ({ constituents, ports, leftOut, crowdedOut }: Resolution): readonly string[] => [
  ...ports.flatMap((port) => {
    const offering = new Set(
      [
        ...port.offers,
        ...port.strangers,
        ...crowdedOut.filter(({ offered }) => portLabel(offered) === portLabel(port)),
      ].map((offer) => offer.by),
    )
    const missing = constituents.filter((each) => !offering.has(each))
    return [
      ...(missing.length === 0 ? [] : [`port ${portLabel(port)} is not in ${listed(missing)}`]),
      ...otherwise(port, ({ name }) => nameOf(name), 'has'),
      ...otherwise(port, spokenAt, 'speaks'),
    ]
  }),
  ...leftOut.map(
    ({ by, offered, instead }) =>
      `port ${portLabel(offered)} in ${by.site.clusterKey} is left out, as ${nameOf(offered.name)} is port ${instead}`,
  ),
]

const nameOf = (name: string): string => (name === '' ? 'no name' : `name ${name}`)

/** What others say of a port than the oldest that serves it. */
const otherwise = (port: ResolvedPort, of: (offered: OfferedPort) => string, verb: string): readonly string[] => {
  const [first, ...others] = [...port.offers, ...port.strangers]
  if (!first) return []
  const decided = of(first.offered)
  const dissenters = new Map<string, Constituent[]>()
  for (const { by, offered } of others) {
    const said = of(offered)
    if (said !== decided) dissenters.set(said, [...(dissenters.get(said) ?? []), by])
  }
  return [...dissenters].map(
    ([said, by]) =>
      `port ${portLabel(port)} ${verb} ${decided} as in ${first.by.site.clusterKey}, not ${said} as in ${listed(by)}`,
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
