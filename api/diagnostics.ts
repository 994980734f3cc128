/** The catalogue of everything the system has to say about an object, and the one way to print it. */
import { EGRESS } from './diagnostics/egress.ts'
import { FEDERATION } from './diagnostics/federation.ts'
import { GLOBAL } from './diagnostics/global.ts'
import { IDENTITY } from './diagnostics/identity.ts'
import { INJECTION } from './diagnostics/injection.ts'
import { INSPECTION } from './diagnostics/inspection.ts'
import { MANIFESTS } from './diagnostics/manifests.ts'
import { ROUTING } from './diagnostics/routing.ts'
import { STANDARD } from './diagnostics/standard.ts'
import { STANDARD_IMPORTS } from './diagnostics/standard-imports.ts'
import { TRUST } from './diagnostics/trust.ts'
import { VALIDATION } from './diagnostics/validation.ts'
import type { Diagnostic, Issue, Level, ObjectRef } from './issue.ts'

/** Code → diagnostic. A code is also a status reason, an Event reason and a metric label. */
export const catalogue = {
  ...VALIDATION,
  ...INJECTION,
  ...ROUTING,
  ...EGRESS,
  ...FEDERATION,
  ...GLOBAL,
  ...STANDARD,
  ...STANDARD_IMPORTS,
  ...TRUST,
  ...IDENTITY,
  ...MANIFESTS,
  ...INSPECTION,
} as const

export type Code = keyof typeof catalogue

const LONGEST_VALUE = 120
/** Of a path, a name or a list in a sentence. */
const LONGEST_TEXT = 1_000

/** The catalogue's row of an issue. @throws when the code is in no section. */
export function diagnosticOf(issue: Issue): Diagnostic {
  const found = (catalogue as Readonly<Record<string, Diagnostic>>)[issue.code]
  if (found === undefined) throw new Error(`no diagnostic has the code ${issue.code}`)
  return found
}

export function levelOf(issue: Issue): Level {
  return diagnosticOf(issue).level
}

/** `Kind ns/name: path: value: sentence. Fix.` on one line. */
export function format(issue: Issue): string {
  return `${formatObject(issue.object)}: ${formatProblem(issue)}`
}

/** `Kind ns/name`, without namespace for what has none. */
export function formatObject({ kind, namespace, name }: ObjectRef): string {
  return `${shortened(kind)} ${namespace === undefined ? '' : `${shortened(namespace)}/`}${shortened(name)}`
}

/** `path: value: sentence. Fix.`: an issue without its object. */
export function formatProblem(issue: Issue): string {
  const { sentence, fix } = diagnosticOf(issue)
  const value = issue.value === undefined ? undefined : formatValue(issue.value)
  const params = { ...issue.params, ...(value === undefined ? {} : { value }) }
  const said = `${fill(sentence, params)}. ${capital(fill(fix, params))}.`
  return [shortened(issue.path), sentence.includes('{value}') ? undefined : value, said]
    .filter((part) => part !== undefined && part !== '')
    .join(': ')
}

/** As JSON on one line, shortened: enough to find it in the manifest. */
function formatValue(value: unknown): string {
  const text = JSON.stringify(shallow(value, 3)) ?? typeof value
  return shortened(text, LONGEST_VALUE)
}

/** Names are users' own, too: of a megabyte, if they like. */
function shortened(text: string, most = LONGEST_TEXT): string {
  return text.length <= most ? text : `${text.slice(0, most)}…`
}

/** Users send values of any depth and length; printing all of one would exhaust the stack. */
function shallow(value: unknown, depth: number): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (depth === 0) return '…'
  if (Array.isArray(value)) return value.slice(0, LONGEST_VALUE).map((entry: unknown) => shallow(entry, depth - 1))
  const fields = Object.entries(value).slice(0, LONGEST_VALUE)
  return Object.fromEntries(fields.map(([name, child]) => [name, shallow(child, depth - 1)]))
}

function fill(template: string, params: Readonly<Record<string, string | number>>): string {
  return template.replaceAll(/\{(\w+)\}/g, (whole, name: string) => {
    const value = params[name]
    return value === undefined ? whole : shortened(String(value))
  })
}

function capital(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1)
}
