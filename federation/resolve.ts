import { by } from '../compiler/order.ts'
import { createdAt } from '../compiler/world.ts'
import type { Constituent, OfferedPort } from './constituent.ts'

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
}

export interface ResolvedPort extends Pick<OfferedPort, 'port' | 'name' | 'appProtocol'> {
  /** Those that serve the port, the oldest first: the first decides what it is called and what it speaks. */
  readonly offers: readonly PortOffer[]
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
 */
export const resolve = (all: readonly Constituent[]): Resolution => {
  const constituents = all.filter(({ ports }) => ports.length > 0).sort(byAge)
  const ports = new Map<number, PortOffer[]>()
  const named = new Map<string, number>()
  const leftOut: LeftOut[] = []
  for (const constituent of constituents) {
    for (const offered of constituent.ports) {
      const known = ports.get(offered.port)
      const instead = named.get(offered.name)
      if (known) known.push({ by: constituent, offered })
      else if (instead !== undefined) leftOut.push({ by: constituent, offered, instead })
      else {
        ports.set(offered.port, [{ by: constituent, offered }])
        named.set(offered.name, offered.port)
      }
    }
  }
  return {
    constituents,
    ports: [...ports].map(([port, offers]) => ({ ...decided(offers), port, offers })).sort(by(({ port }) => port)),
    serviceAccountName: constituents[0]?.serviceAccountName ?? '*',
    sessionSticky: constituents[0]?.sessionSticky ?? false,
    leftOut,
  }
}

const decided = ([first]: readonly PortOffer[]): Pick<OfferedPort, 'name' | 'appProtocol'> => {
  const { name = '', appProtocol } = first?.offered ?? {}
  return { name, ...(appProtocol === undefined ? {} : { appProtocol }) }
}
