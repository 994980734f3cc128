/** Sets of addresses, in CIDR form. */
import ipaddr from 'ipaddr.js'

type Network = [address: ipaddr.IPv4 | ipaddr.IPv6, bits: number]

const parse = (cidr: string): Network | undefined => (ipaddr.isValidCIDR(cidr) ? ipaddr.parseCIDR(cidr) : undefined)

const share = ([a, aBits]: Network, [b, bBits]: Network): boolean =>
  a.kind() === b.kind() && a.match(b, Math.min(aBits, bBits))

/** Whether two networks have an address in common; what is none has not. */
export const overlap = (one: string, other: string): boolean => {
  const [a, b] = [parse(one), parse(other)]
  return a !== undefined && b !== undefined && share(a, b)
}

const halves = ([address, bits]: Network): readonly Network[] => {
  const bytes = address.toByteArray()
  const upper = bytes.with(bits >> 3, (bytes[bits >> 3] ?? 0) | (0x80 >> (bits & 7)))
  return [
    [address, bits + 1],
    [ipaddr.fromByteArray(upper), bits + 1],
  ]
}

/** Whether every address of a network is in one of several. */
export const covers = (networks: readonly string[], whole: string): boolean => {
  const parts = networks.map(parse).filter((part) => part !== undefined)
  const covered = (rest: Network): boolean => {
    const near = parts.filter((part) => share(part, rest))
    return near.some(([, bits]) => bits <= rest[1]) || (near.length > 0 && halves(rest).every(covered))
  }
  const network = parse(whole)
  return network !== undefined && covered(network)
}
