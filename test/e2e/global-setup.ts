import { join } from 'node:path'
import { CACHE } from '../lab/cache.ts'
import { chooseProvider } from '../lab/provider.ts'
import { describeSites, installMesh, SITES_VARIABLE } from './mesh.ts'

const NAMES = ['east', 'west']

/** Before the first test of real clusters: two of them, with Portolan. KEEP_CLUSTERS=1 leaves them up for the next run. */
export async function setup(): Promise<() => Promise<void>> {
  // Beside the demo's, which may be up and is somebody's to explore.
  process.env['PORTOLAN_LAB'] ??= join(CACHE, 'lab-test')
  const clusters = await chooseProvider()
  await installMesh(clusters, NAMES)
  process.env[SITES_VARIABLE] = await describeSites(clusters, NAMES)
  return async () => {
    if (process.env['KEEP_CLUSTERS'] === undefined) await clusters.down(NAMES)
  }
}
