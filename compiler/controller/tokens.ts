/** A token bucket as plain data. Times are milliseconds of any one clock. */
export interface Bucket {
  readonly perSecond: number
  /** Tokens it holds when full. */
  readonly burst: number
  readonly tokens: number
  readonly at: number
}

export const fullBucket = (perSecond: number, burst: number, now: number): Bucket => ({
  perSecond,
  burst,
  tokens: burst,
  at: now,
})

/** Takes one token. `waitMs` is how long the caller has to wait for it; 0 = it was there. */
export function takeToken(bucket: Bucket, now: number): { readonly bucket: Bucket; readonly waitMs: number } {
  const passed = Math.max(0, now - bucket.at)
  const tokens = Math.min(bucket.burst, bucket.tokens + (passed * bucket.perSecond) / 1_000) - 1
  return { bucket: { ...bucket, tokens, at: now }, waitMs: tokens >= 0 ? 0 : (-tokens / bucket.perSecond) * 1_000 }
}
