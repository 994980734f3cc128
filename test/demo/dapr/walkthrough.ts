/**
 * The Dapr walkthrough as it was published with FSM: the same order, manifests and outcomes. Where it differs,
 * docs/walkthrough-dapr.md says why.
 */
import { redis } from '../../lab/redis.ts'
import { file, GATEWAY_PORT, type Scene } from '../clusters.ts'
import { applyFilled, CALLER, type Chapter, federate, rolledOut } from '../printed.ts'
import type { Stage } from '../stage.ts'
import { lab, PASSWORD } from './install.ts'

const EXPORTERS = ['cluster-1', 'cluster-3'] as const
const ALL = ['cluster-1', 'cluster-2', 'cluster-3'] as const
const URL = 'http://nodeapp.dapr-test:3000'
const IN_CURL = `kubectl --context ${CALLER} exec "\${curl_client}" -n curl -c curl --`
const printed = (name: string) => file(`dapr/printed/${name}`)

/** What the three endpoints answer, as printed. */
const PORTS = '{"DAPR_HTTP_PORT":"3500","DAPR_GRPC_PORT":"50001"}, from cluster: '
const CREATED = 'created order via cluster: '
const ORDER = '{"orderId":"42"}, from cluster: '

/** Wants each line to be the answer of one of these clusters. */
function says(text: string, members: readonly string[] = EXPORTERS) {
  return (output: string): string | null => {
    const wanted = members.map((member) => text + member)
    const strange = output.split('\n').filter((line) => line !== '' && !wanted.includes(line))
    return strange.length > 0 || output === '' ? `other answers than "${wanted.join('" or "')}"` : null
  }
}

/** Wants such answers of all these clusters, and nothing else. */
function allSay(text: string, members: readonly string[] = EXPORTERS) {
  return (output: string): string | null => {
    const silent = members.filter((member) => !output.includes(text + member))
    return silent.length > 0 ? `no answer of ${silent.join(', ')}` : says(text, members)(output)
  }
}

/** Wants these among the lines of `curl -i`. */
const lastLineSays = (text: string) => (output: string) => says(text)(`${output.trim().split('\n').at(-1)}\n`)

const store: Chapter = {
  title: "Namespaces, and Dapr's state store in each",
  async run({ showAll }) {
    await showAll(ALL.map((name) => `kubectl --context ${name} create namespace dapr-test`))
    await showAll(ALL.map((name) => `portolan namespace add dapr-test --context ${name}`))
    await showAll(
      ALL.map(
        (name) =>
          `kubectl --context ${name} create secret generic redis -n dapr-test --from-literal=redis-password=${PASSWORD}`,
      ),
    )
    const filled = `sed 's/10.0.0.13/${lab().hostAddress}/' ${printed('component.yaml')}`
    await showAll(
      ALL.map((name) => `${filled} | kubectl --context ${name} apply -n dapr-test -f -`),
      { output: /component.dapr.io\/statestore created/ },
    )
  },
}

const deploy: Chapter = {
  title: 'NodeApp in cluster-1 and cluster-3, curl in cluster-2, each with both sidecars',
  async run({ show, showAll, assign }) {
    await showAll(
      EXPORTERS.map((name) => applyFilled(printed('nodeapp.yaml'), { CLUSTER_NAME: name }, name, '-n', 'dapr-test')),
      { output: /deployment.apps\/nodeapp created/ },
    )
    await show(`kubectl --context ${CALLER} create namespace curl`)
    await show(`portolan namespace add curl --context ${CALLER}`)
    await show(`kubectl --context ${CALLER} apply -n curl -f ${printed('curl.yaml')}`)
    await showAll([
      ...EXPORTERS.map((name) => rolledOut(name, 'dapr-test', 'nodeapp')),
      rolledOut(CALLER, 'curl', 'curl'),
    ])
    await show(containersOf('curl'), { output: /^portolan-proxy portolan-init \| curl daprd$/m })
    await assign(
      'curl_client',
      `kubectl --context ${CALLER} get pod -n curl -l app=curl -o jsonpath='{.items[0].metadata.name}'`,
    )
  },
}

/** Prints the init containers and the containers of an app's pod in the namespace curl. */
function containersOf(app: string): string {
  const names = '{.items[0].spec.initContainers[*].name} | {.items[0].spec.containers[*].name}'
  return `kubectl --context ${CALLER} -n curl get pods -l app=${app} --field-selector=status.phase=Running -o jsonpath='${names}'`
}

const exporting: Chapter = {
  title: 'Exports in cluster-1 and cluster-3; the path at the gateway is rewritten',
  async run({ show, settle }, { address }: Scene) {
    for (const name of EXPORTERS)
      await show(`kubectl --context ${name} apply -n dapr-test -f ${printed('export.yaml')}`, {
        output: /nodeapp created/,
      })
    for (const name of EXPORTERS) {
      await show(`kubectl --context ${name} get serviceexports.flomesh.io -A`)
      const gateway = `http://${address[name]}:${GATEWAY_PORT[name]}`
      const call = `curl -s "${gateway}/nodeapp/ports"`
      await settle(call, { problem: says(PORTS, [name]) })
      await show(call, { problem: says(PORTS, [name]) })
      await show(`curl -s -o /dev/null -w '%{http_code}\\n' "${gateway}/ports"`, { output: /^404$/m })
    }
  },
}

