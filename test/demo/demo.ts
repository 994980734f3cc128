/** The four-cluster walkthrough in a terminal: `node test/demo/demo.ts PART…`, where ../../demo says what the parts are. */
import { chooseProvider } from '../lab/provider.ts'
import { CLUSTERS, raise, setScene, writeEnvironment } from './clusters.ts'
import { clean, installing } from './install.ts'
import { CALL, CALLER, type Chapter } from './printed.ts'
import { stage } from './stage.ts'
import { walkthrough } from './walkthrough.ts'

const clusters = await chooseProvider()

let chapter = 0
async function perform(chapters: readonly Chapter[]): Promise<void> {
  const scene = await setScene(clusters)
  const on = stage(scene.env, (text) => process.stdout.write(text))
  for (const { title, run } of chapters) {
    on.title(`${++chapter}. ${title}`)
    await run(on, scene)
  }
}

async function requireClusters(): Promise<void> {
  const up = await clusters.running()
  const missing = CLUSTERS.filter((name) => !up.includes(name))
  if (missing.length > 0) throw new Error(`${missing.join(', ')}: not up; ./demo -i makes the clusters`)
}

const PARTS: Readonly<Record<string, () => Promise<void>>> = {
  async install() {
    console.log(`Four clusters (${clusters.kind}). The first time on a machine this takes minutes; then it is cached.`)
    await raise(clusters)
    await perform([installing])
  },
  async run() {
    await requireClusters()
    await clean(clusters)
    await perform(walkthrough())
    console.log(`
The clusters are still up. To go on:

  . ${await writeEnvironment(clusters)}
  ${CALL.replace(/"[^"]*"/, 'deploy/curl')}
  kubectl --context ${CALLER} -n httpbin edit gtp httpbin

  ./demo -d      the walkthrough again
  ./demo -r      remove what it made
  ./demo -u      remove the clusters`)
  },
  async clean() {
    await requireClusters()
    await clean(clusters)
    console.log('What the walkthrough made is gone; the clusters and Portolan are still there.')
  },
  async remove() {
    await clusters.down(CLUSTERS)
    console.log('The clusters are gone.')
  },
}

const started = performance.now()
try {
  for (const part of process.argv.slice(2)) await PARTS[part]?.()
  console.log(`\nDone in ${((performance.now() - started) / 1000).toFixed(0)} s.`)
} catch (error) {
  console.error(`\n${(error as Error).message}`)
  // Not by itself: a loop of calls may still run.
  process.exit(1)
}
