import { type Document, isMap, isNode, isSeq, LineCounter, type ParsedNode, parseAllDocuments, type Tags } from 'yaml'
import type { ManifestCode } from '../api/diagnostics/manifests.ts'
import type { Issue } from '../api/issue.ts'
import type { KubeObject } from '../api/meta.ts'
import type { Source } from './sources.ts'

/** One object of one file. */
export interface Manifest {
  readonly object: KubeObject
  readonly file: string
  /** Line of a field as issues spell it (`spec.targets[1].weight`), or of the nearest one around it that is there. */
  readonly lineOf: (path: string) => number
}

/** Something said about an object or a file, and where it is written. */
export interface Finding {
  readonly issue: Issue
  readonly file: string
  readonly line?: number
}

export interface Manifests {
  readonly manifests: readonly Manifest[]
  readonly findings: readonly Finding[]
}

/** Objects in the order of their files, lists unrolled. What is not an object is a finding. */
export function parseManifests(sources: readonly Source[]): Manifests {
  const all = sources.map(parseSource)
  return { manifests: all.flatMap(({ manifests }) => manifests), findings: all.flatMap(({ findings }) => findings) }
}

/** As kubectl reads them: YAML 1.1, but without its base-60 numbers and with timestamps as text. */
export function parseYaml(text: string, lineCounter: LineCounter = new LineCounter()): readonly Document.Parsed[] {
  const customTags = (tags: Tags): Tags =>
    tags.filter(
      (tag) => typeof tag === 'string' || (tag.format !== 'TIME' && tag.tag !== 'tag:yaml.org,2002:timestamp'),
    )
  const documents = parseAllDocuments(text, { lineCounter, version: '1.1', merge: true, customTags, logLevel: 'error' })
  return 'empty' in documents ? [] : documents
}

function parseSource({ name, text }: Source): Manifests {
  const lines = new LineCounter()
  const manifests: Manifest[] = []
  const findings: Finding[] = []
  for (const document of parseYaml(text, lines)) {
    const lineAt = (offset: number | undefined): number => lines.linePos(offset ?? document.range[0]).line
    const say = (code: ManifestCode, offset: number | undefined, params: Record<string, string>) =>
      findings.push({
        issue: { code, object: { kind: 'File', name }, path: '', params },
        file: name,
        line: lineAt(offset),
      })

    const { value, problem } = resolve(document)
    if (problem !== undefined) say('YamlBroken', problem.offset, { reason: problem.reason })
    // Nothing but comments, or nothing that can be used.
    if (value === undefined || value === null) continue
    for (const { value: item, node } of items(document, value)) {
      const missing = missingFields(item)
      if (missing === undefined) say('NotAnObject', node?.range?.[0], { actual: nameOf(item) })
      else if (missing.length > 0) say('ObjectIncomplete', node?.range?.[0], { missing: missing.join(' and ') })
      else manifests.push({ object: item as KubeObject, file: name, lineOf: (path) => lineAt(nearest(node, path)) })
    }
  }
  return { manifests, findings }
}

interface Item {
  readonly value: unknown
  readonly node: ParsedNode | undefined
}

interface Value {
  readonly value?: unknown
  readonly problem?: { readonly reason: string; readonly offset?: number }
}

function resolve(document: Document.Parsed): Value {
  const [error] = document.errors
  if (error !== undefined) return { problem: { reason: firstSentence(error.message), offset: error.pos[0] } }
  try {
    return { value: document.toJS() }
  } catch (cause) {
    // Aliases are followed only now: one may have no anchor, or too many may follow each other.
    return { problem: { reason: cause instanceof Error ? firstSentence(cause.message) : String(cause) } }
  }
}

function items(document: Document.Parsed, value: unknown): readonly Item[] {
  const isList = isRecord(value) && typeof value['kind'] === 'string' && value['kind'].endsWith('List')
  const list = isList ? value['items'] : undefined
  const nodeAt = (path: readonly (string | number)[]): ParsedNode | undefined => {
    const node = document.getIn(path, true)
    return isNode(node) ? (node as ParsedNode) : undefined
  }
  if (!Array.isArray(list)) return [{ value, node: nodeAt([]) }]
  return list.map((each: unknown, index) => ({ value: each, node: nodeAt(['items', index]) }))
}

/** Fields without which nothing can be said about an object; undefined when it is no object at all. */
function missingFields(value: unknown): readonly string[] | undefined {
  if (!isRecord(value)) return undefined
  const metadata = isRecord(value['metadata']) ? value['metadata'] : {}
  const named = metadata['name'] ?? metadata['generateName']
  const fields = { apiVersion: value['apiVersion'], kind: value['kind'], 'metadata.name': named }
  const missing = Object.entries(fields)
    .filter(([, field]) => typeof field !== 'string' || field === '')
    .map(([name]) => name)
  const { namespace = null } = metadata
  return namespace === null || typeof namespace === 'string' ? missing : [...missing, 'metadata.namespace that is text']
}

/** Offset of the node at `path`, or of the deepest one on the way there. */
function nearest(root: ParsedNode | undefined, path: string): number | undefined {
  let node: unknown = root
  let offset = root?.range?.[0]
  for (const step of stepsOf(path)) {
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => isNode(key) && String(key) === step)
      if (pair === undefined) return offset
      offset = (pair.key as ParsedNode).range[0]
      node = pair.value
    } else if (isSeq(node)) {
      node = node.items[Number(step)]
      if (!isNode(node)) return offset
      offset = node.range?.[0]
    } else return offset
  }
  return offset
}

/** `spec.targets[1]` → spec, targets, 1; `metadata.annotations[a.b/c]` → metadata, annotations, a.b/c. */
function stepsOf(path: string): readonly string[] {
  return [...path.matchAll(/\[([^\]]*)\]|[^.[\]]+/g)].map(([whole, bracketed]) => bracketed ?? whole)
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function nameOf(value: unknown): string {
  if (value === null) return 'empty'
  return Array.isArray(value) ? 'a list' : `a ${typeof value}`
}

/** The parser's message without the picture of the place, which is given as a line. */
function firstSentence(message: string): string {
  return message.split('\n')[0]?.replace(/( at line \d+, column \d+)?:?$/, '') ?? message
}
