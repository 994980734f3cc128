/** What the kernel makes of capture rules, in so far as they use it; and any such rules. */
import fc from 'fast-check'
import ipaddr from 'ipaddr.js'
import type { Capture } from '../../webhook/inject-capture.ts'
import { overlap } from '../../webhook/networks.ts'

export interface Packet {
  readonly address: string
  readonly port: number
  readonly uid: number
  /** The interface that it leaves by. */
  readonly by: string
}

const single = (address: string) => `${address}/${address.includes(':') ? 128 : 32}`

const matches = (rule: string, { address, port, uid, by }: Packet): boolean => {
  const words = rule.split(' ')
  const option = (name: string) => words[words.indexOf(name) + 1] ?? ''
  const has = (name: string) => words.includes(name)
  const sameName = (name: string) => (name.endsWith('+') ? by.startsWith(name.slice(0, -1)) : by === name)
  return (
    (!has('-d') || overlap(option('-d'), single(address))) &&
    (!has('-o') || sameName(option('-o'))) &&
    (!has('--dports') || option('--dports').split(',').map(Number).includes(port)) &&
    (!has('--uid-owner') || Number(option('--uid-owner')) === uid)
  )
}

/** What becomes of a TCP connection that a process of the pod opens. */
export const fate = (rules: string, packet: Packet): 'captured' | 'direct' | 'refused' => {
  const [nat = '', filter = ''] = rules.split('*filter')
  const target = (table: string, chain: string): string => {
    const rule = table.split('\n').find((line) => line.startsWith(`-A ${chain} `) && matches(line, packet))
    return / -j (\S+)/.exec(rule ?? '')?.[1] ?? ''
  }
  const jump = target(nat, 'OUTPUT')
  if (jump !== '' && target(nat, jump) === 'REDIRECT') return 'captured'
  return target(filter, 'OUTPUT') === 'REJECT' ? 'refused' : 'direct'
}

const port = fc.integer({ min: 1, max: 65_535 })
const ports = fc.oneof(
  { weight: 3, arbitrary: fc.constant([]) },
  fc.uniqueArray(port, { maxLength: 40 }),
  fc.uniqueArray(fc.constantFrom(80, 81, 443, 6379), { maxLength: 4 }),
)

/** Networks near the VIP range, so that some of them meet it. */
const ranges = (family: 4 | 6) => {
  const bits = (max: number) => fc.integer({ min: max - 24, max })
  const near =
    family === 4
      ? fc.tuple(fc.nat(255), fc.nat(255), bits(32)).map(([a, b, length]) => `240.240.${a}.${b}/${length}`)
      : fc.tuple(fc.nat(0xffff), bits(128)).map(([a, length]) => `fd00:240:240::${a.toString(16)}/${length}`)
  const network = (cidr: string) => {
    const [address, length] = ipaddr.parseCIDR(cidr)
    const kind = address.kind() === 'ipv4' ? ipaddr.IPv4 : ipaddr.IPv6
    return `${kind.networkAddressFromCIDR(cidr)}/${length}`
  }
  return fc.uniqueArray(fc.oneof(near.map(network), fc.constantFrom('10.0.0.0/8', 'fd00::/8')), { maxLength: 4 })
}

export const VIP_RANGES = { 4: '240.240.0.0/16', 6: 'fd00:240:240::/112' } as const

export const captures = (family: 4 | 6): fc.Arbitrary<Capture> =>
  fc.record({
    vipRange: fc.constant(VIP_RANGES[family]),
    proxyUid: fc.integer({ min: 15_000, max: 15_999 }),
    excludedPorts: ports,
    includedPorts: ports,
    excludedRanges: ranges(family),
    includedRanges: fc.oneof({ weight: 2, arbitrary: fc.constant([]) }, ranges(family)),
    excludedInterfaces: fc.uniqueArray(fc.constantFrom('net1', 'eth0', 'tun+', 'macvlan.5@eth0', 'a-b_c:1'), {
      maxLength: 3,
    }),
  })

export const packets = (family: 4 | 6): fc.Arbitrary<Packet> =>
  fc.record({
    address:
      family === 4
        ? fc.oneof(
            fc.tuple(fc.nat(255), fc.nat(255)).map(([a, b]) => `240.240.${a}.${b}`),
            fc.ipV4(),
          )
        : fc.nat(0xffff).map((a) => `fd00:240:240::${a.toString(16)}`),
    port: fc.oneof(port, fc.constantFrom(80, 81, 443, 6379)),
    uid: fc.constantFrom(0, 1000, 15_000),
    by: fc.constantFrom('lo', 'eth0', 'net1', 'tun7'),
  })