export const CALL = `${IN_CURL} curl -s ${URL}/ports`

const local: Chapter = {
  title: 'No policy: no other cluster is asked, and cluster-2 has no NodeApp',
  async run({ show, settle }) {
    const refused = { code: 7, output: /command terminated with exit code 7/ }
    await settle(CALL, refused)
    await show(CALL, refused)
  },
}

const activeActive: Chapter = {
  title: 'ActiveActive: cluster-1 and cluster-3 answer',
  async run({ show, settle }) {
    await show(`kubectl --context ${CALLER} apply -n dapr-test -f ${printed('policy.yaml')}`)
    await settle(CALL, { problem: says(PORTS) })
    await show(CALL, { problem: says(PORTS) })
    await show(
      `${IN_CURL} curl -si --request POST --data '{"data":{"orderId":"42"}}' --header Content-Type:application/json --header dapr-app-id:nodeapp ${URL}/neworder`,
      { problem: lastLineSays(CREATED) },
    )
    for (let n = 0; n < 2; n++) await show(`${IN_CURL} curl -s ${URL}/order`, { problem: says(ORDER) })
  },
}

const many: Chapter = {
  title: 'Twenty calls: both clusters answer, with the one order that Redis keeps',
  async run({ show, say, settle }) {
    const calls = `${IN_CURL} sh -c 'for i in $(seq 20); do curl -s ${URL}/order; done' | sort | uniq -c`
    const problem = (output: string) => allSay(ORDER)(output.replaceAll(/^ *\d+ /gm, ''))
    // One that fails at first is left out for half a minute.
    await settle(calls, { problem })
    await show(calls, { problem })
    const kept = (await redis(lab(), PASSWORD, 'hget', 'nodeapp||order', 'data')).trim()
    say(`Redis, nodeapp||order: ${kept}`)
    if (kept !== '{"orderId":"42"}') throw new Error(`Redis keeps ${kept} instead of the order`)
  },
}

const invoke: Chapter = {
  title: "Dapr's service invocation through the mesh: daprd calls, the sidecar picks the cluster",
  async run({ show }) {
    const call = `curl -s http://localhost:3500/v1.0/invoke/${URL}/method/order`
    await show(`${IN_CURL} sh -c 'for i in $(seq 20); do ${call}; done' | sort | uniq -c`, {
      problem: (output) => allSay(ORDER)(output.replaceAll(/^ *\d+ /gm, '')),
    })
  },
}

const CONFIGURATION = 'dapr-sidecar-injector'
const LAST = `z-${CONFIGURATION}`

/** Gives Dapr's webhook configuration another name: the API server asks webhooks in the order of these. */
const renamed = (from: string, to: string) =>
  `kubectl --context ${CALLER} get mutatingwebhookconfiguration ${from} -o yaml | sed '/resourceVersion:/d; /uid:/d; s/^  name: ${from}$/  name: ${to}/' | kubectl --context ${CALLER} create -f - && kubectl --context ${CALLER} delete mutatingwebhookconfiguration ${from}`

/** A pod that both injectors have had: its probes pass, Dapr answers in it, and its calls cross clusters. */
async function holdsBoth({ show, settle }: Stage): Promise<void> {
  await show(rolledOut(CALLER, 'curl', 'probed'))
  await settle(containersOf('probed'), { output: /^portolan-proxy portolan-init \| node daprd$/m })
  await show(containersOf('probed'), { output: /^portolan-proxy portolan-init \| node daprd$/m })
  const inProbed = `kubectl --context ${CALLER} -n curl exec deploy/probed -c node --`
  await show(`${inProbed} wget -qO- http://localhost:3500/v1.0/invoke/probed/method/ports`, {
    problem: says(PORTS, ['probed']),
  })
  await show(`${inProbed} wget -qO- ${URL}/ports`, { problem: says(PORTS) })
}

const eitherOrder: Chapter = {
  title: 'Both injectors in either order, on a pod with probes',
  async run(stage) {
    const { show, say } = stage
    say("Dapr's injector comes first, since the API server goes by the names of the configurations:")
    await show(`kubectl --context ${CALLER} get mutatingwebhookconfigurations -o name`)
    await show(`kubectl --context ${CALLER} apply -n curl -f ${file('dapr/probed.yaml')}`)
    await holdsBoth(stage)
    say('And now ours first:')
    await show(renamed(CONFIGURATION, LAST))
    try {
      await show(`kubectl --context ${CALLER} -n curl rollout restart deploy/probed`)
      await holdsBoth(stage)
    } finally {
      await show(renamed(LAST, CONFIGURATION))
    }
  },
}

/** Everything after the installation, in order. */
export const DAPR: readonly Chapter[] = [
  federate,
  store,
  deploy,
  exporting,
  local,
  activeActive,
  many,
  invoke,
  eitherOrder,
]
