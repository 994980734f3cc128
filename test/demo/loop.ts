/** A loop of calls that runs in the curl pod while other things happen. */
import { spawn } from 'node:child_process'

/** How many calls got which answer; what curl says when it fails counts as an answer that begins with `failed`. */
export type Count = Readonly<Record<string, number>>

export interface Loop {
  /** Ends the loop and counts. */
  stop(): Promise<Count>
}

export const FAILED = /^failed/

/** One curl after another, each a connection of its own, about ten a second. */
export function keepCalling(env: Readonly<Record<string, string>>, context: string, url: string): Loop {
  const once = `curl -s --max-time 10 ${url} || echo "failed: exit code $?"`
  // The loop's process must not outlive the session: its input ends with it.
  const script = `while sleep 0.1; do ${once}; done & read _; kill $!`
  const kubectl = ['--context', context, '-n', 'curl', 'exec', '-i', 'deploy/curl', '-c', 'curl', '--']
  const child = spawn('kubectl', [...kubectl, 'sh', '-c', script], {
    env: { ...process.env, ...env },
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString()
  })
  const ended = new Promise((resolve) => child.on('close', resolve))
  return {
    async stop() {
      child.stdin.end('\n')
      await ended
      return count(output.split('\n').filter(Boolean))
    },
  }
}

function count(answers: readonly string[]): Count {
  const groups = Map.groupBy(answers.toSorted(), (answer) => answer)
  return Object.fromEntries([...groups].map(([answer, all]) => [answer, all.length]))
}
