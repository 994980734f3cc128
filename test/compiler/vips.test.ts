import { describe, expect, test } from 'vitest'
import { parseVipRange } from '../../api/vip-range.ts'
import { vipsFrom } from '../../compiler/vips.ts'
import { serviceImport } from './build.ts'

const imports = (count: number) => Array.from({ length: count }, (_, index) => serviceImport(`shop/s${index}`, []))
const given = (cidr: string, count: number) =>
  vipsFrom(cidr)
    .allocate(imports(count), [])
    .vips.flatMap((vip) => vip.ips)

describe('a range', () => {
  test.each([
    ['240.240.0.0/30', ['240.240.0.1', '240.240.0.2']],
    ['10.1.2.248/29', ['10.1.2.249', '10.1.2.250', '10.1.2.251', '10.1.2.252', '10.1.2.253', '10.1.2.254']],
    ['fd00:240:240::/126', ['fd00:240:240::1', 'fd00:240:240::2']],
    ['fd00:0:1::ff8/125', ['9', 'a', 'b', 'c', 'd', 'e'].map((digit) => `fd00:0:1::ff${digit}`)],
  ])('%s is used up to its last address, and its ends are not used', (cidr, all) => {
    expect(given(cidr, all.length + 2).toSorted()).toEqual(all)
  })

  test('is left sparse: a free address is not given to the next who comes', () => {
    const before = vipsFrom('240.240.0.0/16').allocate(imports(2), [])
    const after = vipsFrom('240.240.0.0/16').allocate([serviceImport('shop/new', [])], [])
    expect(before.vips.map((vip) => vip.ips[0])).not.toContain(after.vips[0]?.ips[0])
  })

  test('of more addresses than can be counted is used like any other', () => {
    const addresses = given('fd00:1234::/64', 100)
    expect(new Set(addresses).size).toBe(100)
    for (const address of addresses) expect(address).toMatch(/^fd00:1234:[0-9a-f:]+$/)
  })

  test('an address counts in the spelling that proxies print, and in no other', () => {
    const { has } = parseVipRange('fd00:240:240::/112')
    expect(['fd00:240:240::a', 'fd00:240:240::1'].filter(has)).toHaveLength(2)
    const others = ['fd00:240:240::A', 'fd00:240:240:0::a', 'fd00:240:240::0a', 'fd00:240:240::', 'fd00:240:240::ffff']
    expect([...others, 'fd00:240:241::a', '240.240.0.1', 'x', 'fd00:240:240::a%1'].filter(has)).toEqual([])
  })

  test.each([
    '',
    '240.240.0.0',
    '240.240.0.0/31',
    '240.240.0.1/16',
    '256.0.0.0/16',
    '240.240.0.0/8x',
    'fd00::/127',
    'fd00::1/64',
    'fd00::1%1/64',
  ])('%j is refused with a sentence', (cidr) => {
    expect(() => vipsFrom(cidr)).toThrow(
      /VIP range .* is not a network with room for two addresses, such as 240\.240\.0\.0\/16/,
    )
  })
})

describe('an address that is written', () => {
  const importOf = (key: string, ip: string) => {
    const made = serviceImport(key, [])
    return { ...made, spec: { ...made.spec, ips: [ip] } }
  }
  const ipsOf = (ips: readonly [string, string], remembered: Readonly<Record<string, string>>) => {
    const all = [importOf('evil/older', ips[0]), importOf('shop/web', ips[1])]
    const known = Object.entries(remembered).map(([key, ip]) => {
      const [namespace = '', name = ''] = key.split('/')
      return { namespace, name, ips: [ip] }
    })
    return vipsFrom('240.240.0.0/16')
      .allocate(all, known)
      .vips.map((vip) => vip.ips[0])
  }
  const [A, B, C] = ['240.240.0.1', '240.240.0.2', '240.240.0.3'] as const

  test.each([
    ['counts, also when another was given before', [C, B], { 'evil/older': A, 'shop/web': B }, [C, B]],
    ['is not that of another, however old one is', [B, B], { 'evil/older': A, 'shop/web': B }, [A, B]],
    ['may be that of an import that is gone', [B, C], { 'shop/gone': B }, [B, C]],
    ['is the older one’s, where nobody remembers', [B, B], {}, [B, undefined]],
  ] as const)('%s', (_, ips, remembered, expected) => {
    const given = ipsOf(ips, remembered)
    expect(given.map((ip, index) => (expected[index] === undefined ? undefined : ip))).toEqual(expected)
    expect(new Set(given).size).toBe(2)
  })
})
