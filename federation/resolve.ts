import { DOORS, type Door } from '../api/service-import.ts'
import { createdAt } from '../compiler/keys.ts'
import { by } from '../compiler/order.ts'
import { isStream } from '../compiler/protocol.ts'
import type { Constituent, OfferedPort } from './constituent.ts'
import { commonFamilies, type Properties } from './properties.ts'
import { bytesOf, ROOM, type Room } from './room.ts'

/** One service of the clusterset, as all clusters agree to see it. */
export interface Resolution {
  /** Those with a say, the oldest export first, of the same second by the cluster's name. */
  readonly constituents: readonly Constituent[]
  /** Through which any of them offers it, in the order of {@link DOORS}. */
  readonly doors: readonly Door[]
  /** Whether callers get the addresses of pods instead of one for all; never where no door is the standard's. */
  readonly headless: boolean
  /** Present when a door is the standard's. */
  readonly standard?: Properties
  /** The union of their ports, sorted by port and protocol. Only TCP where no door is the standard's. */
  readonly ports: readonly ResolvedPort[]
  readonly serviceAccountName: string
  readonly sessionSticky: boolean
  /** Ports that are no part of the union, because an older export means another port by their name. */
  readonly leftOut: readonly LeftOut[]
  /** What an import has no room for after all that is older. */
  readonly crowdedOut: readonly PortOffer[]
}

export interface ResolvedPort extends Pick<OfferedPort, 'port' | 'name' | 'protocol' | 'appProtocol'> {
  /** Those that serve the port, the oldest first: the first decides what it is called and what it speaks. */
  readonly offers: readonly PortOffer[]
  /** Those that speak HTTP where the first does not, or the other way round: nobody can call them. */
  readonly strangers: readonly PortOffer[]
}

export interface PortOffer {
  readonly by: Constituent
  readonly offered: OfferedPort
  /** How many endpoints are ready, where that is for callers to know. */
  readonly backends?: number
}

export interface LeftOut extends PortOffer {
  /** Port that has the name, as {@link portLabel} writes it. */
  readonly instead: string
}

/** `80`; `53/UDP` when it is not TCP. */
export const portLabel = ({ port, protocol }: Pick<OfferedPort, 'port' | 'protocol'>): string =>
  protocol === undefined ? `${port}` : `${port}/${protocol}`

const byAge = by<Constituent>(
  ({ offer }) => createdAt(offer.object),
  ({ site }) => site.name,
)

/**
 * Settles what exporters of one service disagree about: each property is the oldest export's that has it (KEP-1645).
 * What a port number and a port name mean is the same in every cluster, whoever may import what.
 *
 * @param all exports of one service, one per cluster, at least one of them with a port
 * @param room of an import; who may import what plays no part in it
 */
export const resolve = (all: readonly Constituent[], room: Room = ROOM): Resolution => {
  const constituents = all.filter(({ says }) => says).sort(byAge)
  const doors = DOORS.filter((door) => constituents.some((each) => each.doors.includes(door)))
  const isStandard = doors.includes('MCS')
  const isCounted = doors.some((door) => door !== 'ServiceExport')
  const ports = new Map<string, PortOffer[]>()
  const named = new Map<string, string>()
  const leftOut: LeftOut[] = []
  const crowdedOut: PortOffer[] = []
  let bytes = 0
  for (const constituent of constituents) {
    for (const { backends, ...offered } of isStandard ? allPorts(constituent) : constituent.ports) {
      const offer = {
        by: constituent,
        offered,
        ...(isCounted && backends !== undefined ? { backends } : {}),
      }
      const label = portLabel(offered)
      const known = ports.get(label)
      const instead = named.get(offered.name)
      if (!known && instead !== undefined) {
        leftOut.push({ ...offer, instead })
        continue
      }
      // Once there is no room for one, there is none for anything younger, be it ever so small.
      bytes += bytesOf(offer)
      const full = bytes > room.bytes || (known ? known.length >= room.endpoints : ports.size >= room.ports)
      if (full) crowdedOut.push(offer)
      else if (known) known.push(offer)
      else {
        ports.set(label, [offer])
        named.set(offered.name, label)
      }
    }
  }
  return {
    constituents,
    doors,
    headless: isStandard && (constituents[0]?.headless ?? false),
    ...(isStandard ? { standard: standardOf(constituents) } : {}),
    ports: [...ports.values()].map((offers) => ({ ...decided(offers), ...apart(offers) })).sort(byNumber),
    serviceAccountName: firstOf(constituents, (each) => each.serviceAccountName) ?? '*',
    sessionSticky: firstOf(constituents, (each) => each.sessionSticky) ?? false,
    leftOut,
    crowdedOut,
  }
}

const byNumber = by<Pick<OfferedPort, 'port' | 'protocol'>>(
  ({ port }) => port,
  ({ protocol = 'TCP' }) => protocol,
)

const allPorts = ({ ports, others }: Constituent): readonly OfferedPort[] => [...ports, ...others].sort(byNumber)

/** What the first says that says anything. */
const firstOf = <T>(constituents: readonly Constituent[], of: (constituent: Constituent) => T | undefined) => {
  for (const each of constituents) {
    const said = of(each)
    if (said !== undefined) return said
  }
  return undefined
}

const standardOf = (constituents: readonly Constituent[]): Properties => {
  const all = constituents.map(({ properties }) => properties)
  const { words: _, ...oldest } = all[0] as Properties
  const words = firstOf(constituents, ({ properties }) => properties.words)
  return { ...oldest, ipFamilies: commonFamilies(all), ...(words === undefined ? {} : { words }) }
}

const decided = ([first]: readonly PortOffer[]): Pick<ResolvedPort, 'port' | 'name' | 'protocol' | 'appProtocol'> => {
  const { port = 0, name = '', protocol, appProtocol } = first?.offered ?? {}
  return {
    port,
    name,
    ...(protocol === undefined ? {} : { protocol }),
    ...(appProtocol === undefined ? {} : { appProtocol }),
  }
}

const apart = (offers: readonly PortOffer[]): Pick<ResolvedPort, 'offers' | 'strangers'> => {
  // Of what no gateway serves nothing is carried in one way or another.
  if (offers[0]?.offered.protocol !== undefined) return { offers, strangers: [] }
  const kind = offers[0] && isStream(offers[0].offered)
  return {
    offers: offers.filter(({ offered }) => isStream(offered) === kind),
    strangers: offers.filter(({ offered }) => isStream(offered) !== kind),
  }
}
