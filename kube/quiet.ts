export interface QuietOptions {
  /** Run when nothing has come for so long … */
  readonly quietMs: number
  /** … and at the latest so long after the first. */
  readonly mostMs: number
  /** A call that comes so long after the last run is run at once: nothing says that it begins a burst. Default: never. */
  readonly restedMs?: number
}

/** Makes one run of a burst of calls; of a burst after a rest, one of the first call and one of the others. */
export function afterQuiet(
  run: () => void,
  { quietMs, mostMs, restedMs = Number.POSITIVE_INFINITY }: QuietOptions,
): { readonly touch: () => void; readonly cancel: () => void } {
  let timer: NodeJS.Timeout | undefined
  let first = 0
  let last = performance.now()

  function fire() {
    timer = undefined
    last = performance.now()
    run()
  }

  return {
    touch: () => {
      const now = performance.now()
      if (timer === undefined) first = now
      clearTimeout(timer)
      const rested = first - last >= restedMs
      timer = setTimeout(fire, rested ? 0 : Math.max(0, Math.min(quietMs, first + mostMs - now)))
    },
    cancel: () => {
      clearTimeout(timer)
      timer = undefined
    },
  }
}
