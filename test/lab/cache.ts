/** Things that are made once and kept by version: each a directory of the cache that is either whole or absent. */
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, rmSync, statSync } from 'node:fs'
import { rename } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'

/** Where everything that is downloaded or built is kept; safe to delete while no lab is up. */
export const CACHE = process.env['PORTOLAN_CACHE'] ?? join(homedir(), '.cache', 'portolan')

/** The first 12 hex digits of the SHA-256 of the parts. */
export function shortHash(...parts: readonly (string | Uint8Array)[]): string {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part).update('\0')
  return hash.digest('hex').slice(0, 12)
}

export function say(line: string): void {
  process.stderr.write(`${line}\n`)
}

/** Holds an exclusive lock while `body` runs, across processes. The kernel gives it back when the holder dies. */
export async function locked<T>(file: string, body: () => Promise<T>): Promise<T> {
  mkdirSync(join(file, '..'), { recursive: true })
  const holder = spawn('flock', [file, 'sh', '-c', 'echo held; exec cat'], { stdio: ['pipe', 'pipe', 'inherit'] })
  const gone = new Promise<void>((resolve) => holder.on('close', () => resolve()))
  await new Promise<void>((resolve, reject) => {
    holder.on('error', (cause) => reject(new Error('flock (util-linux) cannot be started', { cause })))
    holder.on('close', (code) => reject(new Error(`flock ${file} ended with code ${code}`)))
    holder.stdout.once('data', () => resolve())
  })
  try {
    return await body()
  } finally {
    holder.stdin.end()
    await gone
  }
}

export interface Step {
  /** What is being done, for people: `Kubernetes 1.35.4 from source`. */
  readonly title: string
  /** How long it takes the first time, for people: `6 min`. */
  readonly expect: string
}

/**
 * The directory CACHE/`name`, made by `make` if it is not there. `make` fills a directory that is renamed into place
 * when it has succeeded, so an interrupted run leaves nothing half done; of two processes one makes, the other waits.
 * `make` may call `progress` with a short text, which is shown with the time passed every ten seconds.
 */
export async function cached(
  name: string,
  step: Step,
  make: (dir: string, progress: (text: string) => void) => Promise<void>,
): Promise<string> {
  const done = join(CACHE, name)
  if (existsSync(done)) return done
  return locked(join(CACHE, `.lock-${name}`), async () => {
    if (existsSync(done)) return done
    // Its name is ours alone: what a killed maker's programs still write goes nowhere.
    for (const left of readdirSync(CACHE).filter((each) => each.startsWith(`.draft-${name}.`)))
      rmSync(join(CACHE, left), { recursive: true, force: true })
    const draft = join(CACHE, `.draft-${name}.${process.pid}`)
    mkdirSync(draft, { recursive: true })
    const start = performance.now()
    let detail = ''
    const passed = () => `${Math.round((performance.now() - start) / 1000)} s`
    say(`make  ${step.title}: about ${step.expect}, once`)
    const ticker = setInterval(() => say(`  …   ${step.title}: ${passed()}${detail && `, ${detail}`}`), 10_000)
    try {
      await make(draft, (text) => {
        detail = text
      })
      await rename(draft, done)
      say(`done  ${step.title}: ${passed()}`)
      return done
    } finally {
      clearInterval(ticker)
      rmSync(draft, { recursive: true, force: true })
    }
  })
}

/**
 * Removes older things of a family (`seed-`, `layer-base-`) but the newest of them, which another working tree may use.
 * Not for what running clusters execute from.
 */
export function forgetOlder(family: string, current: string): void {
  const age = (name: string) => statSync(join(CACHE, name)).mtimeMs
  const older = readdirSync(CACHE).filter((name) => name.startsWith(family) && name !== current)
  const [, ...gone] = older.sort((a, b) => age(b) - age(a))
  for (const name of gone) rmSync(join(CACHE, name), { recursive: true, force: true })
}

/** Every file below `dir`, as sorted relative paths. */
export function filesBelow(dir: string): readonly string[] {
  return readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(dir.length + 1))
    .sort()
}
