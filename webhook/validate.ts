/** The one door to validation: everything that is wrong with an object, in one answer. Pure. */

import { applyDefaults } from '../api/defaults.ts'
import { formatObject, formatProblem, levelOf } from '../api/diagnostics.ts'
import type { Issue, ObjectRef } from '../api/issue.ts'
import { type Kind, kindOf } from '../api/kinds.ts'
import type { KubeObject } from '../api/meta.ts'
import { MCS_GROUP } from '../api/names.ts'
import { standardKindOf } from '../api/standard-kinds.ts'
import { clusterRules } from './validate-cluster.ts'
import { exportRules } from './validate-export.ts'
import { importRules } from './validate-import.ts'
import { mcsExportRules } from './validate-mcs-export.ts'
import { meshConfigRules } from './validate-mesh-config.ts'
import { policyRules } from './validate-policy.ts'
import { type At, at, type Finding, found, foundAbout, text } from './validate-read.ts'
import { schemaFindings } from './validate-schema.ts'
import { serviceIssues } from './validate-service.ts'
import type { World } from './world.ts'

export { applyDefaults } from '../api/defaults.ts'
export type { World } from './world.ts'

type Rules = (root: At, ref: ObjectRef, world: World) => Iterable<Finding>

const RULES: Readonly<Record<string, Rules>> = {
  Cluster: clusterRules,
  GlobalTrafficPolicy: policyRules,
  MeshConfig: meshConfigRules,
  ServiceExport: exportRules,
  ServiceImport: importRules,
}

const rulesOf = ({ group, kind }: Kind): Rules | undefined =>
  group !== MCS_GROUP ? RULES[kind] : kind === 'ServiceExport' ? mcsExportRules : undefined

/**
 * All problems of an object of ours or the standard's, sorted by field; none for objects of other kinds. Whatever the shape of the
 * object, it never throws. Documented defaults are filled in first.
 */
export function validateObject(object: KubeObject, world: World = {}): readonly Issue[] {
  const kind = kindOf(object) ?? standardKindOf(object)
  if (kind === undefined) return isService(object) ? serviceIssues(object) : []
  const defaulted = applyDefaults(object)
  const root: At = { path: '', value: defaulted }
  const ref = refOf(defaulted, kind)
  const findings = [
    ...schemaFindings(defaulted, kind),
    ...nameRules(root),
    ...(rulesOf(kind)?.(root, ref, world) ?? []),
  ]
  return findings.map((finding) => toIssue(finding, ref)).sort(byPlace)
}

/** Whether an object of a kind that others define is one that we have something to say about. */
export function isCheckedForOthers(object: Pick<KubeObject, 'apiVersion' | 'kind'>): boolean {
  return standardKindOf(object) !== undefined || isService(object)
}

function isService({ apiVersion, kind }: Pick<KubeObject, 'apiVersion' | 'kind'>): boolean {
  return apiVersion === 'v1' && kind === 'Service'
}

/** What fits on a screen or two; an object generated wrongly can have thousands. */
const MOST_LINES = 50

/** What an admission webhook answers. */
export interface Admission {
  readonly allowed: boolean
  /** Every error; empty when allowed. */
  readonly message: string
  readonly warnings: readonly string[]
}

export function toAdmission(issues: readonly Issue[]): Admission {
  const errors = issues.filter((issue) => levelOf(issue) === 'error')
  const warnings = issues.filter((issue) => levelOf(issue) === 'warning').slice(0, MOST_LINES)
  return { allowed: errors.length === 0, message: message(errors), warnings: warnings.map(formatProblem) }
}

function message(errors: readonly Issue[]): string {
  const [first, second] = errors
  if (first === undefined) return ''
  const object = formatObject(first.object)
  if (second === undefined) return `${object}: ${formatProblem(first)}`
  const lines = errors.slice(0, MOST_LINES).map((issue) => `- ${formatProblem(issue)}`)
  const rest = errors.length - lines.length
  const more = rest === 0 ? [] : [`- and ${rest} more`]
  return [`${errors.length} problems with ${object}:`, ...lines, ...more].join('\n')
}

const NAME_FORM = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/

function* nameRules(root: At): Iterable<Finding> {
  const name = at(root, 'metadata', 'name')
  const value = text(name)
  if (value === undefined) {
    if (text(at(root, 'metadata', 'generateName')) === undefined) yield foundAbout('NameMissing', name)
  } else if (!NAME_FORM.test(value)) {
    const plain = value.toLowerCase().replaceAll(/[^-a-z0-9.]+/g, '-')
    yield found('NameMalformed', name, { suggestion: NAME_FORM.test(plain) ? plain : 'cluster-1' })
  }
}

function refOf(object: KubeObject, kind: Kind): ObjectRef {
  const root: At = { path: '', value: object }
  const namespace = kind.scope === 'Cluster' ? undefined : text(at(root, 'metadata', 'namespace'))
  const name = text(at(root, 'metadata', 'name')) ?? text(at(root, 'metadata', 'generateName')) ?? '(no name)'
  const group = kind.group === MCS_GROUP ? { group: MCS_GROUP } : {}
  return { kind: kind.kind, ...group, ...(namespace === undefined ? {} : { namespace }), name }
}

/** Whatever stands there may be a credential. */
const SECRET = /^spec[.]kubeconfig($|[.[])/

function toIssue({ code, at: { path, value }, params }: Finding, object: ObjectRef): Issue {
  return {
    code,
    object,
    path,
    ...(value === undefined ? {} : { value: SECRET.test(path) ? '(not shown)' : value }),
    ...(params === undefined ? {} : { params }),
  }
}

function byPlace(a: Issue, b: Issue): number {
  return comparePaths(a.path, b.path) || (a.code < b.code ? -1 : a.code > b.code ? 1 : 0)
}

/** Names by text, indexes by number: targets[2] before targets[10]. */
const comparePaths = new Intl.Collator('en', { numeric: true }).compare
