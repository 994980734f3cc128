import type { KubeObject } from './object.ts'

interface ManagedFields {
  readonly manager?: string
  readonly operation?: string
  readonly subresource?: string
  readonly time?: string
  readonly fieldsV1?: FieldSet
}

/** What a manager owns: `f:` a field, `k:` a list entry by its keys, `v:` one by its value, `.` the thing itself. */
export type FieldSet = { readonly [key: string]: FieldSet }

const entriesOf = ({ metadata }: KubeObject, manager: string): readonly ManagedFields[] => {
  const { managedFields = [] } = metadata as { readonly managedFields?: readonly ManagedFields[] }
  return managedFields.filter((entry) => entry.manager === manager && entry.operation === 'Apply')
}

/**
 * Names of the fields, or keys of the list entries, right under `path` that `manager` has applied: what it must repeat
 * or else give up. Read from the object, so that it is known after a restart too.
 */
export function ownedUnder(object: KubeObject, manager: string, path: readonly string[]): readonly string[] {
  const found = entriesOf(object, manager).flatMap(({ fieldsV1 }) => {
    const fields = path.reduce<FieldSet | undefined>((set, name) => set?.[`f:${name}`], fieldsV1)
    return Object.keys(fields ?? {})
  })
  return found.flatMap((key) => {
    if (key.startsWith('f:')) return [key.slice(2)]
    if (!key.startsWith('k:')) return []
    const [value] = Object.values(JSON.parse(key.slice(2)) as Readonly<Record<string, unknown>>)
    return [String(value)]
  })
}

/** What `manager` has applied of the object, its status left out; undefined when that is nothing. */
export function fieldsOf(object: KubeObject, manager: string): FieldSet | undefined {
  const sets = entriesOf(object, manager).flatMap(({ subresource, fieldsV1 = {} }) =>
    subresource === undefined ? [fieldsV1] : [],
  )
  return sets.length === 0 ? undefined : sets.reduce(union)
}

function union(a: FieldSet, b: FieldSet): FieldSet {
  const shared = Object.keys(a).filter((key) => key in b)
  return { ...a, ...b, ...Object.fromEntries(shared.map((key) => [key, union(a[key] ?? {}, b[key] ?? {})])) }
}

/** When `manager` last changed the object, RFC 3339. */
export const lastApplied = (object: KubeObject, manager: string): string | undefined =>
  entriesOf(object, manager)
    .flatMap(({ time }) => (time === undefined ? [] : [time]))
    .toSorted()
    .at(-1)

/** The object without what other managers have written about their own fields: the greater part of many objects. */
export function withOwnFieldsOnly<T extends KubeObject>(object: T, manager: string): T {
  return { ...object, metadata: { ...object.metadata, managedFields: entriesOf(object, manager) } }
}
