import type { Service, ServicePort } from '../api/core.ts'
import type { McsExport } from '../api/mcs.ts'
import type { ServiceExport } from '../api/service-export.ts'
import type { Door } from '../api/service-import.ts'
import { declaredExports } from '../compiler/doors.ts'
import { byKey, keyOf, oldestFirst } from '../compiler/keys.ts'
import { LastAnswers } from '../compiler/memo.ts'
import { type Offer, offersOf } from '../compiler/offers.ts'
import { by, compare } from '../compiler/order.ts'
import { globalIn } from './global-services.ts'
import { type Properties, propertiesOf } from './properties.ts'
import type { Site } from './site.ts'

/** What one cluster holds of the exports and Services of the set, in any order. */
export interface Member {
  /** Name of its Cluster object. */
  readonly cluster: string
  readonly exports: readonly ServiceExport[]
  readonly services: readonly Service[]
  readonly mcsExports?: readonly McsExport[]
  /** Whether its Services are shared by annotation. */
  readonly globalServices?: boolean
  /** Of those services for which anybody has to know. */
  readonly backends?: Backends
}

/**
 * How many endpoints are ready, by service (ns/name) and by the name of its port, empty for one without. What is not in it
 * is not known; a service without slices is, and has no port. What has not changed is the very same value.
 */
export type Backends = Readonly<Record<string, Readonly<Record<string, number>>>>

/** One cluster's export of a service, and what other clusters can have of it. */
export interface Constituent {
  readonly site: Site
  /** namespace/name */
  readonly service: string
  readonly offer: Offer
  /** Through which the cluster offers it; at least one, in the order of DOORS. */
  readonly doors: readonly Door[]
  /** Whether other clusters can have anything of it: otherwise it has no say in anything. */
  readonly says: boolean
  readonly headless: boolean
  /** Absent when it is not offered by a ServiceExport of ours, as nothing else says it. */
  readonly serviceAccountName?: string
  readonly sessionSticky?: boolean
  readonly properties: Properties
  /** What the gateway serves, sorted by port. */
  readonly ports: readonly OfferedPort[]
  /** Ports that are not TCP, sorted by port: part of services that the standard offers, though no gateway serves them. */
  readonly others: readonly OfferedPort[]
}

export interface OfferedPort {
  readonly port: number
  /** Empty when the port has none, which is a name like any other. */
  readonly name: string
  /** Absent when it is TCP. */
  readonly protocol?: 'UDP' | 'SCTP'
  readonly appProtocol?: string
  /** How many endpoints are ready; absent when that is not known. */
  readonly backends?: number
  /** Where the gateway serves it; absent when it is not HTTP. */
  readonly path?: string
}

/** A port as callers know it. */
const offered = (
  { port, name = '', protocol, appProtocol }: ServicePort,
  ready: Readonly<Record<string, number>> | undefined,
): OfferedPort => ({
  port,
  name,
  ...(protocol === undefined || protocol === 'TCP' ? {} : { protocol }),
  ...(appProtocol ? { appProtocol } : {}),
  ...(ready === undefined ? {} : { backends: ready[name] ?? 0 }),
})

/** Ports that can be imported: callers put the path in front of theirs, which a rule of type Exact never matches. */
const portsOf = (
  { rules, tcp }: Offer,
  ready: Readonly<Record<string, number>> | undefined,
): readonly OfferedPort[] => {
  // Of several paths to one port any will do, but always the same one.
  const prefixes = rules.filter(({ pathType }) => pathType === 'Prefix').sort((a, b) => compare(a.path, b.path))
  const ports = new Map<number, OfferedPort>()
  for (const { port, path } of prefixes) {
    if (!ports.has(port.port)) ports.set(port.port, { ...offered(port, ready), path })
  }
  for (const port of tcp) ports.set(port.port, offered(port, ready))
  return [...ports.values()].sort(by(({ port }) => port))
}

const perMember = new LastAnswers<Member, readonly Constituent[]>()
const perExports = new LastAnswers<object, readonly Offer[]>()
const perExport = new LastAnswers<Offer, Constituent>()

/** Endpoints come and go all the time: exports are not looked at for that. */
const offersIn = (member: Member): readonly Offer[] =>
  perExports.get(member.services, [member.exports, member.mcsExports, member.globalServices], () =>
    // Whether a member has an identity is for those to judge who call it.
    offersOf({ exports: oldestFirst(declaredExports(member)), services: byKey(member.services) }, true).filter(
      ({ object }) => !object.metadata.deletionTimestamp,
    ),
  )

/**
 * All exports of a cluster, useful or not, by age. One that is being deleted is gone already, so that its calls go
 * elsewhere while its gateway still serves them; its paths stay its own for as long as that.
 * What has not changed is the very same value again.
 */
export const constituentsOf = (site: Site, member: Member): readonly Constituent[] => {
  // By content: a Cluster's status changes all the time.
  const known = JSON.stringify(site)
  return perMember.get(member, [known], () =>
    offersIn(member).map((offer) => {
      const ready = member.backends?.[keyOf(offer.object)]
      return perExport.get(offer, [known, ready], () => constituentOf(site, offer, ready))
    }),
  )
}

const constituentOf = (site: Site, offer: Offer, ready: Readonly<Record<string, number>> | undefined): Constituent => {
  const { object, service } = offer
  const { doors, standard, spec } = object
  const headless = service?.spec.clusterIP === 'None'
  const ports = portsOf(offer, ready)
  const others = offer.others.map((port) => offered(port, ready))
  const isOurs = doors.includes('ServiceExport')
  return {
    site,
    service: keyOf(object),
    offer,
    doors,
    says: ports.length > 0 || (standard !== undefined && (others.length > 0 || headless)),
    headless,
    ...(isOurs
      ? { serviceAccountName: spec.serviceAccountName ?? '*', sessionSticky: spec.sessionSticky ?? false }
      : {}),
    properties: propertiesOf(service, standard),
    ports,
    others,
  }
}

/**
 * Whether a cluster is among those that an export is for. No cluster is for itself.
 * @param sharing names of the clusters whose own Service of that name is shared by annotation
 */
export const isFor = (
  { site, offer, doors }: Constituent,
  { name, clusterKey }: Site,
  sharing: ReadonlySet<string>,
): boolean => {
  if (clusterKey === site.clusterKey) return false
  if (doors.every((door) => door === 'GlobalService')) return sharing.has(name)
  const { targetClusters = [] } = offer.object.spec
  return targetClusters.length === 0 || targetClusters.includes(clusterKey)
}

const NOBODY: ReadonlySet<string> = new Set()

/**
 * Names of the clusters whose own Service is shared by annotation, which counts on both sides.
 * @param all exports of one service
 */
export const sharingOf = (all: readonly Constituent[], members: readonly Member[]): ReadonlySet<string> => {
  const [first] = all
  if (first === undefined || !all.some(({ doors }) => doors.includes('GlobalService'))) return NOBODY
  return new Set(
    members
      .filter(({ globalServices, services }) => globalServices && globalIn(services).has(first.service))
      .map(({ cluster }) => cluster),
  )
}
