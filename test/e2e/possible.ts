import { availableParallelism } from 'node:os'
import { lacks } from '../lab/preflight.ts'
import { chooseProvider } from '../lab/provider.ts'

/** Why tests on whole clusters cannot run here, one line for each lack; none in CI, where a lack is a failure. */
export async function lacksForClusters(): Promise<readonly string[]> {
  if (process.env['CI'] !== undefined) return []
  return (await chooseProvider()).kind === 'kind' ? [] : lacks()
}

/** How many files of them run side by side: each lab brings its own clusters, those of kind go by name. */
export async function labsAtOnce(): Promise<number> {
  return availableParallelism() > 1 && (await chooseProvider()).kind === 'lab' ? 2 : 1
}
