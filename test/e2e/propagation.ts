import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { apply, get, type Loose, type Site } from './site.ts'

/** Applies a manifest and returns, for each pod of the selector, the seconds until its proxy ran the new table. Sorted. */
export async function propagate(
  site: Site,
  namespace: string,
  selector: string,
  manifest: string,
): Promise<readonly number[]> {
  const pods: Loose[] = (await get(site, '-n', namespace, 'pod', '-l', selector)).items
  const addresses = pods.map((pod) => pod.status.podIP)
  const [watcher] = pods
  const args = [
    '-n',
    namespace,
    'exec',
    watcher.metadata.name,
    '-c',
    'curl',
    '--',
    'node',
    '/app/versions.ts',
    ...addresses,
  ]
  const child = spawn(site.kubectlPath, args, {
    env: { ...process.env, ...site.env },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString()
  })
  while (!output.includes('watching')) await Promise.race([once(child.stdout, 'data'), failed(child)])
  const start = Date.now()
  await apply(site, manifest)
  await once(child, 'close')
  const seen = JSON.parse(output.split('\n')[1] ?? '') as Record<string, number>
  return Object.values(seen)
    .map((at) => (at - start) / 1000)
    .sort((a, b) => a - b)
}

async function failed(child: ReturnType<typeof spawn>): Promise<never> {
  const [code] = await once(child, 'close')
  throw new Error(`the watcher ended with code ${code} before it could watch`)
}
