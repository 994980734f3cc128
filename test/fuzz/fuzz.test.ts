/** A slice of the fuzzing, the same each time; `make fuzz` does much more of it. */
import { inspect } from 'node:util'
import { expect, test } from 'vitest'
import { feed } from './run.ts'
import { chanceOf } from './target.ts'
import { TARGETS } from './targets.ts'

const SEED = 20261121

const SLICE: Readonly<Record<string, number>> = {
  admission: 1_000,
  validation: 3_000,
  injection: 3_000,
  manifests: 400,
  rewriting: 600,
  kubeconfigs: 2_000,
  merging: 2_000,
  worlds: 40,
  withoutWebhook: 10,
}

test.each(Object.keys(TARGETS))(
  '%s',
  async (name) => {
    const target = await TARGETS[name]?.(SEED)
    if (target === undefined) return expect.unreachable()
    const { found, inputs } = await feed(target, { seed: SEED, inputs: SLICE[name] ?? 0 })
    await target.close?.()
    expect(found.map(({ problem, index, input }) => `${index}: ${problem}\n${inspect(input, { depth: 9 })}`)).toEqual(
      [],
    )
    expect(inputs).toBeGreaterThan(0)
  },
  240_000,
)

test.each(Object.keys(TARGETS))(
  '%s: seed and number are all that an input depends on',
  async (name) => {
    const [one, other] = await Promise.all([TARGETS[name]?.(7), TARGETS[name]?.(7)])
    const inputs = [3, 1, 2].map((index) => one?.make(chanceOf(7, name, index)))
    expect([3, 1, 2].map((index) => other?.make(chanceOf(7, name, index)))).toEqual(inputs)
    await Promise.all([one?.close?.(), other?.close?.()])
  },
  240_000,
)

test('what is wrong is found: an input that is taken badly, and one that throws', async () => {
  const odd = { name: 'odd', share: 1, make: ({ below }: { below: (end: number) => number }) => below(3) }
  const { found } = await feed(
    {
      ...odd,
      check: (input: number) => {
        if (input === 0) return 'taken badly'
        if (input === 1) throw new Error('thrown')
        return undefined
      },
    },
    { seed: 1, inputs: 12 },
  )
  expect(new Set(found.map(({ problem }) => problem.split('\n')[0]))).toEqual(new Set(['taken badly', 'Error: thrown']))
})
