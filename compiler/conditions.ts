import { type Code, formatProblem } from '../api/diagnostics.ts'
import type { Issue } from '../api/issue.ts'
import type { KubeObject } from '../api/meta.ts'
import { MCS_GROUP } from '../api/names.ts'
import type { ObjectStatus } from './tables.ts'

type Verdict = ObjectStatus['conditions'][number]

/** At least one issue: the first gives the reason of a condition. */
export type Said = readonly [Issue<Code>, ...Issue<Code>[]]

/** The condition that says whether proxies run what an object asks for. */
export const PROGRAMMED = 'Programmed'

export const referenceOf = ({ apiVersion, kind, metadata }: KubeObject): Issue['object'] => ({
  kind,
  ...(apiVersion.startsWith(`${MCS_GROUP}/`) ? { group: MCS_GROUP } : {}),
  namespace: metadata.namespace ?? 'default',
  name: metadata.name,
})

export const statusOf = (
  object: KubeObject,
  conditions: readonly Omit<Verdict, 'observedGeneration'>[],
  extra?: ObjectStatus['extra'],
): ObjectStatus => {
  const generation = object.metadata.generation ?? 0
  return {
    object: referenceOf(object),
    generation,
    conditions: conditions.map((condition) => ({ ...condition, observedGeneration: generation })),
    ...(extra ? { extra } : {}),
  }
}

/** One condition. The first issue gives the reason; the message tells all of them, for all problems belong together. */
export const verdict = (
  type: string,
  status: Verdict['status'],
  issues: Said,
): Omit<Verdict, 'observedGeneration'> => ({
  type,
  status,
  reason: issues[0].code,
  message: issues.map(formatProblem).join(' '),
})

export const nonEmpty = (issues: readonly Issue<Code>[]): Said | undefined => {
  const [first, ...rest] = issues
  return first && [first, ...rest]
}
