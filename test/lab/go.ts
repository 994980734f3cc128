/** Programs of a Go module, built from source and kept by the hash of what they are built from. */
import { readFileSync } from 'node:fs'
import { symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { cached, filesBelow, type Step, shortHash } from './cache.ts'
import { run } from './run.ts'

const ENV = { CGO_ENABLED: '0', GOFLAGS: '-trimpath -buildvcs=false' }

/**
 * Directory with the programs of the module at `source`; its name begins with `name`. `programs` are its packages with
 * their linker flags, `links` further names by which one of them is called.
 */
export function buildGo(
  source: string,
  name: string,
  programs: Readonly<Record<string, string>>,
  step: Step,
  links: Readonly<Record<string, readonly string[]>> = {},
): Promise<string> {
  const sources = filesBelow(source).map((file) => `${file}\n${readFileSync(join(source, file), 'utf8')}`)
  const key = shortHash(JSON.stringify([programs, ENV, process.arch]), ...sources)
  return cached(`${name}-${key}`, step, async (dir, progress) => {
    progress('fetching modules')
    // Some distributions' Go would not fetch the newer toolchain that go.mod names.
    const env = { ...ENV, GOTOOLCHAIN: process.env['GOTOOLCHAIN'] ?? 'auto' }
    const go = (args: readonly string[], onLine?: (line: string) => void) =>
      run('go', args, { cwd: source, env, ...(onLine === undefined ? {} : { onLine }) })
    // Fetches what the programs need, unlike `go mod download`, which takes in all that go.mod's modules name.
    const total = (await go(['list', '-deps', './...'])).trim().split('\n').length
    let built = 0
    for (const [program, ldflags] of Object.entries(programs))
      await go(['build', '-v', '-ldflags', ldflags, '-o', join(dir, program), `./${program}`], () => {
        built += 1
        progress(`${built} of ${total} packages compiled`)
      })
    for (const [program, names] of Object.entries(links))
      for (const each of names) await symlink(program, join(dir, each))
  })
}
