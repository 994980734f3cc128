import type { INSPECTION } from '../../api/diagnostics/inspection.ts'
import { catalogue, formatProblem, levelOf } from '../../api/diagnostics.ts'
import type { Issue, Level, ObjectRef } from '../../api/issue.ts'
import type { Condition, KubeObject } from '../../api/meta.ts'
import type { Result } from '../../kube/failure.ts'
import { refOf } from '../objects.ts'
import type { CheckFacts } from './check-facts.ts'

/** One thing that a check found. */
export interface Found {
  readonly level: Level
  /** Of the catalogue of diagnostics. */
  readonly code: string
  readonly object: ObjectRef
  /** What is wrong and what to do about it, in sentences. */
  readonly message: string
}

/** What there is to say when nothing is wrong, and what is wrong. */
export interface Look {
  readonly seen: string
  readonly found: readonly Found[]
}

export interface Check {
  /** For programs: `mesh-dns`. */
  readonly name: string
  /** For people: `mesh DNS`. */
  readonly title: string
  readonly look: (facts: CheckFacts) => Look
}

export interface CheckResult extends Look {
  readonly name: string
  readonly title: string
  /** The worst of what was found. */
  readonly level: 'ok' | 'warning' | 'error'
}

/** Every check, in the order given. */
export function runChecks(checks: readonly Check[], facts: CheckFacts): readonly CheckResult[] {
  return checks.map(({ name, title, look }) => {
    const { seen, found } = look(facts)
    const levels = found.map(({ level }) => level)
    const level = (['error', 'warning'] as const).find((each) => levels.includes(each)) ?? 'ok'
    return { name, title, level, seen, found }
  })
}

type InspectionCode = keyof typeof INSPECTION

export function found(code: InspectionCode, object: ObjectRef, params?: Issue['params']): Found {
  return foundIssue({ code, object, path: '', ...(params === undefined ? {} : { params }) })
}

export function foundIssue(issue: Issue): Found {
  return { level: levelOf(issue), code: issue.code, object: issue.object, message: formatProblem(issue) }
}

/** What a controller says of an object; no level of its own is worse than a warning when the catalogue knows it as information. */
export function foundCondition(object: KubeObject, { type, status, reason, message }: Condition): Found {
  const known = (catalogue as Readonly<Record<string, { readonly level: Level }>>)[reason]
  return {
    level: known?.level === 'error' ? 'error' : 'warning',
    code: reason,
    object: refOf(object),
    message: `${type} is ${status}: ${message}`,
  }
}

/** Looks at what could be read; says so where it could not. */
export function reading<T>(result: Result<T>, object: ObjectRef, look: (value: T) => Look): Look {
  if (result.ok) return look(result.value)
  return { seen: '', found: [found('CheckImpossible', object, { why: result.failure.message })] }
}
