import type { Code } from '../api/diagnostics.ts'
import type { Issue, ObjectRef } from '../api/issue.ts'
import { by } from './order.ts'

/** A ConfigMap may hold 1 MiB; the rest is left for its metadata and for base64 on the way. */
export const SIZE_LIMIT_KB = 900

export interface Part {
  readonly name: string
  readonly bytes: number
}

const NAMED = 3

/** What files take of an object. */
export const bytesOf = (files: Readonly<Record<string, string>>): number =>
  Object.entries(files).reduce((sum, [name, text]) => sum + name.length + Buffer.byteLength(text), 0)

/**
 * Whether the files fit into one object. @returns the refusal, naming the largest parts, or nothing when they do.
 */
export const tooLarge = (
  object: ObjectRef,
  files: Readonly<Record<string, string>>,
  parts: () => readonly Part[],
  limitKb: number = SIZE_LIMIT_KB,
): Issue<Code> | undefined => {
  const bytes = bytesOf(files)
  if (bytes <= limitKb * 1000) return undefined
  const largest = [...parts()]
    .sort(
      by(
        (part) => -part.bytes,
        (part) => part.name,
      ),
    )
    .slice(0, NAMED)
    .map((part) => `${part.name} (${kilobytes(part.bytes)} kB)`)
    .join(', ')
  return { code: 'TableTooLarge', object, path: 'data', params: { size: kilobytes(bytes), limit: limitKb, largest } }
}

const kilobytes = (bytes: number): number => Math.ceil(bytes / 1000)
