/** Programs of Debian packages in images: unpacked for a while, and copied with what they link to. */
import { copyFileSync, existsSync, mkdirSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { unpackPackages } from './debian.ts'
import { run } from './run.ts'
import { architecture, copyBinary } from './toolchain.ts'

/** Unpacks packages with all they depend on, and removes them when `use` is through. */
export async function withPackages(packages: readonly string[], use: (root: string) => Promise<void>): Promise<void> {
  const unpacked = await mkdtemp(join(tmpdir(), 'portolan-packages-'))
  try {
    await unpackPackages(unpacked, { image: packages }, () => undefined)
    await use(join(unpacked, 'image'))
  } finally {
    await rm(unpacked, { recursive: true, force: true })
  }
}

/** Fills a layer with one program of a package, which is at `from` there. */
export async function fillProgram(dir: string, name: string, from: string, to = from): Promise<void> {
  await withPackages([name, 'libc6'], async (root) => {
    // Where /bin is /usr/bin, packages may have either.
    const program = [from, join('usr', from)].find((path) => existsSync(join(root, path)))
    if (program === undefined) throw new Error(`package ${name} holds no ${from}`)
    await copyBinary(join(root, program), join(dir, to))
    await copyLibraries(root, dir, [program])
  })
}

/** Copies the libraries of programs, whose paths are below `from`, but for those of libc, which the base image has. */
export async function copyLibraries(from: string, to: string, programs: readonly string[]): Promise<void> {
  const { triplet, loader } = architecture()
  const libraries = join('usr/lib', triplet)
  mkdirSync(join(to, libraries), { recursive: true })
  const roots = [join(from, 'lib', triplet), join(from, libraries)]
  const own = join(from, 'lib', triplet, loader.split('/').pop() ?? '')
  for (const program of programs) {
    const listed = await run(own, ['--list', join(from, program)], { env: { LD_LIBRARY_PATH: roots.join(':') } })
    for (const [, path] of listed.matchAll(/=> (\S+)/g))
      if (path !== undefined && !/\/lib(c|m|dl|pthread|rt|resolv)\.so/.test(path))
        copyFileSync(path, join(to, libraries, path.slice(path.lastIndexOf('/') + 1)))
  }
}
