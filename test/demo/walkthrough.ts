/** The whole session: what was published, and then what else there is to see. A loop of calls runs all along. */
import { CONTROL_PLANE } from '../e2e/mesh.ts'
import { file, GATEWAY_PORT, HUB, MEMBERS, type Member } from './clusters.ts'
import { FAILED, keepCalling, type Loop } from './loop.ts'
import {
  answeredBy,
  CALLER,
  type Chapter,
  calls,
  exportIn,
  FROM_ANSWERED,
  rolledOut,
  SAYS,
  UNTIL_ANSWERED,
  URL,
} from './printed.ts'

const counted = (n: number) => `${calls(n)} | sort | uniq -c`
/** Wants answers of all of these clusters among counted lines, and of no other. */
const countedBy =
  (...members: readonly Member[]) =>
  (output: string) =>
    answeredBy(...members)(output.replaceAll(/^ *\d+ /gm, ''))
const applyPolicy = (name: string) => `kubectl --context ${CALLER} apply -n httpbin -f ${file(name)}`
const programmed = `kubectl --context ${CALLER} -n httpbin wait --for=condition=Programmed gtp/httpbin --timeout=120s`

/** Calls after which a cluster that answers none takes part no more, and did not just have no turn: one in five would be its. */
const ENOUGH = 60

const weights: Chapter = {
  title: 'Weights: three of five calls stay in cluster-2',
  async run({ show }) {
    await show(applyPolicy('weights.yaml'))
    await show(programmed)
    await show(counted(30), { problem: countedBy(...MEMBERS) })
  },
}

const killed: Chapter = {
  title: 'The pods of cluster-2 are killed: the others answer',
  async run({ show, settle }) {
    await show(`kubectl --context ${CALLER} -n httpbin scale deploy/httpbin --replicas=0`)
    await show(
      `kubectl --context ${CALLER} -n httpbin delete pod -l app=pipy --force --grace-period=0 2> /dev/null; true`,
    )
    await settle(calls(ENOUGH), { problem: answeredBy('cluster-1', 'cluster-3') })
    await show(counted(10), { problem: countedBy('cluster-1', 'cluster-3') })
    await show(`kubectl --context ${CALLER} -n httpbin scale deploy/httpbin --replicas=1`)
    await show(rolledOut(CALLER, 'httpbin', 'httpbin'))
  },
}

const unexport: Chapter = {
  title: 'cluster-1 takes its export back, and gives it again',
  async run({ show, settle }) {
    await show(`kubectl --context cluster-1 -n httpbin delete serviceexport httpbin`)
    await settle(calls(ENOUGH), { problem: answeredBy('cluster-2', 'cluster-3') })
    await show(counted(10), { problem: countedBy('cluster-2', 'cluster-3') })
    await show(`kubectl --context ${CALLER} -n httpbin get serviceimports,globaltrafficpolicies`)
    await show(exportIn('cluster-1'))
    await settle(calls(6), { problem: answeredBy(...MEMBERS) })
  },
}

const leave: Chapter = {
  title: 'cluster-3 leaves: nothing of it is left anywhere, and nothing of others in it',
  async run({ show, settle }) {
    await show(`kubectl --context ${HUB} delete cluster cluster-3`)
    await settle(calls(ENOUGH), { problem: answeredBy('cluster-1', 'cluster-2') })
    await show(counted(10), { problem: countedBy('cluster-1', 'cluster-2') })
    const imports = 'kubectl --context cluster-3 get serviceimports -A'
    await settle(imports, { output: /No resources found/ })
    await show(imports, { output: /No resources found/ })
  },
}

const rejoin: Chapter = {
  title: 'cluster-3 comes back, by an account that may do no more than a hub must',
  async run({ show, settle }, { address }) {
    const gateway = `--gateway-host ${address['cluster-3']} --gateway-port ${GATEWAY_PORT['cluster-3']}`
    await show(`portolan cluster join cluster-3 --context cluster-3 --hub-context ${HUB} ${gateway}`)
    await show(`portolan cluster list --context ${HUB}`)
    await settle(calls(6), { problem: answeredBy(...MEMBERS) })
  },
}

const refused: Chapter = {
  title: 'A bad policy is refused, with all that is wrong with it',
  async run({ show }) {
    await show(`cat ${file('bad.yaml')}`)
    await show(applyPolicy('bad.yaml'), { code: 1, output: /weight/ })
  },
}

const overview: Chapter = {
  title: 'What there is, and why',
  async run({ show, showAll, say }) {
    await showAll([
      `kubectl --context ${HUB} get clusters`,
      'kubectl --context cluster-1 -n httpbin get serviceexports',
      `kubectl --context ${CALLER} -n httpbin get serviceimports,globaltrafficpolicies`,
      `kubectl --context ${CALLER} -n ${CONTROL_PLANE} get meshconfigs`,
    ])
    say("What curl's sidecar reads: Envoy's own file, and the same as a table for people.")
    const table = `kubectl --context ${CALLER} -n curl get configmap portolan-routes`
    await show(table, { output: /portolan-routes/ })
    await show(`${table} -o jsonpath='{.data.table\\.json}' | jq`, { output: /"policy": "ActiveActive"/ })
    await showAll([
      `portolan explain httpbin/httpbin --context ${CALLER} --from curl/\${curl_client}`,
      `portolan check --context ${CALLER}`,
    ])
  },
}

/** Everything after the installation, in order. */
export function walkthrough(): readonly Chapter[] {
  let loop: Loop | null = null
  const begin: Chapter = {
    title: 'A loop of calls begins',
    async run({ say }, { env }) {
      say('It calls the service ten times a second from now on; its count comes at the end.')
      loop = keepCalling(env, CALLER, URL)
    },
  }
  const end: Chapter = {
    title: 'The loop that ran all along',
    async run({ say }) {
      const count = (await loop?.stop()) ?? {}
      const total = Object.values(count).reduce((sum, each) => sum + each, 0)
      const lines = Object.entries(count).map(([answer, times]) => `${String(times).padStart(7)} ${answer}`)
      const failed = Object.entries(count).reduce((sum, [answer, times]) => sum + (FAILED.test(answer) ? times : 0), 0)
      say([...lines, `${total} calls, ${failed} failed`].join('\n'))
      const strange = Object.keys(count).filter((answer) => !Object.values(SAYS).includes(answer))
      if (total === 0 || strange.length > 0) throw new Error(`of ${total} calls some got: ${strange.join(' | ')}`)
    },
  }
  return [...UNTIL_ANSWERED, begin, ...FROM_ANSWERED, weights, killed, unexport, refused, overview, leave, rejoin, end]
}
