import type { KubeObject } from '../api/meta.ts'
import { by, unique } from './order.ts'

/** namespace/name */
export const keyOf = (object: KubeObject): string => `${object.metadata.namespace ?? 'default'}/${object.metadata.name}`

/** A key to sort by age with, the oldest first. An object that was never applied is younger than all that were. */
export const createdAt = ({ metadata }: KubeObject): string => metadata.creationTimestamp ?? '~'

/** The oldest first, of the same second by namespace and name; each once. */
export const oldestFirst = <T extends KubeObject>(objects: readonly T[]): readonly T[] =>
  unique([...objects].sort(by(createdAt, keyOf)), keyOf)

export const byKey = <T extends KubeObject>(objects: readonly T[]): ReadonlyMap<string, T> =>
  new Map(objects.map((object) => [keyOf(object), object]))
