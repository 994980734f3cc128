export interface QuietOptions {
  /** Run when nothing has come for so long … */
  readonly quietMs: number
  /** … and at the latest so long after the first. */
  readonly mostMs: number
}

/** Makes one run of a burst of calls. */
export function afterQuiet(
  run: () => void,
  { quietMs, mostMs }: QuietOptions,
): { readonly touch: () => void; readonly cancel: () => void } {
  let timer: NodeJS.Timeout | undefined
  let first = 0

  function fire() {
    timer = undefined
    run()
  }

  return {
    touch: () => {
      const now = performance.now()
      if (timer === undefined) first = now
      clearTimeout(timer)
      timer = setTimeout(fire, Math.max(0, Math.min(quietMs, first + mostMs - now)))
    },
    cancel: () => {
      clearTimeout(timer)
      timer = undefined
    },
  }
}
