import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { KubeObject } from '../api/meta.ts'
import { UsageError } from './io.ts'
import { toYaml } from './print.ts'

/** What one cluster is to be given. */
export interface Made {
  readonly cluster: string
  readonly clusterKey: string
  readonly objects: readonly KubeObject[]
}

const HEADER = '# Made by `portolan federate` from what other clusters export.'

/** Manifests as kubectl reads them. Empty for a cluster that imports nothing. */
export function documents({ cluster, clusterKey, objects }: Made): string {
  if (objects.length === 0) return ''
  return `${HEADER}\n# Cluster ${cluster}: ${clusterKey}\n${objects.map(toYaml).join('---\n')}`
}

const FILE = 'federated.yaml'

/**
 * Writes CLUSTER/federated.yaml for each cluster where it differs, and removes those of clusters that import nothing any more.
 *
 * @returns what became of each file
 * @throws UsageError when a file of that name is somebody else's
 */
export async function writeAll(out: string, made: readonly Made[]): Promise<readonly string[]> {
  const lines: string[] = []
  const current = new Map(made.map((each) => [join(out, each.cluster, FILE), documents(each)]))
  for (const file of await writtenBefore(out)) if (!current.get(file)) lines.push(await remove(file))
  for (const [file, content] of current) {
    if (content === '') continue
    const before = await textOf(file)
    if (before !== undefined && !before.startsWith(HEADER))
      throw new UsageError(`${file} was not made by this command and is not overwritten; rename it`)
    if (before !== content) {
      await mkdir(dirname(file), { recursive: true })
      await writeFile(file, content)
    }
    lines.push(`${file}  ${before === content ? 'unchanged' : 'written'}\n`)
  }
  return lines
}

async function writtenBefore(out: string): Promise<readonly string[]> {
  await mkdir(out, { recursive: true })
  const folders = (await readdir(out, { withFileTypes: true })).filter((entry) => entry.isDirectory())
  const files = folders.map(({ name }) => join(out, name, FILE)).sort()
  const texts = await Promise.all(files.map(textOf))
  return files.filter((_, index) => texts[index]?.startsWith(HEADER))
}

async function textOf(file: string): Promise<string | undefined> {
  return readFile(file, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT') return undefined
    throw new UsageError(`${file} cannot be read: ${cause.message}`, { cause })
  })
}

async function remove(file: string): Promise<string> {
  await rm(file)
  return `${file}  removed\n`
}
