import { describe, expect, test } from 'vitest'
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
  ])('%s is used up to its last address, and its ends are not used', (cidr, all) => {
    expect(given(cidr, all.length + 2).toSorted()).toEqual(all)
  })

  test('is left sparse: a free address is not given to the next who comes', () => {
    const before = vipsFrom('240.240.0.0/16').allocate(imports(2), [])
    const after = vipsFrom('240.240.0.0/16').allocate([serviceImport('shop/new', [])], [])
    expect(before.vips.map((vip) => vip.ips[0])).not.toContain(after.vips[0]?.ips[0])
  })

  test.each(['', '240.240.0.0', '240.240.0.0/31', '240.240.0.1/16', '256.0.0.0/16', '240.240.0.0/8x', 'fd00::/64'])(
    '%j is refused with a sentence',
    (cidr) => {
      expect(() => vipsFrom(cidr)).toThrow(
        /VIP range .* is not an IPv4 network of at most 30 bits, such as 240\.240\.0\.0\/16/,
      )
    },
  )
})
