import { chanceOf, type Finding, type Target } from './target.ts'

export interface Found extends Finding {
  readonly target: string
  /** Number of the input; unknown for what was told of many at a time. */
  readonly index?: number
}

/** What came of one target. */
export interface Tally {
  readonly target: string
  readonly inputs: number
  readonly seconds: number
  readonly found: readonly Found[]
}

export interface Run {
  readonly seed: number
  /** For all targets of a run together. */
  readonly inputs: number
  /** Number of the first input, to try one again. */
  readonly first?: number
  /** After which no further input is made. */
  readonly mostMs?: number
}

/** Inputs that are under way at a time; a server gets as many questions at once. */
const AT_ONCE = 16
const SETTLE_EVERY = 2_000
/** More of the same say nothing new. */
const MOST = 20

// biome-ignore lint/suspicious/noExplicitAny: what a target is fed with is its own business
type AnyTarget = Target<any>

export const sharesOf = (targets: readonly AnyTarget[], inputs: number): readonly number[] => {
  const all = targets.reduce((sum, { share }) => sum + share, 0)
  return targets.map(({ share }) => Math.ceil((inputs * share) / all))
}

/** Feeds one target. An input that never comes to an end is a finding, too. */
export const feed = async (
  target: AnyTarget,
  { seed, inputs, first = 0, mostMs = Number.POSITIVE_INFINITY }: Run,
): Promise<Tally> => {
  const found: Found[] = []
  const started = performance.now()
  let next = first
  const worker = async (): Promise<void> => {
    while (next < first + inputs && found.length < MOST && performance.now() - started < mostMs) {
      const index = next++
      const input = target.make(chanceOf(seed, target.name, index))
      const problem = await outcome(target, input)
      if (problem !== undefined) found.push({ target: target.name, index, problem, input })
      if (index % SETTLE_EVERY === SETTLE_EVERY - 1) await settle()
    }
  }
  const settle = async (): Promise<void> => {
    for (const finding of (await target.settle?.()) ?? []) found.push({ target: target.name, ...finding })
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
  await settle()
  return { target: target.name, inputs: next - first, seconds: (performance.now() - started) / 1000, found }
}

/** Long, for a machine that has more to do, and for a first input that waits for an API server to start. */
const HANGS_MS = 120_000

const outcome = async (target: AnyTarget, input: unknown): Promise<string | undefined> => {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<string>((resolve) => {
    timer = setTimeout(() => resolve(`no answer in ${HANGS_MS / 1000} s`), HANGS_MS)
  })
  try {
    const checked = target.check(input)
    return checked instanceof Promise ? await Promise.race([checked, late]) : checked
  } catch (error) {
    return error instanceof Error ? (error.stack ?? error.message).split('\n').slice(0, 6).join('\n') : String(error)
  } finally {
    clearTimeout(timer)
  }
}
