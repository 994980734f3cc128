import { spawn } from 'node:child_process'
import type { LoadReport } from '../lab/app/load.ts'
import { exec, type Site } from './site.ts'

export type { LoadReport }

export interface LoadOptions {
  readonly rps?: number
  readonly seconds?: number
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

/** Calls `url` from inside a client pod for a while; resolves when the last answer is in. */
export async function load(
  site: Site,
  namespace: string,
  target: string,
  url: string,
  { rps = 50, seconds = 10, method = 'GET', headers = {}, body = '' }: LoadOptions = {},
): Promise<LoadReport> {
  const flags = Object.entries(headers).flatMap(([key, value]) => ['--header', `${key}:${value}`])
  const result = await exec(
    site,
    namespace,
    target,
    'curl',
    'node',
    '/app/load.ts',
    url,
    '--rps',
    String(rps),
    '--seconds',
    String(seconds),
    '--method',
    method,
    '--body',
    body,
    ...flags,
  )
  const line = result.stdout.trim().split('\n').at(-1) ?? ''
  if (result.code !== 0) throw new Error(`load ${url}: exit ${result.code}: ${result.stderr}`)
  return JSON.parse(line) as LoadReport
}

/** Calls `url` from inside a client pod until it is told to stop; the count comes then. */
export function keepLoading(
  { kubectlPath, env }: Pick<Site, 'kubectlPath' | 'env'>,
  namespace: string,
  target: string,
  url: string,
  rps: number,
): { stop(): Promise<LoadReport> } {
  // Ends by itself as well when this process ends: then its input ends too.
  const script = `node /app/load.ts ${url} --rps ${rps} --seconds 900 & P=$!; read _; kill -TERM $P; wait $P`
  const args = ['-n', namespace, 'exec', '-i', target, '-c', 'curl', '--', 'sh', '-c', script]
  const child = spawn(kubectlPath, args, { env: { ...process.env, ...env }, stdio: ['pipe', 'pipe', 'inherit'] })
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString()
  })
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve))
  return {
    async stop() {
      child.stdin.end('\n')
      const code = await ended
      if (code !== 0) throw new Error(`load ${url}: exit ${code}`)
      return JSON.parse(output) as LoadReport
    },
  }
}

/** As {@link keepLoading}, by a loop that nobody outside the pod is needed for: the pod's API server may be away meanwhile. */
export async function loadAlone(
  site: Site,
  namespace: string,
  target: string,
  url: string,
  rps: number,
): Promise<{ stop(): Promise<LoadReport> }> {
  const inPod = async (script: string) => {
    const { code, stdout, stderr } = await exec(site, namespace, target, 'curl', 'sh', '-c', script)
    if (code !== 0) throw new Error(`load ${url}: exit ${code}: ${stderr}`)
    return stdout
  }
  const pid = (await inPod(`node /app/load.ts ${url} --rps ${rps} --seconds 900 > /tmp/load 2>&1 & echo $!`)).trim()
  return {
    stop: async () => {
      // Nobody in the pod notices that it has ended, so that its id stays: the report tells.
      const report = await inPod(`kill -TERM ${pid}; until [ -s /tmp/load ]; do sleep 0.1; done; cat /tmp/load`)
      return JSON.parse(report) as LoadReport
    },
  }
}

/** What curl would show: exit code and the body. */
export async function curl(site: Site, namespace: string, target: string, ...args: readonly string[]) {
  return exec(site, namespace, target, 'curl', 'curl', '-sS', '--max-time', '10', ...args)
}
