/** The walkthroughs in a terminal: `node test/demo/demo.ts [dapr | global] PART…`, where ../../demo says what the parts are. */
import { labProvider } from '../lab/lab-provider.ts'
import { chooseProvider } from '../lab/provider.ts'
import { CLUSTERS, raise, setScene, writeEnvironment } from './clusters.ts'
import { cleanDapr, INSTALLING, loadDapr } from './dapr/install.ts'
import { DAPR, CALL as DAPR_CALL } from './dapr/walkthrough.ts'
import { cleanGlobal, INSTALLING as INSTALLING_PAIR, loadGlobal, PAIR } from './global/install.ts'
import { callsFrom, GLOBAL } from './global/walkthrough.ts'
import { clean, installing } from './install.ts'
import { CALL, CALLER, type Chapter } from './printed.ts'
import { stage } from './stage.ts'
import { walkthrough } from './walkthrough.ts'

const [which = '', ...rest] = process.argv.slice(2)
const named = ['dapr', 'global'].includes(which)
const parts = named ? rest : process.argv.slice(2)
// What Dapr's pods and the rebels' run is the lab's.
const clusters = named ? labProvider() : await chooseProvider()

/** What one walkthrough is made of. */
interface Play {
  readonly clusters: readonly string[]
  /** Gives the clusters what they cannot pull. */
  readonly load?: () => Promise<void>
  readonly installing: readonly Chapter[]
  readonly chapters: () => readonly Chapter[]
  readonly clean: () => Promise<void>
  /** How it is called, and what to try when it is over. */
  readonly command: string
  readonly tries: readonly string[]
}

const FSM: Play = {
  clusters: CLUSTERS,
  installing: [installing()],
  chapters: walkthrough,
  clean: () => clean(clusters),
  command: './demo',
  tries: [CALL.replace(/"[^"]*"/, 'deploy/curl'), `kubectl --context ${CALLER} -n httpbin edit gtp httpbin`],
}
const BESIDE_DAPR: Play = {
  clusters: CLUSTERS,
  load: () => loadDapr(clusters),
  installing: INSTALLING,
  chapters: () => DAPR,
  clean: () => cleanDapr(clusters),
  command: './demo dapr',
  tries: [DAPR_CALL.replace(/"[^"]*"/, 'deploy/curl'), `kubectl --context ${CALLER} -n dapr-test edit gtp nodeapp`],
}
const BY_ANNOTATION: Play = {
  clusters: PAIR,
  load: () => loadGlobal(clusters),
  installing: INSTALLING_PAIR,
  chapters: () => GLOBAL,
  clean: () => cleanGlobal(clusters),
  command: './demo global',
  tries: [callsFrom('cluster01'), 'kubectl --context cluster01 edit service rebel-base'],
}
const play = which === 'dapr' ? BESIDE_DAPR : which === 'global' ? BY_ANNOTATION : FSM

/** Each chapter that was shown, and how long it took. */
const shown: { readonly title: string; readonly ms: number }[] = []

async function perform(chapters: readonly Chapter[]): Promise<void> {
  const scene = await setScene(clusters, play.clusters)
  const on = stage(scene.env, (text) => process.stdout.write(text))
  for (const { title, run } of chapters) {
    on.title(`${shown.length + 1}. ${title}`)
    const start = performance.now()
    await run(on, scene)
    shown.push({ title, ms: performance.now() - start })
  }
}

async function requireClusters(): Promise<void> {
  const up = await clusters.running()
  const missing = play.clusters.filter((name) => !up.includes(name))
  if (missing.length > 0) throw new Error(`${missing.join(', ')}: not up; ${play.command} -i makes the clusters`)
}

/** Whether there may be something of an earlier walkthrough. */
let played = true

const PARTS: Readonly<Record<string, () => Promise<void>>> = {
  async install() {
    console.log(
      `${play.clusters.length} clusters (${clusters.kind}). The first time on a machine this takes minutes; then it is cached.`,
    )
    played = await raise(clusters, play.clusters)
    await play.load?.()
    await perform(play.installing)
  },
  async run() {
    await requireClusters()
    if (played) await play.clean()
    played = true
    await perform(play.chapters())
    const summary = shown.map(({ title, ms }) => `  ✓ ${(ms / 1000).toFixed(0).padStart(3)} s  ${title}`)
    console.log(`
What you have seen, each with the outcome that was expected:

${summary.join('\n')}

The clusters are still up. To go on:

  . ${await writeEnvironment(clusters, play.clusters)}
  ${play.tries.join('\n  ')}

  ${play.command} -d      the walkthrough again
  ${play.command} -r      remove what it made
  ${play.command} -u      remove the clusters`)
  },
  async clean() {
    await requireClusters()
    await play.clean()
    console.log('What the walkthrough made is gone; the clusters and Portolan are still there.')
  },
  async remove() {
    await clusters.down(play.clusters)
    console.log('The clusters are gone.')
  },
}

const started = performance.now()
try {
  for (const part of parts) await PARTS[part]?.()
  console.log(`\nDone in ${((performance.now() - started) / 1000).toFixed(0)} s.`)
} catch (error) {
  console.error(`\n${(error as Error).message}`)
  // Not by itself: a loop of calls may still run.
  process.exit(1)
}
