/** A terminal session that is read by people: every command is shown as typed, then what it really printed, then checked. */
import { styleText } from 'node:util'
import { tryRun, until } from '../lab/run.ts'

export interface Stage {
  title(text: string): void
  say(text: string): void
  /** Shows the command, runs it, shows its output, and throws when the outcome is not the expected one. */
  show(command: string, expected?: Expected): Promise<string>
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
  const meets = (result: { code: number; stdout: string; stderr: string }, { code = 0, output }: Expected) =>
    result.code === code && (output === undefined || output.test(result.stdout + result.stderr))
  let step = 0
  return {
    title: (text) => write(`\n${styleText(['bold', 'cyan'], `${++step}. ${text}`)}\n`),
    say: (text) => write(`${styleText('dim', text)}\n`),
    async show(command, expected = {}) {
      write(`\n${styleText('green', '$')} ${styleText('bold', command)}\n`)
      const result = await shell(command)
      const output = result.stdout + result.stderr
      write(output.endsWith('\n') || output === '' ? output : `${output}\n`)
      if (result.code !== 0) write(styleText('dim', `(exit code ${result.code})\n`))
      if (!meets(result, expected))
        throw new Error(
          `not what was expected: exit code ${expected.code ?? 0}${expected.output === undefined ? '' : `, output like ${expected.output}`}`,
        )
      return output
    },
    async settle(command, expected) {
      const start = performance.now()
      await until(command, async () => meets(await shell(command), expected), { timeout: 60_000, every: 100 })
      write(styleText('dim', `  … in effect after ${((performance.now() - start) / 1000).toFixed(1)} s\n`))
    },
  }
}
