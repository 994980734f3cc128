import type { Code } from '../api/diagnostics.ts'
import type { Issue } from '../api/issue.ts'
import type { ServiceImport } from '../api/service-import.ts'
import { by } from './order.ts'
import type { VipAssignment } from './tables.ts'
import { keyOf } from './world.ts'

/** Gives every import an address of its own and lets it keep it. */
export interface VipAllocator {
  /**
   * @param imports the oldest first: of two that hold the same address the older keeps it
   * @param remembered addresses given before that may not have been written to the imports yet
   */
  readonly allocate: (
    imports: readonly ServiceImport[],
    remembered: readonly VipAssignment[],
  ) => { readonly vips: readonly VipAssignment[]; readonly issues: readonly Issue<Code>[] }
}

interface Range {
  readonly cidr: string
  readonly base: number
  readonly size: number
}

const toNumber = (ip: string): number | undefined => {
  const parts = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(ip)?.slice(1).map(Number)
  return parts?.every((part) => part < 256) ? parts.reduce((sum, part) => sum * 256 + part, 0) : undefined
}

const toText = (ip: number): string => [16777216, 65536, 256, 1].map((unit) => Math.floor(ip / unit) % 256).join('.')

/** @throws when the range is not an IPv4 CIDR with room for two addresses: a mistake of installation, not of an object. */
const parseRange = (cidr: string): Range => {
  const [, address = '', bits = ''] = /^([\d.]+)\/(\d{1,2})$/.exec(cidr) ?? []
  const base = toNumber(address)
  const size = 2 ** (32 - Number(bits))
  if (base === undefined || bits === '' || Number(bits) > 30 || base % size !== 0) {
    throw new Error(
      `VIP range ${JSON.stringify(cidr)} is not an IPv4 network of at most 30 bits, such as 240.240.0.0/16`,
    )
  }
  return { cidr, base, size }
}

/** FNV-1a. Decides only where the search for a free address begins, so that a name tends to get the same one again. */
const hash = (text: string): number => {
  let value = 0x811c9dc5
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193) >>> 0
  return value
}

/** Addresses out of one CIDR, without its first and last. */
export const vipsFrom = (cidr: string): VipAllocator => {
  const range = parseRange(cidr)

  const inRange = (ip: string | undefined): boolean => {
    const number = ip === undefined ? undefined : toNumber(ip)
    return number !== undefined && toText(number) === ip && number > range.base && number < range.base + range.size - 1
  }

  const firstFree = (name: string, taken: ReadonlySet<string>): string | undefined => {
    const usable = range.size - 2
    if (taken.size >= usable) return undefined
    for (let step = hash(name) % usable, tried = 0; tried < usable; step = (step + 1) % usable, tried++) {
      const candidate = toText(range.base + 1 + step)
      if (!taken.has(candidate)) return candidate
    }
    return undefined
  }

  return {
    allocate: (imports, remembered) => {
      const taken = new Set<string>()
      const given = new Map<string, string>()
      const claim = (key: string, ip: string | undefined): void => {
        if (ip === undefined || given.has(key) || taken.has(ip) || !inRange(ip)) return
        given.set(key, ip)
        taken.add(ip)
      }
      // What is written wins over what is remembered, and both over what is new: a running client's address moves last.
      for (const each of imports) claim(keyOf(each), each.spec.ips?.[0])
      const memory = new Map(remembered.map((vip) => [`${vip.namespace}/${vip.name}`, vip.ips[0]]))
      for (const each of imports) claim(keyOf(each), memory.get(keyOf(each)))
      for (const each of imports) if (!given.has(keyOf(each))) claim(keyOf(each), firstFree(keyOf(each), taken))

      const issues: Issue<Code>[] = []
      for (const each of imports) {
        const { namespace = 'default', name } = each.metadata
        const object = { kind: 'ServiceImport', namespace, name }
        const [wanted, got] = [each.spec.ips?.[0], given.get(keyOf(each))]
        if (got === undefined) {
          issues.push({ code: 'AddressesExhausted', object, path: 'spec.ips', params: { range: range.cidr } })
        } else if (wanted !== undefined && wanted !== got) {
          const why = inRange(wanted) ? 'an older import has it' : `it is not in ${range.cidr}`
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
