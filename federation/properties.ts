import type { Service } from '../api/core.ts'
import type { McsExport } from '../api/mcs.ts'
import { unique } from '../compiler/order.ts'
import { type Words, wordsOf } from './words.ts'

const FAMILIES = ['IPv4', 'IPv6'] as const
type Family = (typeof FAMILIES)[number]

/** What the standard merges of a service beside its type and ports; what is unset is what the API server would take it for. */
export interface Properties {
  readonly sessionAffinity: 'None' | 'ClientIP'
  /** How long a session lasts; of ClientIP alone. */
  readonly sessionAffinitySeconds?: number
  readonly internalTrafficPolicy: 'Cluster' | 'Local'
  readonly trafficDistribution?: string
  /** As the Service has them; none when that is not known. */
  readonly ipFamilies: readonly Family[]
  /** Absent in a cluster that does not offer the service by the standard, and so has no say in them. */
  readonly words?: Words
}

/** As in Kubernetes. */
const SESSION_SECONDS = 10_800
const MOST_SECONDS = 86_400

export const propertiesOf = (service: Service | undefined, standard: McsExport | undefined): Properties => {
  const { sessionAffinity, sessionAffinityConfig, internalTrafficPolicy, trafficDistribution, ipFamilies } =
    service?.spec ?? {}
  const isSticky = sessionAffinity === 'ClientIP'
  const seconds = sessionAffinityConfig?.clientIP?.timeoutSeconds ?? SESSION_SECONDS
  const isPossible = Number.isInteger(seconds) && seconds >= 1 && seconds <= MOST_SECONDS
  const listed: readonly unknown[] = Array.isArray(ipFamilies) ? ipFamilies : []
  return {
    sessionAffinity: isSticky ? 'ClientIP' : 'None',
    ...(isSticky ? { sessionAffinitySeconds: isPossible ? seconds : SESSION_SECONDS } : {}),
    internalTrafficPolicy: internalTrafficPolicy === 'Local' ? 'Local' : 'Cluster',
    ...(typeof trafficDistribution === 'string' && trafficDistribution.length <= 253 ? { trafficDistribution } : {}),
    ipFamilies: unique(
      listed.filter((each): each is Family => FAMILIES.some((family) => family === each)),
      (each) => each,
    ),
    ...(standard === undefined ? {} : { words: wordsOf(standard) }),
  }
}

/** What all of them have; what the first has when there is no such family. Those that are not known have no say. */
export const commonFamilies = (all: readonly Properties[]): readonly Family[] => {
  const known = all.map(({ ipFamilies }) => ipFamilies).filter((each) => each.length > 0)
  const [first = []] = known
  const common = first.filter((family) => known.every((each) => each.includes(family)))
  return common.length > 0 ? common : first
}
