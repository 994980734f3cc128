import { createdAt } from '../compiler/keys.ts'
import { by } from '../compiler/order.ts'
import { isStream } from '../compiler/protocol.ts'
import type { Constituent, OfferedPort } from './constituent.ts'
import { bytesOf, ROOM, type Room } from './room.ts'

/** One service of the clusterset, as all clusters agree to see it. */
export interface Resolution {
  /** Those with a say, the oldest export first, of the same second by the cluster's name. */
  readonly constituents: readonly Constituent[]
  /** The union of their ports, sorted by port. */
  readonly ports: readonly ResolvedPort[]
  readonly serviceAccountName: string
  readonly sessionSticky: boolean
  /** Ports that are no part of the union, because an older export means another port by their name. */
  readonly leftOut: readonly LeftOut[]
  /** What an import has no room for after all that is older. */
  readonly crowdedOut: readonly PortOffer[]
}

export interface ResolvedPort extends Pick<OfferedPort, 'port' | 'name' | 'appProtocol'> {
  /** Those that serve the port, the oldest first: the first decides what it is called and what it speaks. */
  readonly offers: readonly PortOffer[]
  /** Those that speak HTTP where the first does not, or the other way round: nobody can call them. */
  readonly strangers: readonly PortOffer[]
}

export interface PortOffer {
  readonly by: Constituent
  readonly offered: OfferedPort
}

export interface LeftOut extends PortOffer {
  /** Port that has the name. */
  readonly instead: number
}

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
  const constituents = all.filter(({ ports }) => ports.length > 0).sort(byAge)
  const ports = new Map<number, PortOffer[]>()
  const named = new Map<string, number>()
  const leftOut: LeftOut[] = []
  const crowdedOut: PortOffer[] = []
  let bytes = 0
  for (const constituent of constituents) {
    for (const offered of constituent.ports) {
      const offer = { by: constituent, offered }
      const known = ports.get(offered.port)
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
        ports.set(offered.port, [offer])
        named.set(offered.name, offered.port)
      }
    }
  }
  return {
    constituents,
    ports: [...ports]
      .map(([port, offers]) => ({ ...decided(offers), port, ...apart(offers) }))
      .sort(by(({ port }) => port)),
    serviceAccountName: constituents[0]?.serviceAccountName ?? '*',
    sessionSticky: constituents[0]?.sessionSticky ?? false,
    leftOut,
    crowdedOut,
  }
}

const decided = ([first]: readonly PortOffer[]): Pick<OfferedPort, 'name' | 'appProtocol'> => {
  const { name = '', appProtocol } = first?.offered ?? {}
  return { name, ...(appProtocol === undefined ? {} : { appProtocol }) }
}

const apart = (offers: readonly PortOffer[]): Pick<ResolvedPort, 'offers' | 'strangers'> => {
  const kind = offers[0] && isStream(offers[0].offered)
  return {
    offers: offers.filter(({ offered }) => isStream(offered) === kind),
    strangers: offers.filter(({ offered }) => isStream(offered) !== kind),
  }
}
