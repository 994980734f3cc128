import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { afterQuiet, type QuietOptions } from '../../kube/quiet.ts'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

/** When it ran, of calls at these times; all in milliseconds, of which a timer takes at least one. */
const runsOf = (options: QuietOptions, touches: readonly number[]): readonly number[] => {
  const start = performance.now()
  const runs: number[] = []
  const soon = afterQuiet(() => void runs.push(performance.now() - start), options)
  for (const at of touches) setTimeout(soon.touch, at)
  vi.advanceTimersByTime(10_000)
  return runs.map(Math.round)
}

const BURST = Array.from({ length: 20 }, (_, i) => 1_000 + i * 20)

test.each<[string, QuietOptions, readonly number[], readonly number[]]>([
  ['a call runs when it was quiet', { quietMs: 50, mostMs: 250 }, [1_000], [1_050]],
  ['calls close together are one run', { quietMs: 50, mostMs: 250 }, [1_000, 1_040, 1_080], [1_130]],
  ['a burst does not hold it up for ever', { quietMs: 50, mostMs: 250 }, BURST, [1_250, 1_430]],
  ['after a rest the first runs at once', { quietMs: 50, mostMs: 250, restedMs: 500 }, [1_000], [1_001]],
  [
    '… and the others of its burst once',
    { quietMs: 50, mostMs: 250, restedMs: 500 },
    [1_000, 1_005, 1_010],
    [1_001, 1_060],
  ],
  ['not rested yet', { quietMs: 50, mostMs: 250, restedMs: 500 }, [1_000, 1_400, 2_000], [1_001, 1_450, 2_001]],
  ['just started is not rested', { quietMs: 50, mostMs: 250, restedMs: 500 }, [100], [150]],
])('%s', (_, options, touches, expected) => {
  expect(runsOf(options, touches)).toEqual(expected)
})

test('what is cancelled does not run', () => {
  const run = vi.fn()
  const soon = afterQuiet(run, { quietMs: 50, mostMs: 250 })
  soon.touch()
  soon.cancel()
  vi.advanceTimersByTime(1_000)
  expect(run).not.toHaveBeenCalled()
})
