/** Reading what a user wrote: never throws, whatever the shape; the path comes along. */

export interface At {
  /** As kubectl explain spells it: `spec.targets[1].weight`. */
  readonly path: string
  readonly value: unknown
}

/** Something wrong at a place, not yet tied to an object. */
export interface Finding {
  readonly code: string
  readonly at: At
  readonly params?: Readonly<Record<string, string | number>>
}

export function found(code: string, at: At, params?: Finding['params']): Finding {
  return params === undefined ? { code, at } : { code, at, params }
}

/** A problem of the place as a whole: the value is not repeated. */
export function foundAbout(code: string, { path }: At, params?: Finding['params']): Finding {
  return found(code, { path, value: undefined }, params)
}

export function field(at: At, name: string): At {
  const value = isRecord(at.value) && Object.hasOwn(at.value, name) ? at.value[name] : undefined
  return { path: at.path === '' ? name : `${at.path}.${name}`, value }
}

export function at(root: At, ...names: readonly string[]): At {
  return names.reduce(field, root)
}

/** Entries of a list; none when it is no list. */
export function items({ path, value }: At): readonly At[] {
  return Array.isArray(value) ? value.map((entry: unknown, i) => ({ path: `${path}[${i}]`, value: entry })) : []
}

/** The text, unless it is empty or something else: those are for the schema to report. */
export function text({ value }: At): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** All entries but the first of each key; entries without a key count as different. */
export function repeated(entries: readonly At[], keyOf: (entry: At) => string | undefined): readonly At[] {
  const seen = new Set<string>()
  return entries.filter((entry) => {
    const key = keyOf(entry)
    if (key === undefined || !seen.has(key)) {
      if (key !== undefined) seen.add(key)
      return false
    }
    return true
  })
}
