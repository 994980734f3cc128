/**
 * `node test/conformance/run.ts [FLAG]…`: the official suite against two clusters with Portolan. MCS_API is the path of a
 * checkout of kubernetes-sigs/mcs-api; flags go to the suite (`-ginkgo.focus=…`). KEEP_CLUSTERS=1 leaves the clusters up.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { documents } from '../e2e/manifests.ts'
import { memberOf } from '../e2e/member.ts'
import { describeSites, installMesh, SITES_VARIABLE, sites, terminalEnv } from '../e2e/mesh.ts'
import { apply, kubectl } from '../e2e/site.ts'
import { CACHE } from '../lab/cache.ts'
import { chooseProvider } from '../lab/provider.ts'
import { tryRun } from '../lab/run.ts'
import { suiteCommand, suiteIn } from './suite.ts'

const NAMES = ['east', 'west']

const suite = suiteIn(process.env['MCS_API'])
if ('problem' in suite) refuse(suite.problem)
if (!(await goWorks())) refuse('there is no go, which builds the suite: see https://go.dev/doc/install')

process.env['PORTOLAN_LAB'] ??= join(CACHE, 'lab-conformance')
const clusters = await chooseProvider()
try {
  await installMesh(clusters, NAMES)
  process.env[SITES_VARIABLE] = await describeSites(clusters, NAMES)
  const { east, west } = sites()
  await apply(east, documents(await memberOf(clusters, east), await memberOf(clusters, west)))
  await kubectl(east, 'wait', '--for=condition=Managed', 'clusters.flomesh.io', '--all', '--timeout=60s')
  process.exitCode = await runSuite(suite.dir)
  console.log(`report: ${join(suite.dir, 'report.html')}`)
} finally {
  if (process.env['KEEP_CLUSTERS'] === undefined) await clusters.down(NAMES)
}

async function runSuite(cwd: string): Promise<number> {
  const env = { ...process.env, ...(await terminalEnv(clusters, NAMES)) }
  const child = spawn('go', suiteCommand(NAMES, process.argv.slice(2)), { cwd, env, stdio: 'inherit' })
  const [code] = (await once(child, 'exit')) as [number | null]
  return code ?? 1
}

function refuse(problem: string): never {
  console.error(`conformance: ${problem}`)
  process.exit(2)
}

async function goWorks(): Promise<boolean> {
  return tryRun('go', ['version']).then(
    ({ code }) => code === 0,
    () => false,
  )
}
