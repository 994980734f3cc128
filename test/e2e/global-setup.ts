import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { leaveLabs, RUN_VARIABLE } from './worker-lab.ts'

/** Around all tests on real clusters, once for their projects. KEEP_CLUSTERS=1 leaves the clusters up for the next run. */
export async function setup(): Promise<(() => Promise<void>) | undefined> {
  if (process.env[RUN_VARIABLE] !== undefined) return undefined
  const run = await mkdtemp(join(tmpdir(), 'portolan-clusters-'))
  process.env[RUN_VARIABLE] = run
  return async () => {
    if (process.env['KEEP_CLUSTERS'] === undefined) await leaveLabs(run)
    await rm(run, { recursive: true })
  }
}
