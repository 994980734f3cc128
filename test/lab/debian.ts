/** Debian packages by name, unpacked with all they depend on: no maintainer script runs, nothing is installed. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { mkdir, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { run, tryRun } from './run.ts'

/** This host's distribution and its version, as part of a cache's key: `debian12`. */
export function distribution(): string {
  const release = readFileSync('/etc/os-release', 'utf8')
  const field = (name: string) => new RegExp(`^${name}="?([^"\n]*)`, 'm').exec(release)?.[1] ?? 'unknown'
  return `${field('ID')}${field('VERSION_ID')}`
}

/**
 * Unpacks packages below `dir`: a directory `host` for what runs on this host, without libc, which must match the host's
 * loader; every other name whole, for an image.
 */
export async function unpackPackages(
  dir: string,
  roots: Readonly<Record<string, readonly string[]>>,
  progress: (text: string) => void,
): Promise<void> {
  if (!hasPackageLists()) {
    progress('apt-get update')
    await run('apt-get', ['update'])
  }
  const wanted = await Promise.all(
    Object.entries(roots).map(async ([root, names]) => {
      const all = await withDependencies(names)
      return [root, root === 'host' ? all.filter((name) => !OF_THE_HOST.test(name)) : all] as const
    }),
  )
  const debs = join(dir, 'debs')
  await mkdir(debs)
  await download(debs, [...new Set(wanted.flatMap(([, names]) => names))].sort())
  for (const [root, names] of wanted) {
    await mkdir(join(dir, root))
    for (const deb of (await readdir(debs)).sort())
      if (names.includes(deb.split('_')[0] ?? '')) await run('dpkg', ['-x', join(debs, deb), join(dir, root)])
  }
  await rm(debs, { recursive: true })
}

const OF_THE_HOST = /^(libc6|libgcc-s1|gcc-.*-base)$/

function hasPackageLists(): boolean {
  const lists = '/var/lib/apt/lists'
  return existsSync(lists) && readdirSync(lists).some((file) => file.includes('_Packages'))
}

/** The packages and everything they depend on, recursively; virtual names are left out. */
async function withDependencies(names: readonly string[]): Promise<readonly string[]> {
  const kinds = ['recommends', 'suggests', 'conflicts', 'breaks', 'replaces', 'enhances']
  const tree = await run('apt-cache', ['depends', '--recurse', ...kinds.map((kind) => `--no-${kind}`), ...names])
  return [...new Set(tree.split('\n').filter((line) => /^\w/.test(line)))].filter((name) => !name.includes(':')).sort()
}

/** Old package lists name files that the mirror has since replaced: then they are renewed once. */
async function download(dir: string, names: readonly string[]): Promise<void> {
  const first = await tryRun('apt-get', ['download', ...names], { cwd: dir })
  if (first.code === 0) return
  await run('apt-get', ['update'])
  await run('apt-get', ['download', ...names], { cwd: dir })
}
