import type { Service } from '../api/core.ts'
import type { McsExport } from '../api/mcs.ts'
import type { ServiceExport } from '../api/service-export.ts'
import { declaredExports } from '../compiler/doors.ts'
import { byKey, keyOf, oldestFirst } from '../compiler/keys.ts'
import { LastAnswers } from '../compiler/memo.ts'
import { type Offer, offersOf } from '../compiler/offers.ts'
import { by, compare } from '../compiler/order.ts'
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
  readonly headless: boolean
  readonly serviceAccountName: string
  readonly sessionSticky: boolean
  /** Sorted by port. None when the export is no use to other clusters: then it has no say in anything. */
  readonly ports: readonly OfferedPort[]
}

export interface OfferedPort {
  readonly port: number
  /** Empty when the port has none, which is a name like any other. */
  readonly name: string
  readonly appProtocol?: string
  /** Where the gateway serves it; absent when it is not HTTP. */
  readonly path?: string
}

/** Ports that can be imported: callers put the path in front of theirs, which a rule of type Exact never matches. */
const portsOf = ({ rules, tcp }: Offer): readonly OfferedPort[] => {
  // Of several paths to one port any will do, but always the same one.
  const prefixes = rules.filter(({ pathType }) => pathType === 'Prefix').sort((a, b) => compare(a.path, b.path))
  const ports = new Map<number, OfferedPort>()
  for (const { port, path } of prefixes) {
    const { port: number, name = '', appProtocol } = port
    if (!ports.has(number)) ports.set(number, { port: number, name, ...(appProtocol ? { appProtocol } : {}), path })
  }
  for (const { port, name = '', appProtocol } of tcp) {
    ports.set(port, { port, name, ...(appProtocol ? { appProtocol } : {}) })
  }
  return [...ports.values()].sort(by(({ port }) => port))
}

const perMember = new LastAnswers<Member, readonly Constituent[]>()
const perExport = new LastAnswers<ServiceExport, Constituent>()

/**
 * All exports of a cluster, useful or not, by age. One that is being deleted is gone already, so that its calls go
 * elsewhere while its gateway still serves them; its paths stay its own for as long as that.
 * What has not changed is the very same value again.
 */
export const constituentsOf = (site: Site, member: Member): readonly Constituent[] => {
  // By content: a Cluster's status changes all the time.
  const known = JSON.stringify(site)
  return perMember.get(member, [known], () =>
    // Whether a member has an identity is for those to judge who call it.
    offersOf({ exports: oldestFirst(declaredExports(member)), services: byKey(member.services) }, true)
      .filter(({ object }) => !object.metadata.deletionTimestamp)
      .map((offer) => {
        const { object, service, rules, tcp, faults, remarks } = offer
        // Rules and faults are made of other exports too, which may want the same path.
        const parts = [known, service, JSON.stringify([rules, tcp, faults, remarks])]
        return perExport.get(object, parts, () => constituentOf(site, offer))
      }),
  )
}

const constituentOf = (site: Site, offer: Offer): Constituent => ({
  site,
  service: keyOf(offer.object),
  offer,
  headless: offer.service?.spec.clusterIP === 'None',
  serviceAccountName: offer.object.spec.serviceAccountName ?? '*',
  sessionSticky: offer.object.spec.sessionSticky ?? false,
  ports: portsOf(offer),
})

/** Whether a cluster is among those that an export is for. No cluster is for itself. */
export const isFor = ({ site, offer }: Constituent, { clusterKey }: Site): boolean => {
  const { targetClusters = [] } = offer.object.spec
  return clusterKey !== site.clusterKey && (targetClusters.length === 0 || targetClusters.includes(clusterKey))
}
