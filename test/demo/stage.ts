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
  /** Runs it unseen until the outcome is the expected one; says how long that took. */
  settle(command: string, expected: Expected): Promise<void>
}

export interface Expected {
  /** Exit code, 0 when absent. */
  readonly code?: number
  /** What stdout and stderr together must match. */
  readonly output?: RegExp
}

export function stage(env: Readonly<Record<string, string>>, write: (text: string) => void): Stage {
  const shell = (command: string) => tryRun('bash', ['-o', 'pipefail', '-c', command], { env, timeout: 180_000 })
  const meets = (result: RunResult, { code = 0, output }: Expected) =>
    result.code === code && (output === undefined || output.test(result.stdout + result.stderr))
  const announce = (command: string) => write(`\n${styleText('green', '$')} ${styleText('bold', command)}\n`)
  const report = (result: RunResult, expected: Expected): string => {
    const output = result.stdout + result.stderr
    write(output.endsWith('\n') || output === '' ? output : `${output}\n`)
    if (result.code !== 0) write(styleText('dim', `(exit code ${result.code})\n`))
    if (meets(result, expected)) return output
    const like = expected.output === undefined ? '' : `, output like ${expected.output}`
    throw new Error(`not what was expected: exit code ${expected.code ?? 0}${like}`)
  }
  let step = 0
  return {
    title: (text) => write(`\n${styleText(['bold', 'cyan'], `${++step}. ${text}`)}\n`),
    say: (text) => write(`${styleText('dim', text)}\n`),
    async show(command, expected = {}) {
      announce(command)
      return report(await shell(command), expected)
    },
    async showAll(commands, expected = {}) {
      const running = commands.map(shell)
      for (const [n, command] of commands.entries()) {
        announce(command)
        report((await running[n]) as RunResult, expected)
      }
    },
    async settle(command, expected) {
      const start = performance.now()
      await until(command, async () => meets(await shell(command), expected), { timeout: 60_000, every: 100 })
      write(styleText('dim', `  … in effect after ${((performance.now() - start) / 1000).toFixed(1)} s\n`))
    },
  }
}
