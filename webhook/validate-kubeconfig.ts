/** Rules for a kubeconfig given as text. No finding repeats any of it: it holds credentials. */
import { parseDocument } from 'yaml'
import { serverUrl } from '../kube/server-url.ts'
import { unreachable } from './validate-fields.ts'
import { type At, at, type Finding, field, foundAbout, isRecord, items, text } from './validate-read.ts'

/** Fields that name a file or a program of the machine the kubeconfig was made on. */
const ELSEWHERE = {
  cluster: ['certificate-authority'],
  user: ['client-certificate', 'client-key', 'tokenFile', 'exec', 'auth-provider'],
} as const

export function* kubeconfigRules(inline: At): Iterable<Finding> {
  const source = text(inline)
  if (source === undefined) return
  const { value, problem } = parsed(source)
  if (problem !== undefined) {
    yield foundAbout('KubeconfigBroken', inline, { problem })
    return
  }
  const root = { path: '', value }
  for (const broken of referenceProblems(root)) yield foundAbout('KubeconfigBroken', inline, { problem: broken })
  for (const name of elsewhere(root)) yield foundAbout('KubeconfigNotSelfContained', inline, { field: name })
  for (const server of loopbackServers(root)) yield foundAbout('KubeconfigLoopback', inline, { server })
}

function parsed(source: string): { readonly value?: unknown; readonly problem?: string } {
  const document = parseDocument(source, { prettyErrors: true, logLevel: 'silent' })
  const [error] = document.errors
  if (error !== undefined) {
    const line = error.linePos?.[0].line
    return { problem: `it is not YAML (${error.code}${line === undefined ? '' : ` in line ${line}`})` }
  }
  try {
    const value: unknown = document.toJS()
    return isRecord(value) ? { value } : { problem: 'it is not a map of fields' }
  } catch {
    // Aliases are followed only here: one may have no anchor, or many may unfold without end.
    return { problem: 'an alias in it leads nowhere, or too far' }
  }
}

/** From current-context to context to cluster and user: what leads nowhere. */
function* referenceProblems(root: At): Iterable<string> {
  const current = text(field(root, 'current-context'))
  if (current === undefined) {
    yield 'current-context is missing'
    return
  }
  const context = named(root, 'contexts', current)
  if (context === undefined) {
    yield 'contexts has no entry that current-context names'
    return
  }
  const cluster = named(root, 'clusters', text(at(context, 'context', 'cluster')))
  if (cluster === undefined) yield 'clusters has no entry that the context names'
  else if (serverUrl(text(at(cluster, 'cluster', 'server'))) === undefined)
    yield 'the server of the cluster is not a plain https URL'
  const user = named(root, 'users', text(at(context, 'context', 'user')))
  if (user === undefined) yield 'users has no entry that the context names'
}

function named(root: At, list: string, name: string | undefined): At | undefined {
  return name === undefined ? undefined : items(field(root, list)).find((entry) => field(entry, 'name').value === name)
}

function elsewhere(root: At): readonly string[] {
  const used = (list: string, part: 'cluster' | 'user') =>
    items(field(root, list)).flatMap((entry) =>
      ELSEWHERE[part].filter((name) => at(entry, part, name).value != null).map((name) => `${part}.${name}`),
    )
  return [...new Set([...used('clusters', 'cluster'), ...used('users', 'user')])]
}

function loopbackServers(root: At): readonly string[] {
  return items(field(root, 'clusters'))
    .flatMap((entry) => serverUrl(text(at(entry, 'cluster', 'server'))) ?? [])
    .map(({ hostname }) => hostname.replace(/^\[|\]$/g, ''))
    .filter((host) => unreachable(host) !== undefined)
}
