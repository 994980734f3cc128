/** Test files run side by side in several workers. Each worker has a lab of its own with two clusters, for all of its files. */
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { CACHE } from '../lab/cache.ts'
import { chooseProvider } from '../lab/provider.ts'
import { describeSites, installMesh, SITES_VARIABLE } from './mesh.ts'

const NAMES = ['east', 'west']
/** Directory of what this run has started; global-setup.ts makes it. */
export const RUN_VARIABLE = 'PORTOLAN_TEST_RUN'

/** Beside the demo's, which may be up and is somebody's to explore. */
const labOf = (worker: string): string => `${process.env['PORTOLAN_LAB'] ?? join(CACHE, 'lab-test')}-${worker}`

/** Gives this worker its clusters, with Portolan as the working tree has it; those that it has had since the run began stay. */
export async function enterLab(worker: string, run: string): Promise<void> {
  process.env['PORTOLAN_LAB'] = labOf(worker)
  const record = join(run, worker)
  let sites = await readFile(record, 'utf8').catch(() => '')
  if (sites === '') {
    const clusters = await chooseProvider()
    // Before they are there: what a failed start has left is to be removed as well.
    await writeFile(record, '')
    await installMesh(clusters, NAMES)
    sites = await describeSites(clusters, NAMES)
    await writeFile(record, sites)
  }
  process.env[SITES_VARIABLE] = sites
}

/** Removes the clusters of all workers. */
export async function leaveLabs(run: string): Promise<void> {
  const lab = process.env['PORTOLAN_LAB']
  for (const worker of await readdir(run)) {
    process.env['PORTOLAN_LAB'] = labOf(worker)
    await (await chooseProvider()).down(NAMES)
    if (lab === undefined) delete process.env['PORTOLAN_LAB']
    else process.env['PORTOLAN_LAB'] = lab
  }
}
