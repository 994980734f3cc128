import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { refusingAddress } from '../../api/vip-range.ts'
import { captureRules } from '../../webhook/inject-capture.ts'
import { covers, overlap } from '../../webhook/networks.ts'
import { captures, fate, packets } from './capture-rules.ts'

const FAMILIES = [4, 6] as const

describe.each(FAMILIES)('capture rules of IPv%i', (family) => {
  test('capture what no list takes out and every list that says something takes in, and nothing else', () => {
    fc.assert(
      fc.property(captures(family), packets(family), (capture, packet) => {
        const { address, port, uid, by } = packet
        const here = `${address}/${family === 6 ? 128 : 32}`
        const among = (ranges: readonly string[]) => ranges.some((range) => overlap(range, here))
        const inRange = overlap(capture.vipRange, here)
        const refusing = address === refusingAddress(capture.vipRange)
        const own = uid === capture.proxyUid
        const captured =
          inRange &&
          !refusing &&
          !own &&
          !among(capture.excludedRanges) &&
          !capture.excludedPorts.includes(port) &&
          !capture.excludedInterfaces.some((name) => name === by || (name === 'tun+' && by.startsWith('tun'))) &&
          (capture.includedRanges.length === 0 || among(capture.includedRanges)) &&
          (capture.includedPorts.length === 0 || capture.includedPorts.includes(port))
        const refused = inRange && (own || refusing)
        expect(fate(captureRules(capture), packet)).toBe(captured ? 'captured' : refused ? 'refused' : 'direct')
      }),
      { numRuns: 1_000 },
    )
  })

  test('have at most fifteen ports each', () => {
    fc.assert(
      fc.property(captures(family), (capture) => {
        for (const [, list = ''] of captureRules(capture).matchAll(/--dports (\S+)/g))
          expect(list.split(',').length).toBeLessThanOrEqual(15)
      }),
    )
  })
})

describe('a range is covered', () => {
  test.each([
    ['by itself', ['240.240.0.0/16'], true],
    ['by a wider one', ['0.0.0.0/0'], true],
    ['by its halves', ['240.240.128.0/17', '240.240.0.0/17'], true],
    ['by parts of several sizes', ['240.240.0.0/18', '240.240.64.0/18', '240.240.128.0/17', '10.0.0.0/8'], true],
    ['not when one address is missing', ['240.240.0.0/17', '240.240.128.0/18', '240.240.192.0/19'], false],
    ['not by another', ['10.0.0.0/8', 'fd00::/8'], false],
    ['not by nothing', [], false],
    ['not by what is no range', ['240.240.0.0', 'everything'], false],
  ])('%s', (_, ranges, expected) => expect(covers(ranges, '240.240.0.0/16')).toBe(expected))

  test('IPv6 too', () => {
    expect(covers(['fd00:240:240::/113', 'fd00:240:240::8000/113'], 'fd00:240:240::/112')).toBe(true)
    expect(covers(['fd00:240:240::/113'], 'fd00:240:240::/112')).toBe(false)
  })
})
