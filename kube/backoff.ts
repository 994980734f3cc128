export interface BackoffOptions {
  readonly firstMs: number
  readonly mostMs: number
}

/**
 * Milliseconds to wait before try number `attempt` (1 = after the first failure): doubles up to `mostMs`, and half of it
 * is random, so that many clients of one API server do not come back in step. `random` is in [0, 1).
 */
export function backoff(attempt: number, random: number, options: BackoffOptions): number {
  const full = Math.min(options.mostMs, options.firstMs * 2 ** Math.min(attempt - 1, 30))
  return Math.round(full / 2 + (full / 2) * random)
}

/** Resolves after `ms`, or at once when `signal` is aborted. Never rejects. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve()
    const done = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, ms)
    signal.addEventListener('abort', done)
  })
}

/** Whether failure number `attempt` in a row is worth a line: the 1st, 2nd, 4th, 8th … */
export const worthSaying = (attempt: number): boolean => Number.isInteger(Math.log2(attempt))
