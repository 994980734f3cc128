/** One schema, two readers: the API server wants structural schemas, ajv wants to refuse what nobody declared. */
import type { TSchema } from 'typebox'

/** The part of JSON schema that our kinds use. */
export interface Schema {
  readonly type?: string | readonly string[]
  readonly description?: string
  readonly default?: unknown
  readonly enum?: readonly unknown[]
  readonly required?: readonly string[]
  readonly properties?: Readonly<Record<string, Schema>>
  readonly additionalProperties?: Schema | boolean
  readonly patternProperties?: Readonly<Record<string, Schema>>
  readonly items?: Schema
  readonly anyOf?: readonly Schema[]
  readonly minimum?: number
  readonly maximum?: number
  readonly minLength?: number
  readonly maxLength?: number
  readonly pattern?: string
  readonly maxItems?: number
  readonly [extension: `x-kubernetes-${string}`]: unknown
}

/** The schema as a CRD carries it: every node typed, records as additionalProperties. */
export function toStructural(source: TSchema | Schema): Schema {
  const { patternProperties, properties, items, ...rest } = source as Schema
  const values = patternProperties === undefined ? undefined : Object.values(patternProperties)[0]
  return {
    ...(rest.enum !== undefined && rest.type === undefined ? { type: 'string' } : {}),
    ...rest,
    ...(values === undefined ? {} : { additionalProperties: toStructural(values) }),
    ...(items === undefined ? {} : { items: toStructural(items) }),
    ...(properties === undefined
      ? {}
      : { properties: Object.fromEntries(Object.entries(properties).map(([name, s]) => [name, toStructural(s)])) }),
  }
}

/** The schema as a strict validator wants it: an object has the fields it declares and no other. */
export function toStrict(structural: Schema): Schema {
  const { properties, items, additionalProperties, anyOf, ...rest } = structural
  const own = Object.fromEntries(Object.entries(rest).filter(([key]) => !key.startsWith('x-kubernetes-')))
  return {
    ...own,
    ...(anyOf === undefined ? {} : { type: anyOf.flatMap((alternative) => alternative.type ?? []) }),
    ...(typeof additionalProperties === 'object' ? { additionalProperties: toStrict(additionalProperties) } : {}),
    ...(items === undefined ? {} : { items: toStrict(items) }),
    ...(properties === undefined
      ? {}
      : {
          properties: Object.fromEntries(Object.entries(properties).map(([name, s]) => [name, toStrict(s)])),
          additionalProperties: false,
        }),
  }
}
