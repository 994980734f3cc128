import { type BackoffOptions, backoff } from './backoff.ts'
import { afterQuiet, type QuietOptions } from './quiet.ts'

export interface PassesOptions extends QuietOptions {
  /** A pass is made at least so often, as deadlines pass without an event. */
  readonly everyMs: number
  /** How long to wait after passes in which something failed. */
  readonly retry: BackoffOptions
  /** A pass has thrown; it counts as one in which something failed. */
  readonly onError: (error: unknown) => void
}

export interface Passes {
  /** Something changed: a pass is to be made. */
  readonly touch: () => void
  readonly isStopped: () => boolean
  /** No pass begins any more; resolves when the one under way has ended. */
  readonly stop: () => Promise<void>
}

/**
 * Makes one pass at a time; what comes meanwhile makes one more.
 * @param pass resolves with how many things failed
 */
export function startPasses(pass: () => Promise<number>, options: PassesOptions): Passes {
  const soon = afterQuiet(begin, options)
  const clockwork = setInterval(touch, options.everyMs)
  let running: Promise<void> | undefined
  let again = false
  let stopped = false
  let failures = 0
  let retry: NodeJS.Timeout | undefined

  function touch() {
    if (!stopped) soon.touch()
  }

  function begin() {
    if (running === undefined) running = run()
    else again = true
  }

  async function run(): Promise<void> {
    const failed = await pass().catch((error: unknown) => {
      options.onError(error)
      return 1
    })
    running = undefined
    if (stopped) return
    failures = failed > 0 ? failures + 1 : 0
    clearTimeout(retry)
    if (failed > 0) retry = setTimeout(touch, backoff(failures, Math.random(), options.retry))
    if (again) touch()
    again = false
  }

  return {
    touch,
    isStopped: () => stopped,
    stop: async () => {
      stopped = true
      soon.cancel()
      clearInterval(clockwork)
      clearTimeout(retry)
      await running
    },
  }
}
