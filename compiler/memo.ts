/** Values that are never changed have one answer each: it is computed once and kept as long as they live. */

export const perObject = <Key extends object, Value>(compute: (key: Key) => Value): ((key: Key) => Value) => {
  const known = new WeakMap<Key, { readonly value: Value }>()
  return (key) => {
    const found = known.get(key)
    if (found) return found.value
    const value = compute(key)
    known.set(key, { value })
    return value
  }
}

/**
 * The last answer for an object is kept while everything else it was made of is the same, told by identity.
 * `compute` must look at nothing but `key` and `parts`.
 */
export class LastAnswers<Key extends object, Value> {
  readonly #known = new WeakMap<Key, { readonly parts: readonly unknown[]; readonly value: Value }>()

  get(key: Key, parts: readonly unknown[], compute: () => Value): Value {
    const found = this.#known.get(key)
    if (found && found.parts.length === parts.length && parts.every((part, index) => part === found.parts[index])) {
      return found.value
    }
    const value = compute()
    this.#known.set(key, { parts, value })
    return value
  }
}

const shared = new Map<string, WeakRef<object>>()
const forgotten = new FinalizationRegistry((text: string) => {
  if (shared.get(text)?.deref() === undefined) shared.delete(text)
})

/** One copy of what many objects repeat: values whose JSON is the same are the same value, for as long as anybody holds it. */
export function sharing<T extends object>(value: T): T {
  const text = JSON.stringify(value)
  const found = shared.get(text)?.deref() as T | undefined
  if (found !== undefined) return found
  shared.set(text, new WeakRef(value))
  forgotten.register(value, text)
  return value
}
