import { nearest } from '../../compiler/nearest.ts'
import { UsageError } from '../io.ts'

/** One object of a kind that is clear from where the name stands. */
export interface Named {
  readonly namespace: string
  readonly name: string
}

/**
 * `[namespace/]name` as a person writes it.
 * @param what for the sentence: `a service`, `a pod`
 * @throws UsageError when it is neither
 */
export function parseName(text: string, namespace: string, what: string): Named {
  const [first = '', second = first, ...rest] = text.split('/')
  if (rest.length > 0 || first === '' || second === '')
    throw new UsageError(`${text} does not name ${what}; write namespace/name`)
  return text.includes('/') ? { namespace: first, name: second } : { namespace, name: first }
}

/** ` (did you mean shop/checkout?)`, or nothing when no name is like it. */
export function suggestion(wanted: string, known: readonly string[]): string {
  const nameOf = (key: string) => key.slice(key.indexOf('/') + 1)
  const elsewhere = known.find((key) => nameOf(key) === nameOf(wanted))
  const likely = elsewhere ?? nearest(wanted, known)
  return likely === undefined ? '' : ` (did you mean ${likely}?)`
}
