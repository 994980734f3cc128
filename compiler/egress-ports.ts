import { nameHash } from './name-hash.ts'
import { unique } from './order.ts'

/** Below the ports that kernels give to whoever connects out, as a listener on one of those could find it in use. */
export const EGRESS_PORTS = { first: 20_000, last: 32_767 } as const

/** One port of an import, and which port of the egress it is known to have. */
export interface EgressPortWish {
  /** Names the port for good. */
  readonly key: string
  /** As a Service in its own namespace says, where others may have written it. */
  readonly written: number | undefined
  /** As proxies were told. */
  readonly remembered: number | undefined
}

/**
 * A port of the egress for each wish, as long as there are any. What is remembered counts more than what is written: else
 * whoever writes another's port into a Service of his namespace would get its calls. Both count more than what is new; of
 * two with the same the first keeps it, as the other's callers have to hear of a change.
 *
 * @param wishes the oldest first
 */
export const egressPorts = (
  wishes: readonly EgressPortWish[],
  { first, last }: { readonly first: number; readonly last: number } = EGRESS_PORTS,
): ReadonlyMap<string, number> => {
  const given = new Map<string, number>()
  const taken = new Set<number>()
  const claim = (key: string, port: number | undefined): void => {
    if (port === undefined || port < first || port > last || taken.has(port) || given.has(key)) return
    given.set(key, port)
    taken.add(port)
  }
  const all = unique(wishes, ({ key }) => key)
  for (const { key, remembered } of all) claim(key, remembered)
  for (const { key, written } of all) claim(key, written)
  const count = last - first + 1
  for (const { key } of all) {
    if (given.has(key) || taken.size === count) continue
    let step = nameHash(key) % count
    while (taken.has(first + step)) step = (step + 1) % count
    claim(key, first + step)
  }
  return given
}
