/** What the API server, or the way to it, has against a request. */
export type Reason =
  | 'NotFound'
  | 'AlreadyExists'
  /** The object changed since it was read, or another manager owns a field. */
  | 'Conflict'
  /** The resourceVersion or continue token is too old: list again. */
  | 'Gone'
  | 'Unauthorized'
  | 'Forbidden'
  /** The object or request was refused by validation or admission. */
  | 'Invalid'
  | 'TooManyRequests'
  /** The server answered that it cannot serve now. */
  | 'Unavailable'
  /** No answer: refused, reset, timed out, not trusted. */
  | 'Unreachable'
  /** `signal` was aborted by the caller. */
  | 'Aborted'
  | 'Unknown'

/** Expected, therefore a value. `message` is one sentence that names verb, kind and object. */
export interface Failure {
  readonly reason: Reason
  readonly message: string
  /** HTTP status, when there was an answer. */
  readonly status?: number
  /** Set when the server asked to be left alone for so long. */
  readonly retryAfterSeconds?: number
  readonly cause?: unknown
}

export type Result<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly failure: Failure }

export const ok = <T>(value: T): Result<T> => ({ ok: true, value })
export const failed = (failure: Failure): Result<never> => ({ ok: false, failure })

/** The value, or an exception with the failure's sentence: for callers that cannot go on without it. */
export function must<T>(result: Result<T>): T {
  if (result.ok) return result.value
  throw new Error(result.failure.message, { cause: result.failure.cause ?? result.failure })
}

/** The value, or undefined when there is no such object; other failures throw as in {@link must}. */
export function mustOrMissing<T>(result: Result<T>): T | undefined {
  return !result.ok && result.failure.reason === 'NotFound' ? undefined : must(result)
}

interface Status {
  readonly kind?: string
  readonly message?: string
  readonly reason?: string
  readonly code?: number
  readonly details?: { readonly retryAfterSeconds?: number }
}

const BY_REASON: Readonly<Record<string, Reason>> = {
  AlreadyExists: 'AlreadyExists',
  Expired: 'Gone',
  Gone: 'Gone',
  ResourceExpired: 'Gone',
}

const BY_STATUS: Readonly<Record<number, Reason>> = {
  400: 'Invalid',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'NotFound',
  409: 'Conflict',
  410: 'Gone',
  413: 'Invalid',
  422: 'Invalid',
  429: 'TooManyRequests',
  500: 'Unavailable',
  502: 'Unavailable',
  503: 'Unavailable',
  504: 'Unavailable',
}

/** `body` is what came with the answer: a Status object, or a proxy's page. */
export function fromAnswer(what: string, httpStatus: number, body: unknown, retryAfter?: string): Failure {
  const status = asStatus(body)
  const code = status?.code ?? httpStatus
  const reason = BY_REASON[status?.reason ?? ''] ?? BY_STATUS[code] ?? 'Unknown'
  const seconds = status?.details?.retryAfterSeconds ?? Number(retryAfter)
  if (code === 404 && status === undefined) {
    return { reason: 'NotFound', status: code, message: `cannot ${what}: the API server does not serve this kind` }
  }
  const said = status?.message ?? (typeof body === 'string' && body.trim() !== '' ? body.trim().slice(0, 300) : '')
  return {
    reason,
    status: code,
    message: `cannot ${what}: ${said === '' ? `the API server answered ${code}` : said}`,
    ...(Number.isFinite(seconds) && seconds > 0 ? { retryAfterSeconds: seconds } : {}),
  }
}

export function fromException(what: string, cause: unknown, aborted: boolean): Failure {
  if (aborted) return { reason: 'Aborted', message: `cannot ${what}: the request was given up`, cause }
  return { reason: 'Unreachable', message: `cannot ${what}: ${sentenceOf(cause)}`, cause }
}

function asStatus(body: unknown): Status | undefined {
  const candidate = body as Status | null | undefined
  return typeof candidate === 'object' && candidate?.kind === 'Status' ? candidate : undefined
}

function sentenceOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause)
  const code = (cause as { code?: unknown }).code
  const inner = cause instanceof AggregateError ? cause.errors.map(sentenceOf).join(', ') : cause.message
  return inner !== '' ? inner : String(code ?? cause.name)
}
