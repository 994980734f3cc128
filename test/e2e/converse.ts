import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { Site } from './site.ts'

/** A program in a pod that answers line by line. */
export interface Conversation {
  /** Sends a line and returns the next one that comes. */
  say(line: string): Promise<string>
  /** Ends the input; returns the lines that still come, once the program has ended with code 0. */
  end(): Promise<readonly string[]>
}

/** Starts a program in the container `curl` of a client pod and keeps its input open. */
export function converse(
  { kubectlPath, env }: Pick<Site, 'kubectlPath' | 'env'>,
  namespace: string,
  target: string,
  ...command: readonly string[]
): Conversation {
  const args = ['-n', namespace, 'exec', '-i', target, '-c', 'curl', '--', ...command]
  const child = spawn(kubectlPath, args, { env: { ...process.env, ...env }, stdio: ['pipe', 'pipe', 'inherit'] })
  child.stdin.on('error', () => {}) // it has ended: its code tells why
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve))
  return {
    async say(line) {
      child.stdin.write(`${line}\n`)
      const { value, done } = await lines.next()
      if (done) throw new Error(`${command.join(' ')}: no answer to ${line}; ended with code ${await ended}`)
      return value
    },
    async end() {
      child.stdin.end()
      const rest: string[] = []
      for (let next = await lines.next(); !next.done; next = await lines.next()) rest.push(next.value)
      const code = await ended
      if (code !== 0) throw new Error(`${command.join(' ')}: exit ${code}: ${rest.join('\n')}`)
      return rest
    },
  }
}
