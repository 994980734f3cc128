/** Callers that keep cookies, as browsers do, and some that do not. */
import type { Answer, Call } from './call.ts'
import { call } from './call.ts'

export interface Session {
  /** One call; the answer's cookies are kept for the next. */
  readonly call: (to: Call) => Promise<Answer>
  /** By name. */
  readonly cookies: ReadonlyMap<string, string>
}

export const setCookies = (answer: Answer): readonly string[] => answer.headers['set-cookie'] ?? []

export const startSession = (): Session => {
  const cookies = new Map<string, string>()
  return {
    cookies,
    call: async (to) => {
      const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ')
      const answer = await call({ ...to, headers: { ...to.headers, ...(cookie === '' ? {} : { cookie }) } })
      for (const line of setCookies(answer)) {
        const [, name, value] = /^([^=]+)=([^;]*)/.exec(line) ?? []
        if (name !== undefined && value !== undefined) cookies.set(name, value)
      }
      return answer
    },
  }
}

/** How many answered under each name, or with which status if nobody. */
export const countNames = (answers: readonly Answer[]): Readonly<Record<string, number>> => {
  const counts: Record<string, number> = {}
  for (const { seen, status } of answers) {
    const name = seen?.name ?? String(status)
    counts[name] = (counts[name] ?? 0) + 1
  }
  return counts
}
