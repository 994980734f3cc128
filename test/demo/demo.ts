/** `make demo`: two real clusters, and the way of a call from one to the other, step by step, as a person would do it. */
import { join, relative } from 'node:path'
import { keepLoading } from '../e2e/load.ts'
import { GATEWAY_NODE_PORT, installCommand, loadImages, terminalEnv } from '../e2e/mesh.ts'
import { chooseProvider } from '../lab/provider.ts'
import { binary } from '../lab/toolchain.ts'
import { stage } from './stage.ts'

const started = performance.now()
const seconds = () => ((performance.now() - started) / 1000).toFixed(0)
const file = (name: string) => join(relative(process.cwd(), import.meta.dirname), name)

const clusters = await chooseProvider()
const NAMES = ['east', 'west']
if (process.argv.includes('--down')) {
  await clusters.down(NAMES)
  process.exit()
}
if ((await clusters.running()).some((name) => NAMES.includes(name))) {
  console.log('An earlier demo is still up; it goes, and this one starts afresh.')
  await clusters.down(NAMES)
}
console.log(
  `Two clusters, east and west (${clusters.kind}). The first time on a machine this takes minutes; then it is cached.`,
)
await clusters.up(NAMES)
await loadImages(clusters, NAMES)
const address = await clusters.nodeAddress('east')
const env = await terminalEnv(clusters, NAMES, { EAST: address, PORT: String(GATEWAY_NODE_PORT) })
const { title, say, show, showAll, settle } = stage(env, (text) => process.stdout.write(text))

const IN_CURL = 'kubectl --context west -n curl exec deploy/curl --'
const CALL = `${IN_CURL} curl -s http://httpbin.httpbin:8080/`
const calls = (n: number) =>
  `${IN_CURL} sh -c 'for i in $(seq ${n}); do curl -s http://httpbin.httpbin:8080/; done' | sort | uniq -c`
const EAST = /from east/
const WEST = /from west/
const PROGRAMMED = 'kubectl --context west -n httpbin wait --for=condition=Programmed gtp/httpbin --timeout=30s'

title('Two real clusters, Portolan in both')
await show('kubectl --context east get nodes; kubectl --context west get nodes')
await showAll(NAMES.map(installCommand), { output: /STATUS: deployed/ })
await show('kubectl --context west -n portolan-system get pods')

title('east: an app, exported under a path')
await show('kubectl --context east create namespace httpbin')
await show(`sed s/CLUSTER_NAME/east/ ${file('httpbin.yaml')} | kubectl --context east apply -f -`)
await show(`kubectl --context east apply -f ${file('export.yaml')}`)
await show('kubectl --context east -n httpbin rollout status deploy/httpbin --timeout=60s')
say("Plain curl, from this machine, to east's gateway:")
const GATEWAY = `curl -sf http://${address}:${GATEWAY_NODE_PORT}/east/httpbin`
// Two gateways read the table on their own, so several calls in a row must work before the path counts as served.
await settle(`set -e; for i in 1 2 3 4 5 6 7 8; do ${GATEWAY}; done`, { output: EAST })
await show(GATEWAY, { output: EAST })

title('west: the import, and a pod in a mesh namespace')
await show('kubectl --context west create namespace httpbin; kubectl --context west create namespace curl')
await show('kubectl --context west label namespace httpbin curl flomesh.io/monitored-by=portolan')
await show('kubectl --context west annotate namespace httpbin curl flomesh.io/sidecar-injection=enabled')
await show(`sed "s/EAST/$EAST/g; s/PORT/$PORT/" ${file('import.yaml')} | kubectl --context west apply -f -`)
await show(`kubectl --context west apply -f ${file('curl.yaml')}`)
await show('kubectl --context west -n curl rollout status deploy/curl --timeout=60s')
await show(
  "kubectl --context west -n curl get pods -o custom-columns='NAME:.metadata.name,PHASE:.status.phase,BEFORE THE APP:.spec.initContainers[*].name,APP:.spec.containers[*].name'",
  { output: /portolan-proxy/ },
)

title('No policy: a call stays local, and nothing is local')
await show(CALL, { code: 7 })

title('FailOver: answered by east')
await show(`kubectl --context west apply -f ${file('failover.yaml')}`)
await show(PROGRAMMED)
await settle(CALL, { output: EAST })
await show(CALL, { output: EAST })

say('From here on a loop calls the service 20 times a second; its count comes at the end.')
const west = { kubectlPath: await binary('kubectl'), env: { KUBECONFIG: await clusters.kubeconfig('west') } }
const loop = keepLoading(west, 'curl', 'deploy/curl', 'http://httpbin.httpbin:8080/', 20)

title('A local Service in west: FailOver prefers it')
await show(`sed s/CLUSTER_NAME/west/ ${file('httpbin.yaml')} | kubectl --context west apply -f -`)
await show('kubectl --context west -n httpbin rollout status deploy/httpbin --timeout=60s')
await settle(CALL, { output: WEST })
await show(calls(5), { output: /^\s*5 .*from west/ })

title('ActiveActive: both, by weight (west 300, east 100)')
await show(`kubectl --context west apply -f ${file('activeactive.yaml')}`)
await show(PROGRAMMED)
await settle(calls(8), { output: EAST })
await show(calls(60), { output: /from east[\s\S]*from west/ })

title('The local pods are killed: all from east')
await show('kubectl --context west -n httpbin scale deploy/httpbin --replicas=0')
await show('kubectl --context west -n httpbin delete pod -l app=httpbin --force --grace-period=0 2>/dev/null; true')
await settle(calls(8), { output: /^\s*8 .*from east/ })
await show(calls(20), { output: /^\s*20 .*from east/ })

title('A bad policy is refused, with all that is wrong with it')
await show(`cat ${file('bad.yaml')}`)
await show(`kubectl --context west apply -f ${file('bad.yaml')}`, { code: 1, output: /weight/ })

title('What there is')
await show('kubectl --context east -n httpbin get serviceexports')
await show('kubectl --context west -n httpbin get serviceimports,globaltrafficpolicies')
await show('kubectl --context west get meshconfigs -A')
say('No Cluster object is needed here: the import was written by hand.')
await show('kubectl --context west get clusters')
await show("kubectl --context west -n curl get configmap portolan-routes -o jsonpath='{.data.table\\.json}'", {
  output: /httpbin/,
})

title('The loop that ran all along')
const { total, failed, answers } = await loop.stop()
say(`${total} calls, ${failed} failed; answers: ${JSON.stringify(answers)}`)
if (failed > 0 || total === 0) throw new Error(`${failed} of ${total} calls failed`)

console.log(`
Done in ${seconds()} s. The clusters are still up. To go on:

  export PATH=${(env['PATH'] ?? '').split(':')[0]}:$PATH
  export KUBECONFIG=${env['KUBECONFIG']}
  ${CALL}
  kubectl --context west -n httpbin edit gtp httpbin

  make demo-down      removes everything
`)
