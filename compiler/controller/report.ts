import type { Logger } from 'pino'
import { format, formatProblem, levelOf } from '../../api/diagnostics.ts'
import type { Issue } from '../../api/issue.ts'
import { ABOUT_VERSION, MCS_GROUP, MCS_VERSION } from '../../api/names.ts'
import type { Recorder, Regarding } from '../../kube/events.ts'
import { apiVersion } from '../../kube/object.ts'
import type { Tables } from '../tables.ts'
import type { Metrics } from './metrics.ts'
import { newsOf } from './news.ts'
import type { Action, Desired } from './plan.ts'

/** An issue that a person should hear of without looking for it. */
export interface Finding {
  readonly issue: Issue
  /** Of the object it is about: `kubectl describe` finds Events by it. */
  readonly uid: string | undefined
}

export interface ReporterOptions {
  readonly metrics: Metrics
  readonly recorder: Recorder
  readonly log: Logger
}

export interface Reporter {
  /** Tells metrics of everything, and the log and Events of findings; the log once for as long as they stand. */
  readonly report: (tables: Tables, desired: Desired, findings: readonly Finding[]) => void
  /** Tells Events of what is new in a status that has been written. */
  readonly status: (action: Extract<Action, { do: 'applyStatus' }>) => void
  /** Has nothing to say any more: somebody else counts the same things now. */
  readonly rest: () => void
}

export function createReporter({ metrics, recorder, log }: ReporterOptions): Reporter {
  let told: ReadonlySet<string> = new Set()
  /** One after the other: a cluster that leaves is news of all that it exported. */
  let telling = Promise.resolve()

  function count({ issues, sidecars }: Tables, desired: Desired, findings: readonly Finding[]) {
    metrics.issues.reset()
    for (const { code } of [...issues, ...findings.map(({ issue }) => issue)]) metrics.issues.inc({ code })
    metrics.routes.reset()
    for (const { namespace, routes } of sidecars) metrics.routes.set({ namespace }, routes.length)
    metrics.tableBytes.reset()
    for (const [name, same] of Map.groupBy(desired.tables, (table) => table.name)) {
      const sizes = same.map(({ data }) => Object.values(data).reduce((total, text) => total + text.length, 0))
      metrics.tableBytes.set({ name }, Math.max(...sizes))
    }
  }

  function tell({ issue, uid }: Finding) {
    if (!told.has(JSON.stringify(issue)))
      log[levelOf(issue) === 'error' ? 'error' : 'warn']({ code: issue.code }, format(issue))
    void recorder.record({
      regarding: { ...objectOf(issue), ...(uid === undefined ? {} : { uid }) },
      type: 'Warning',
      reason: issue.code,
      note: formatProblem(issue),
      action: 'Compile',
    })
  }

  return {
    report: (tables, desired, findings) => {
      count(tables, desired, findings)
      findings.forEach(tell)
      told = new Set(findings.map(({ issue }) => JSON.stringify(issue)))
    },
    status: (action) => {
      const { resource, namespace, name, uid } = action
      const place = namespace === undefined ? {} : { namespace }
      const regarding = { apiVersion: apiVersion(resource), kind: resource.kind, ...place, name, uid }
      for (const news of newsOf(action))
        telling = telling.then(() => recorder.record({ regarding, ...news, action: 'Compile' }))
    },
    rest: () => {
      for (const gauge of [metrics.issues, metrics.routes, metrics.tableBytes, metrics.sidecarsMissing]) gauge.reset()
      told = new Set()
    },
  }
}

function objectOf({ object: { group, ...object } }: Issue): Regarding {
  if (group === undefined) return { apiVersion: 'v1', ...object }
  return { apiVersion: `${group}/${group === MCS_GROUP ? MCS_VERSION : ABOUT_VERSION}`, ...object }
}
