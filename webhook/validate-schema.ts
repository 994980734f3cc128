/** What the schema alone can say about an object, in the catalogue's words. */
import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv'
import { jsonSchema } from '../api/crd.ts'
import { KINDS, type Kind } from '../api/kinds.ts'
import type { KubeObject } from '../api/meta.ts'
import { STANDARD_KINDS } from '../api/standard-kinds.ts'
import type { Schema } from '../api/structural.ts'
import { nearest } from '../compiler/nearest.ts'
import { type Finding, isRecord } from './validate-read.ts'

const ajv = new Ajv({ allErrors: true, verbose: true, strict: false, validateFormats: false })
const validators: ReadonlyMap<Kind, ValidateFunction> = new Map(
  [...KINDS, ...STANDARD_KINDS].map((kind) => [kind, ajv.compile(jsonSchema(kind))]),
)

export function schemaFindings(object: KubeObject, kind: Kind): readonly Finding[] {
  const validate = validators.get(kind)
  if (validate === undefined || validate(object)) return []
  const errors = validate.errors ?? []
  // What has the wrong type is also none of the allowed values; once said is enough.
  const ofWrongType = new Set(
    errors.filter(({ keyword }) => keyword === 'type').map(({ instancePath }) => instancePath),
  )
  return errors
    .filter(({ keyword, instancePath }) => keyword === 'type' || !ofWrongType.has(instancePath))
    .map((error) => toFinding(error, object))
}

function toFinding(error: ErrorObject, object: KubeObject): Finding {
  const at = { path: fieldPath(error.instancePath, object), value: error.data }
  const schema = error.parentSchema as Schema
  const params = error.params as Readonly<Record<string, unknown>>
  switch (error.keyword) {
    case 'additionalProperties':
      return unknownField(at.path, String(params['additionalProperty']), error.data, schema)
    case 'required':
      return missingField(at.path, String(params['missingProperty']), schema)
    case 'type':
      return wrongType(at, params['type'])
    case 'enum':
    case 'const':
      return unknownValue(at, (params['allowedValues'] ?? [params['allowedValue']]) as readonly unknown[])
    case 'minimum':
    case 'maximum':
      return { code: 'NumberOutOfRange', at, params: { min: schema.minimum ?? 0, max: schema.maximum ?? 2 ** 31 - 1 } }
    case 'minLength':
      return { code: 'TextEmpty', at }
    case 'maxLength':
      return { code: 'TextTooLong', at, params: { count: String(error.data).length, max: schema.maxLength ?? 0 } }
    case 'pattern':
      return {
        code: 'TypeWrong',
        at,
        params: { expected: 'of the form it must have', remedy: `match ${schema.pattern}` },
      }
    case 'maxItems':
      return {
        code: 'ListTooLong',
        at: { path: at.path, value: undefined },
        params: { count: (error.data as readonly unknown[]).length, max: schema.maxItems ?? 0 },
      }
    default:
      throw new Error(`the schema uses ${error.keyword}, which has no diagnostic`)
  }
}

function unknownField(parent: string, name: string, holder: unknown, schema: Schema): Finding {
  const value = isRecord(holder) ? holder[name] : undefined
  const meant = nearest(name, Object.keys(schema.properties ?? {}))
  return {
    code: 'FieldUnknown',
    at: { path: join(parent, name), value },
    params: { parent: parent || 'the object', field: name, hint: meant === undefined ? '' : `, or write ${meant}` },
  }
}

function missingField(parent: string, name: string, schema: Schema): Finding {
  const meaning = schema.properties?.[name]?.description ?? name
  return {
    code: 'FieldRequired',
    at: { path: join(parent, name), value: undefined },
    params: { meaning: meaning.replace(/[.]$/, '') },
  }
}

function unknownValue(at: Finding['at'], allowed: readonly unknown[]): Finding {
  const names = allowed.map(String)
  // Not String(): an object can have a toString that is no function.
  const meant = typeof at.value === 'string' ? nearest(at.value, names) : undefined
  return {
    code: 'EnumUnknown',
    at,
    params: { remedy: valueRemedy(meant, names) },
  }
}

function valueRemedy(meant: string | undefined, names: readonly string[]): string {
  if (names.length === 1) return String(names[0])
  return meant === undefined ? `one of ${names.join(', ')}` : `${meant}; allowed are ${names.join(', ')}`
}

function wrongType(at: Finding['at'], type: unknown): Finding {
  const expected = expectedType(type)
  return { code: 'TypeWrong', at, params: { expected, remedy: typeRemedy(at.value, type) ?? `write ${expected}` } }
}

/** The usual slips of YAML. */
function typeRemedy(value: unknown, type: unknown): string | undefined {
  if (type === 'string' && typeof value === 'number') return `put it in quotes: "${value}"`
  if (type === 'string' && typeof value === 'boolean')
    return 'put the word in quotes; YAML reads yes, no, on and off as booleans'
  if (type === 'integer' && typeof value === 'string' && /^-?\d+$/.test(value)) return `write ${value} without quotes`
  if (type === 'array' && typeof value !== 'object') return 'write a list, even of one'
  return undefined
}

function expectedType(type: unknown): string {
  return [type]
    .flat()
    .map((name) => TYPE_NAMES[String(name)] ?? String(name))
    .join(' or ')
}

const TYPE_NAMES: Readonly<Record<string, string>> = {
  array: 'a list',
  boolean: 'true or false',
  integer: 'a whole number',
  number: 'a fraction',
  object: 'a map of fields',
  string: 'text',
}

/** `/spec/targets/1/weight` → `spec.targets[1].weight`. */
function fieldPath(pointer: string, root: unknown): string {
  let path = ''
  let value = root
  for (const token of pointer.split('/').slice(1)) {
    const name = token.replaceAll('~1', '/').replaceAll('~0', '~')
    path = Array.isArray(value) ? `${path}[${name}]` : join(path, name)
    value = (value as Readonly<Record<string, unknown>>)[name]
  }
  return path
}

function join(path: string, name: string): string {
  return path === '' ? name : `${path}.${name}`
}
