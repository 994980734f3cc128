import { kindOf } from './kinds.ts'
import type { KubeObject } from './meta.ts'
import type { Schema } from './structural.ts'

/** The object with the documented defaults filled in, as the API server stores it. Objects of other kinds are unchanged. */
export function applyDefaults<T extends KubeObject>(object: T): T {
  const kind = kindOf(object)
  if (kind === undefined) return object
  const { spec } = object as T & { readonly spec?: unknown }
  const filled = withDefaults(spec, kind.spec)
  return filled === spec ? object : { ...object, spec: filled }
}

/** Null counts as absent where there is a default, as it does for the API server. Unchanged parts stay the same value. */
function withDefaults(value: unknown, schema: Schema): unknown {
  if ((value === undefined || value === null) && schema.default !== undefined) {
    return withDefaults(structuredClone(schema.default), schema)
  }
  if (Array.isArray(value)) {
    const { items } = schema
    return items === undefined
      ? value
      : unlessSame(
          value,
          value.map((item) => withDefaults(item, items)),
        )
  }
  if (typeof value !== 'object' || value === null || schema.properties === undefined) return value
  const added = Object.entries(schema.properties)
    .map(([name, child]) => [name, withDefaults((value as Readonly<Record<string, unknown>>)[name], child)] as const)
    .filter(([name, filled]) => filled !== (value as Readonly<Record<string, unknown>>)[name])
  return added.length === 0 ? value : { ...value, ...Object.fromEntries(added) }
}

function unlessSame(before: readonly unknown[], after: readonly unknown[]): readonly unknown[] {
  return after.every((item, i) => item === before[i]) ? before : after
}
