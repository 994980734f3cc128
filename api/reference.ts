/** The reference pages under docs/, as text. */
import { catalogue } from './diagnostics.ts'
import type { Diagnostic } from './issue.ts'
import type { Kind } from './kinds.ts'
import { VERSION } from './names.ts'
import type { Schema } from './structural.ts'

const NOTE = '<!-- made by `make generate` -->'

/** docs/api.md: every kind with every field. */
export function apiReference(kinds: readonly Kind[]): string {
  return [
    NOTE,
    '# API reference',
    '',
    'Every field of every kind. The manifests are in `charts/portolan/files/crds`, JSON schemas for editors in `api/json`.',
    ...kinds.flatMap(kindPage),
    '',
  ].join('\n')
}

function kindPage(kind: Kind): readonly string[] {
  return [
    '',
    `## ${kind.kind}`,
    '',
    `\`${kind.group}/${VERSION}\`, ${kind.scope.toLowerCase()}${kind.shortNames.length > 0 ? `, short name \`${kind.shortNames.join('`, `')}\`` : ''}. ${kind.description}`,
    '',
    '| field | type | default | meaning |',
    '|---|---|---|---|',
    ...fields('spec', kind.spec),
    ...fields('status', kind.status),
  ]
}

function fields(path: string, schema: Schema): readonly string[] {
  return [
    `| \`${path}\` | ${typeName(schema)} | ${defaultText(schema)} | ${cell(schema.description ?? '')} |`,
    ...Object.entries(schema.properties ?? {}).flatMap(([name, child]) => fields(`${path}.${name}`, child)),
    ...(schema.items?.properties !== undefined
      ? Object.entries(schema.items.properties).flatMap(([name, child]) => fields(`${path}[].${name}`, child))
      : []),
  ]
}

function typeName(schema: Schema): string {
  if (schema.enum !== undefined) return schema.enum.map((v) => `\`${String(v)}\``).join(' or ')
  if (schema['x-kubernetes-int-or-string'] === true) return 'integer or string'
  if (schema.items !== undefined)
    return `list of ${schema.items.properties === undefined ? typeName(schema.items) : 'objects'}`
  if (typeof schema.additionalProperties === 'object') return `map to ${typeName(schema.additionalProperties)}`
  const from = schema.minimum
  const to = schema.maximum
  const range = from === undefined ? '' : to === undefined ? `, ≥ ${from}` : `, ${from} to ${to}`
  return `${schema.type ?? 'any'}${range}`
}

function defaultText(schema: Schema): string {
  return schema.default === undefined ? '' : `\`${JSON.stringify(schema.default)}\``
}

/** docs/diagnostics.md: every code of the catalogue. */
export function diagnosticsReference(): string {
  const rows = Object.entries<Diagnostic>(catalogue)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([code, d]) => `| \`${code}\` | ${d.level} | ${cell(d.sentence)} | ${cell(d.fix)} |`)
  return [
    NOTE,
    '# Diagnostics',
    '',
    'Everything Portolan has to say about an object. The code is the same in the webhook’s answers, in the CLI, as the reason of a status condition or an Event, and as a metric label. Words in braces are filled in.',
    '',
    '| code | level | what is wrong | what to do |',
    '|---|---|---|---|',
    ...rows,
    '',
  ].join('\n')
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ')
}
