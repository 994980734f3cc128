/** Runs other programs: the lab's only way to do so. */
import { spawn } from 'node:child_process'

export interface RunOptions {
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string | undefined>>
  /** Written to the program's stdin; without it stdin is empty. */
  readonly input?: string
  /** Milliseconds after which the program is killed. */
  readonly timeout?: number
  /** Called for each line of stdout and stderr as it comes. */
  readonly onLine?: (line: string) => void
}

export interface RunResult {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Runs a program to its end, whatever its exit code. Throws when it cannot be started or is ended by a signal. */
export function tryRun(command: string, args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      env: { ...process.env, ...options.env },
      stdio: ['pipe', 'pipe', 'pipe'],
    })
    const out = { stdout: '', stderr: '' }
    for (const name of ['stdout', 'stderr'] as const) {
      let rest = ''
      child[name].setEncoding('utf8').on('data', (text: string) => {
        out[name] += text
        if (options.onLine === undefined) return
        const lines = (rest + text).split('\n')
        rest = lines.pop() ?? ''
        for (const line of lines) options.onLine(line)
      })
    }
    let late = false
    const end = () => {
      late = true
      child.kill('SIGKILL')
    }
    const timer = options.timeout === undefined ? undefined : setTimeout(end, options.timeout)
    child.stdin.on('error', () => {}) // the program may end without reading its input: its exit code tells more
    child.stdin.end(options.input ?? '')
    child.on('error', (cause) => {
      clearTimeout(timer)
      reject(new Error(`${command} cannot be started: ${cause.message}`, { cause }))
    })
    child.on('close', (code, signal) => {
      clearTimeout(timer)
      const ended = late ? `was not done after ${(options.timeout ?? 0) / 1000} s` : `was ended by ${signal}`
      if (code === null) reject(new Error(`${describe(command, args)} ${ended}${tail(out.stderr || out.stdout)}`))
      else resolve({ code, ...out })
    })
  })
}

/** Runs a program and returns its stdout. Throws with the last lines of stderr when the exit code is not 0. */
export async function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
  const { code, stdout, stderr } = await tryRun(command, args, options)
  if (code !== 0) throw new Error(`${describe(command, args)} failed with code ${code}${tail(stderr || stdout)}`)
  return stdout
}

function describe(command: string, args: readonly string[]): string {
  const line = [command, ...args].join(' ')
  return line.length > 300 ? `${line.slice(0, 300)}…` : line
}

function tail(text: string): string {
  const lines = text.trim().split('\n').slice(-12).join('\n')
  return lines === '' ? '' : `:\n${lines}`
}

/**
 * Polls until `probe` has an answer other than false or undefined, and returns it. A probe that throws is asked again.
 * Throws, naming `what` and the last failure, when that takes longer than `timeout` milliseconds.
 */
export async function until<T>(
  what: string,
  probe: () => T | Promise<T>,
  { timeout = 60_000, every = 100 } = {},
): Promise<Exclude<T, false | undefined>> {
  const end = performance.now() + timeout
  let cause: unknown
  for (;;) {
    try {
      const answer = await probe()
      if (answer !== false && answer !== undefined) return answer as Exclude<T, false | undefined>
      cause = undefined
    } catch (error) {
      cause = error
    }
    if (performance.now() > end) {
      const why = cause instanceof Error ? `: ${cause.message}` : ''
      throw new Error(`${what}: not after ${timeout / 1000} s${why}`, { cause })
    }
    await new Promise((resolve) => setTimeout(resolve, every))
  }
}

/** Polls until `probe` has given the same answer, as JSON, for `quiet` milliseconds, and returns it. */
export async function settles<T>(
  what: string,
  probe: () => Promise<T>,
  {
    quiet,
    timeout = 60_000,
    every = 250,
  }: { readonly quiet: number; readonly timeout?: number; readonly every?: number },
): Promise<T> {
  let before: string | undefined
  let since = performance.now()
  return until(
    `${what} stays as it is`,
    async () => {
      const answer = await probe()
      const now = JSON.stringify(answer)
      if (now !== before) since = performance.now()
      before = now
      return performance.now() - since >= quiet ? { answer } : undefined
    },
    { timeout, every },
  ).then(({ answer }) => answer)
}
