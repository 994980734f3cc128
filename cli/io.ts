/** All that a command may touch of the world outside, so that a test can stand in for a terminal. */
export interface Io {
  readonly out: (text: string) => void
  readonly err: (text: string) => void
  readonly stdin: () => Promise<string>
  /** Whether `out` is a terminal that shows colours. */
  readonly terminal: boolean
}

/** What a command leaves behind: 0 = nothing found, 1 = findings. Usage errors (2) are thrown. */
export type ExitCode = 0 | 1

/** The command line asks for something that cannot be done as written. The message is one sentence without a final stop. */
export class UsageError extends Error {}

/** The terminal this process was started on. */
export function processIo(): Io {
  const { stdin, stdout, stderr, env } = process
  // Whoever reads, `head` for one, may have had enough.
  stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
  })
  return {
    out: (text) => void stdout.write(text),
    err: (text) => void stderr.write(text),
    stdin: async () => {
      stdin.setEncoding('utf8')
      let text = ''
      for await (const chunk of stdin) text += chunk
      return text
    },
    terminal: stdout.isTTY === true && env['TERM'] !== 'dumb' && (env['NO_COLOR'] ?? '') === '',
  }
}
