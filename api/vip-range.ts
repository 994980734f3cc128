/** The range that addresses of imports come from, of either family: arithmetic on its text. */
import { isIP } from 'node:net'
import { REFUSING_ADDRESS } from './names.ts'

export interface VipRange {
  readonly cidr: string
  readonly family: 4 | 6
  /** Addresses that imports may have: all but the first and the last. */
  readonly usable: number
  /** @param index 0..usable - 1 */
  readonly at: (index: number) => string
  /** Whether it is one that imports may have, in its only spelling. */
  readonly has: (address: string) => boolean
  readonly last: string
  /** The upper half of the addresses that imports may have. */
  readonly upper: {
    readonly cidr: string
    /** Index of its first address. */
    readonly from: number
    readonly has: (address: string) => boolean
  }
}

const MOST = 2 ** 32

/** An address as a number; undefined when it is none. */
const numberOf = (address: string): bigint | undefined => {
  if (isIP(address) === 4) return address.split('.').reduce((sum, part) => sum * 256n + BigInt(part), 0n)
  if (isIP(address) !== 6 || address.includes('%')) return undefined
  const [head = '', tail] = canonical(address).split('::')
  const groups = (part: string) => (part === '' ? [] : part.split(':'))
  const [front, back] = [groups(head), groups(tail ?? '')]
  const zeros = Array.from({ length: 8 - front.length - back.length }, () => '0')
  return [...front, ...zeros, ...back].reduce((sum, group) => sum * 65_536n + BigInt(`0x${group}`), 0n)
}

/** An IPv6 address in the one spelling that proxies print. */
const canonical = (address: string): string => new URL(`http://[${address}]`).hostname.slice(1, -1)

const textOf = (number: bigint, family: 4 | 6): string => {
  const digits = (count: number, bits: bigint) =>
    Array.from({ length: count }, (_, i) => (number >> (bits * BigInt(count - 1 - i))) & ((1n << bits) - 1n))
  if (family === 4) return digits(4, 8n).join('.')
  return canonical(
    digits(8, 16n)
      .map((group) => group.toString(16))
      .join(':'),
  )
}

/** @throws when it is no network with room for two addresses: a mistake of installation, not of an object. */
export const parseVipRange = (cidr: string): VipRange => {
  const [, address = '', bits = ''] = /^([\d.]+|[\da-f:]+)\/(\d{1,3})$/i.exec(cidr) ?? []
  const family = isIP(address)
  const base = numberOf(address)
  const host = BigInt((family === 6 ? 128 : 32) - Number(bits))
  if ((family !== 4 && family !== 6) || base === undefined || bits === '' || host < 2n || base % (1n << host) !== 0n) {
    throw new Error(
      `VIP range ${JSON.stringify(cidr)} is not a network with room for two addresses, such as 240.240.0.0/16 or fd00:240:240::/112`,
    )
  }
  const usable = Number(host > 32n ? BigInt(MOST) : 1n << host) - 2
  const last = base + (1n << host) - 1n
  const half = (usable + 2) / 2
  const middle = base + BigInt(half)
  const has = (ip: string): boolean => {
    const number = numberOf(ip)
    return (
      isIP(ip) === family && number !== undefined && textOf(number, family) === ip && number > base && number < last
    )
  }
  return {
    cidr,
    family,
    usable,
    at: (index) => textOf(base + 1n + BigInt(index), family),
    has,
    last: textOf(last, family),
    upper: {
      cidr: `${textOf(middle, family)}/${(family === 6 ? 128 : 32) - Math.log2(half)}`,
      from: half - 1,
      has: (ip) => has(ip) && (numberOf(ip) ?? 0n) >= middle,
    },
  }
}

export const familyOf = (cidr: string): 4 | 6 => (cidr.includes(':') ? 6 : 4)

/**
 * What a name resolves to whose call is to be refused. IPv6 has a single loopback address, where an application may listen;
 * so there it is one of the range that no import gets, and that capture refuses.
 */
export const refusingAddress = (cidr: string): string =>
  familyOf(cidr) === 4 ? REFUSING_ADDRESS : parseVipRange(cidr).last

/** Address and port as proxies and URLs write them. */
export const hostAndPort = (host: string, port: number): string => `${host.includes(':') ? `[${host}]` : host}:${port}`
