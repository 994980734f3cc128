import type { Code } from '../api/diagnostics.ts'
import type { Issue } from '../api/issue.ts'
import type { ServiceImport } from '../api/service-import.ts'
import { parseVipRange } from '../api/vip-range.ts'
import { keyOf } from './keys.ts'
import { nameHash } from './name-hash.ts'
import { by } from './order.ts'
import type { VipAssignment } from './tables.ts'

/** Gives every import an address of its own and lets it keep it. */
export interface VipAllocator {
  /**
   * @param imports the oldest first: of two that hold the same address the older keeps it
   * @param remembered addresses given before that may not have been written to the imports yet
   * @param carriesStreams whether an import needs an address of the upper half; any other gets one of the lower while there
   * is one, and keeps what it has: whoever calls it stays connected
   */
  readonly allocate: (
    imports: readonly ServiceImport[],
    remembered: readonly VipAssignment[],
    carriesStreams?: (each: ServiceImport) => boolean,
  ) => { readonly vips: readonly VipAssignment[]; readonly issues: readonly Issue<Code>[] }
}

/** The part of a VIP range where services have their addresses that are not HTTP in all of their ports. */
export const tcpRangeOf = (vipRange: string): string => parseVipRange(vipRange).upper.cidr

/**
 * Addresses out of one CIDR of either family, without its first and last.
 *
 * @throws when it is none
 */
export const vipsFrom = (vipRange: string): VipAllocator => {
  const range = parseVipRange(vipRange)
  const { upper } = range

  const firstFree = (name: string, taken: ReadonlySet<string>, from: number, to: number): string | undefined => {
    const count = to - from
    for (let step = nameHash(name) % count, tried = 0; tried < count; step = (step + 1) % count, tried++) {
      const candidate = range.at(from + step)
      if (!taken.has(candidate)) return candidate
    }
    return undefined
  }

  return {
    allocate: (imports, remembered, carriesStreams = () => false) => {
      const taken = new Set<string>()
      const given = new Map<string, string>()
      const streams = new Set(imports.filter(carriesStreams).map(keyOf))
      const rangeFor = (key: string) => (streams.has(key) ? upper : range)
      const fits = (key: string, ip: string | undefined): ip is string => ip !== undefined && rangeFor(key).has(ip)
      const claim = (key: string, ip: string | undefined): void => {
        if (given.has(key) || !fits(key, ip) || taken.has(ip)) return
        given.set(key, ip)
        taken.add(ip)
      }
      const free = (key: string): string | undefined => {
        const inUpper = () => firstFree(key, taken, upper.from, range.usable)
        if (streams.has(key)) return inUpper()
        return firstFree(key, taken, 0, upper.from) ?? inUpper()
      }
      const memory = new Map(remembered.map((vip) => [`${vip.namespace}/${vip.name}`, vip.ips[0]]))
      const keys = new Set(imports.map(keyOf))
      const known = new Map([...memory].flatMap(([key, ip]) => (ip && keys.has(key) ? [[ip, key]] : [])))
      const isTheirs = (each: ServiceImport) => (known.get(each.spec.ips?.[0] ?? '') ?? keyOf(each)) !== keyOf(each)
      // What is written wins over what is remembered, and both over what is new: a running client's address moves last.
      // But nobody gets the address of another, and the calls of its clients, by writing it.
      for (const each of imports) if (!isTheirs(each)) claim(keyOf(each), each.spec.ips?.[0])
      for (const each of imports) claim(keyOf(each), memory.get(keyOf(each)))
      for (const each of imports) claim(keyOf(each), each.spec.ips?.[0])
      for (const each of imports) if (!given.has(keyOf(each))) claim(keyOf(each), free(keyOf(each)))

      const issues: Issue<Code>[] = []
      for (const each of imports) {
        const { namespace = 'default', name } = each.metadata
        const object = { kind: 'ServiceImport', namespace, name }
        const key = keyOf(each)
        const { cidr } = rangeFor(key)
        const [wanted, got] = [each.spec.ips?.[0], given.get(key)]
        if (got === undefined) {
          issues.push({ code: 'AddressesExhausted', object, path: 'spec.ips', params: { range: cidr } })
        } else if (wanted !== undefined && wanted !== got) {
          const why = fits(key, wanted) ? 'an older import has it' : `it is not in ${cidr}`
          issues.push({
            code: 'AddressReplaced',
            object,
            path: 'spec.ips[0]',
            value: wanted,
            params: { why, vip: got },
          })
        }
      }
      const vips = imports.map((each) => {
        const ip = given.get(keyOf(each))
        return { namespace: each.metadata.namespace ?? 'default', name: each.metadata.name, ips: ip ? [ip] : [] }
      })
      return {
        vips: vips.sort(
          by(
            (vip) => vip.namespace,
            (vip) => vip.name,
          ),
        ),
        issues,
      }
    },
  }
}
