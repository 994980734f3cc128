#!/usr/bin/env node
import { enableCompileCache } from 'node:module'
import { type Command, CommanderError } from 'commander'
import { type Io, processIo, UsageError } from './io.ts'
import { program } from './program.ts'

/**
 * Runs one command line, without the program's own name.
 * @returns the exit code: 0, 1 = findings, 2 = usage
 */
export async function run(args: readonly string[], io: Io): Promise<0 | 1 | 2> {
  let code: 0 | 1 = 0
  const root = program(io, (found) => {
    code = found
  })
  for (const command of withBelow(root)) command.exitOverride()
  try {
    await root.parseAsync([...args], { from: 'user' })
    return code
  } catch (error) {
    // Commander has said already what it has to say; help and version come this way too.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
    if (!(error instanceof UsageError)) throw error
    io.err(`error: ${error.message}\n`)
    return 2
  }
}

function withBelow(command: Command): readonly Command[] {
  return [command, ...command.commands.flatMap(withBelow)]
}

if (import.meta.main) {
  // What a command imports is compiled once, not each time; where nothing can be written it is compiled each time.
  enableCompileCache()
  process.exitCode = await run(process.argv.slice(2), processIo())
}
