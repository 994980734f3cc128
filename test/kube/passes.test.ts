import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { type Passes, startPasses } from '../../kube/passes.ts'

let passes: Passes
/** When each pass began, in milliseconds. */
let begun: number[]
let errors: unknown[]
/** Resolves the pass under way with how many things failed in it. */
let finish: (failed: number) => void
let fail: (error: Error) => void

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'performance'] })
  begun = []
  errors = []
  passes = startPasses(
    () => {
      begun.push(performance.now())
      return new Promise((resolve, reject) => {
        finish = resolve
        fail = reject
      })
    },
    {
      quietMs: 10,
      mostMs: 100,
      everyMs: 60_000,
      retry: { firstMs: 1_000, mostMs: 4_000 },
      onError: (error) => errors.push(error),
    },
  )
})
afterEach(() => {
  vi.useRealTimers()
})

const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms)

test('what comes during a pass makes one more, after it', async () => {
  passes.touch()
  await pass(10)
  for (let n = 0; n < 5; n++) {
    passes.touch()
    await pass(20)
  }
  expect(begun).toHaveLength(1)
  finish(0)
  await pass(10)
  expect(begun).toHaveLength(2)
  finish(0)
  await pass(1_000)
  expect(begun).toHaveLength(2)
})

test('a pass with failures is made again, later and later, and one without ends that', async () => {
  passes.touch()
  await pass(10)
  for (const most of [1_000, 2_000, 4_000, 4_000]) {
    const before = begun.length
    finish(1)
    await pass(most + 10)
    expect(begun).toHaveLength(before + 1)
  }
  finish(0)
  const before = begun.length
  await pass(4_500)
  expect(begun).toHaveLength(before)
})

test('one that throws is told of, and counts as one with failures', async () => {
  passes.touch()
  await pass(10)
  fail(new Error('broken'))
  await pass(1_010)
  expect(errors).toEqual([new Error('broken')])
  expect(begun).toHaveLength(2)
})

test('one is made now and then without being asked for', async () => {
  await pass(60_010)
  expect(begun).toHaveLength(1)
})

test('stopped, it waits for the pass under way and begins no other', async () => {
  passes.touch()
  await pass(10)
  passes.touch()
  let ended = false
  const stopping = passes.stop().then(() => {
    ended = true
  })
  await pass(100)
  expect({ ended, isStopped: passes.isStopped() }).toEqual({ ended: false, isStopped: true })
  finish(1)
  await stopping
  passes.touch()
  await pass(70_000)
  expect(begun).toHaveLength(1)
})
