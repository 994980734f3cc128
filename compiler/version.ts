import { createHash } from 'node:crypto'

/** A short name for content: the same value always gives the same version, on any machine. 16 hex digits. */
export const versionOf = (content: unknown): string =>
  createHash('sha256').update(JSON.stringify(content)).digest('hex').slice(0, 16)
