/** The reference pages under docs/, as text. */
import { catalogue } from './diagnostics.ts'
import type { Diagnostic } from './issue.ts'
import type { Kind } from './kinds.ts'
import { ConditionSchema } from './meta.ts'
import { type Schema, toStructural } from './structural.ts'

const NOTE = '<!-- made by `make generate` -->'

/** docs/api.md: every kind with every field, the standard's after our own. */
export function apiReference(kinds: readonly Kind[], standard: readonly Kind[]): string {
  return [
    NOTE,
    '# API reference',
    '',
    'Every field of every kind. The manifests are in `charts/portolan/files/crds`, JSON schemas for editors in `api/json`.',
    ...kinds.flatMap((kind) => kindPage(kind)),
    '',
    '# Kinds of the standard',
    '',
    'Defined by [KEP-1645](https://github.com/kubernetes/enhancements/tree/master/keps/sig-multicluster/1645-multi-cluster-services-api) and [KEP-2149](https://github.com/kubernetes/enhancements/tree/master/keps/sig-multicluster/2149-clusterid), and described here as far as Portolan acts on them. The chart brings them (`crds.mcs`) unless something else has: `charts/portolan/files/crds-mcs`.',
    ...standard.flatMap((kind) => kindPage(kind, ` of ${kind.group}`)),
    '',
    '# What all kinds share',
    '',
    '## Conditions',
    '',
    'What the control plane found out about an object is in its `status.conditions`, one entry per type.',
    '',
    ...table(rows('conditions[]', toStructural(ConditionSchema).properties, toStructural(ConditionSchema).required)),
    '',
  ].join('\n')
}

function kindPage(kind: Kind, of = ''): readonly string[] {
  const short = kind.shortNames.length === 0 ? '' : `, short name \`${kind.shortNames.join('`, `')}\``
  const { spec, status } = kind
  return [
    '',
    `## ${kind.kind}${of}`,
    '',
    `${kind.versions.map((version) => `\`${kind.group}/${version}\``).join(' and ')}, ${SCOPES[kind.scope]}${short}. ${kind.description}`,
    '',
    ...table(rows('', { spec, status }, kind.specRequired ? ['spec'] : [])),
  ]
}

const SCOPES = { Cluster: 'one for the whole cluster', Namespaced: 'in a namespace' } as const

function table(body: readonly string[]): readonly string[] {
  return ['| field | type | default | meaning |', '|---|---|---|---|', ...body]
}

/** A row per field and per field below it; conditions are described once for all kinds. */
function rows(path: string, fields: Schema['properties'], required: readonly string[] = []): readonly string[] {
  return Object.entries(fields ?? {}).flatMap(([name, schema]) => {
    const own = path === '' ? name : `${path}.${name}`
    const standard = required.includes(name) && schema.default === undefined ? 'required' : defaultText(schema)
    const row = `| \`${own}\` | ${typeName(schema)} | ${standard} | ${cell(schema.description ?? '')} |`
    if (own === 'status.conditions') return [row.replace('list of objects', 'list of [conditions](#conditions)')]
    const { properties: below, required: belowRequired } = schema.items ?? schema
    return [row, ...rows(schema.items === undefined ? own : `${own}[]`, below, belowRequired)]
  })
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
