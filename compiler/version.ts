import { createHash } from 'node:crypto'
import { perObject } from './memo.ts'

const hash = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 16)

const versionOfItem = perObject((item: object) => hash(JSON.stringify(item)))

/** A short name for a list: the same content always gives the same version, on any machine. 16 hex digits. */
export const versionOf = perObject((items: readonly object[]) => hash(items.map(versionOfItem).join(' ')))

/** A version of a table. */
export const tableVersion = (routes: readonly object[], ...parts: readonly (object | undefined)[]): string => {
  const others = parts.filter((part) => part !== undefined).map(versionOfItem)
  return others.length === 0 ? versionOf(routes) : hash([versionOf(routes), ...others].join(' '))
}
