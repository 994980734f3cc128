/** A terminal session that is read by people: every command is shown as typed, then what it really printed, then checked. */
import { styleText } from 'node:util'
import { type RunResult, tryRun, until } from '../lab/run.ts'

export interface Stage {
  title(text: string): void
  say(text: string): void
  /** Shows the command, runs it, shows its output, and throws when the outcome is not the expected one. */
  show(command: string, expected?: Expected): Promise<string>
  /** The same for commands that run side by side; shown one after the other. */
  showAll(commands: readonly string[], expected?: Expected): Promise<void>
  /** Sets a variable of the session to what the command prints; shown as typed. */
  assign(variable: string, command: string): Promise<void>
  /** Runs it unseen until the outcome is the expected one; says how long that took. */
  settle(command: string, expected: Expected): Promise<void>
}

export interface Expected {
  /** Exit code, 0 when absent. */
  readonly code?: number
  /** What stdout and stderr together must match. */
  readonly output?: RegExp
  /** What is wrong with stdout and stderr together, or null. */
  readonly problem?: (output: string) => string | null
}

/** How a result differs from what was expected, or null. */
function difference(result: RunResult, { code = 0, output, problem }: Expected): string | null {
  if (result.code !== code) return `exit code ${result.code} instead of ${code}`
  const text = result.stdout + result.stderr
  if (output !== undefined && !output.test(text)) return `no output like ${output}`
  return problem?.(text) ?? null
}

export function stage(start: Readonly<Record<string, string>>, write: (text: string) => void): Stage {
  const env: Record<string, string> = { ...start }
  const shell = (command: string) => tryRun('bash', ['-o', 'pipefail', '-c', command], { env, timeout: 180_000 })
  const announce = (command: string) => write(`\n${styleText('green', '$')} ${styleText('bold', command)}\n`)
  const report = (command: string, result: RunResult, expected: Expected): string => {
    const output = result.stdout + result.stderr
    write(output.endsWith('\n') || output === '' ? output : `${output}\n`)
    if (result.code !== 0) write(styleText('dim', `(exit code ${result.code})\n`))
    const wrong = difference(result, expected)
    if (wrong !== null) throw new Error(`not what was expected of\n  ${command}\n${wrong}; it printed\n${output}`)
    return output
  }
  return {
    title: (text) => write(`\n${styleText(['bold', 'cyan'], text)}\n`),
    say: (text) => write(`\n${styleText('dim', text)}\n`),
    async show(command, expected = {}) {
      announce(command)
      return report(command, await shell(command), expected)
    },
    async showAll(commands, expected = {}) {
      const running = commands.map(shell)
      // One that fails while another is waited for is told of in its turn.
      for (const each of running) each.catch(() => undefined)
      for (const [n, command] of commands.entries()) {
        announce(command)
        report(command, (await running[n]) as RunResult, expected)
      }
    },
    async assign(variable, command) {
      announce(`${variable}="$(${command})"`)
      const result = await shell(command)
      if (result.code !== 0) report(command, result, {})
      env[variable] = result.stdout.trim()
    },
    async settle(command, expected) {
      const start = performance.now()
      let last = ''
      const probe = async () => {
        const result = await shell(command)
        const wrong = difference(result, expected)
        last = `${wrong}; it printed\n${result.stdout}${result.stderr}`
        return wrong === null
      }
      await until(command, probe, { timeout: 60_000, every: 100 }).catch((cause) => {
        throw new Error(`${(cause as Error).message}\n${last}`, { cause })
      })
      if (performance.now() - start > 100)
        write(styleText('dim', `  … in effect after ${((performance.now() - start) / 1000).toFixed(1)} s\n`))
    },
  }
}
