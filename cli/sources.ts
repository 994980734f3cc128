import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { type Io, UsageError } from './io.ts'

/** The text of one file of manifests, under the name it was asked for. */
export interface Source {
  readonly name: string
  readonly text: string
}

const MANIFEST = /\.(ya?ml|json)$/

/**
 * Reads files, whole directories (every .yaml, .yml and .json below, sorted by name) and, for `-`, stdin.
 * @throws UsageError for what is not there
 */
export async function readSources(paths: readonly string[], io: Pick<Io, 'stdin'>): Promise<readonly Source[]> {
  const sources: Source[] = []
  for (const path of paths) {
    if (path === '-') sources.push({ name: '-', text: await io.stdin() })
    else for (const name of await filesAt(path)) sources.push({ name, text: await readFile(name, 'utf8') })
  }
  return sources
}

async function filesAt(path: string): Promise<readonly string[]> {
  const found = await stat(path).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT') throw new UsageError(`there is no file or directory ${path}`)
    throw new UsageError(`${path} cannot be read: ${cause.message}`, { cause })
  })
  if (!found.isDirectory()) return [path]
  const files = (await readdir(path, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile() && MANIFEST.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
  if (files.length === 0) throw new UsageError(`directory ${path} holds no .yaml, .yml or .json file`)
  return files
}
