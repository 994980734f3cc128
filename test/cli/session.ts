/** The command line as its user meets it: what was printed where, and the exit code. */
import type { Io } from '../../cli/io.ts'
import { run } from '../../cli/main.ts'

export interface Session {
  readonly code: 0 | 1 | 2
  readonly out: string
  readonly err: string
}

export async function portolan(
  args: readonly string[],
  { stdin = '', terminal = false }: { readonly stdin?: string; readonly terminal?: boolean } = {},
): Promise<Session> {
  const printed = { out: '', err: '' }
  const io: Io = {
    out: (text) => {
      printed.out += text
    },
    err: (text) => {
      printed.err += text
    },
    stdin: async () => stdin,
    terminal,
  }
  const code = await run(args, io)
  return { code, ...printed }
}

/** Everything in one text, as a golden keeps it. */
export function transcript({ code, out, err }: Session): string {
  return [`exit code ${code}`, ...(err === '' ? [] : ['--- stderr', err.trimEnd()]), '--- stdout', out].join('\n')
}
