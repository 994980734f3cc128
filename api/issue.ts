/** What the system has to say about an object: data. Printing it is someone else's job. */

export type Level = 'error' | 'warning' | 'info'

/** One row of the catalogue. `sentence` and `fix` are templates: `{value}` and any other `{param}` are filled in. */
export interface Diagnostic {
  readonly level: Level
  /** Says what is wrong, in one sentence, without a final stop. */
  readonly sentence: string
  /** Says what to do about it, in the imperative, without a final stop. */
  readonly fix: string
}

export interface ObjectRef {
  readonly kind: string
  /** Only where another group has a kind of the same name. */
  readonly group?: string
  readonly namespace?: string
  readonly name: string
}

export interface Issue<Code extends string = string> {
  readonly code: Code
  readonly object: ObjectRef
  /** Path in the object, as kubectl explain spells it: `spec.targets[1].weight`. Empty for the whole object. */
  readonly path: string
  /** The offending value, when there is one. */
  readonly value?: unknown
  readonly params?: Readonly<Record<string, string | number>>
}
