/**
 * The walkthrough of cross-cluster communication as it was published for Cilium's cluster mesh: the same application,
 * annotation and outcomes. Where it differs, docs/walkthrough-global.md says why.
 */
import { file } from '../clusters.ts'
import { type Chapter, rolledOut } from '../printed.ts'
import type { Stage } from '../stage.ts'
import { type OfPair, PAIR } from './install.ts'

/** What the application says in each cluster: the printed manifest has it for one, and how to change it for the other. */
const SAYS: Readonly<Record<OfPair, string>> = { cluster01: 'Cluster-1', cluster02: 'Cluster-2' }
const TIMES = 20

/** As many calls of the name as show who answers, counted by answer. */
export const callsFrom = (name: OfPair, deployment: 'x-wing' | 'rebel-base' = 'x-wing'): string => {
  const container = deployment === 'x-wing' ? 'x-wing-container' : deployment
  return `kubectl --context ${name} exec deploy/${deployment} -c ${container} -- sh -c 'for i in $(seq ${TIMES}); do curl -sS rebel-base; done' | sort | uniq -c`
}

/** Wants answers of all these clusters and of no other; the numbers are how many. */
function answeredBy(...names: readonly OfPair[]) {
  return (output: string): string | null => {
    const wanted = names.map((name) => `{"Galaxy": "Alderaan", "Cluster": "${SAYS[name]}"}`)
    const lines = output.split('\n').filter((line) => line !== '')
    const strange = lines.filter((line) => !wanted.includes(line.replace(/^ *\d+ /, '')))
    if (strange.length > 0) return `other answers than of ${names.join(' and ')}`
    return lines.length < wanted.length ? `not all of ${names.join(', ')} answered` : null
  }
}

async function shows({ show, settle }: Stage, command: string, ...names: readonly OfPair[]): Promise<void> {
  await settle(command, { problem: answeredBy(...names) })
  await show(command, { problem: answeredBy(...names) })
}

const connect: Chapter = {
  title: 'The clusters are connected: one command in place of enabling and connecting a cluster mesh',
  async run({ show }) {
    await show('portolan cluster connect --context cluster01 --destination-context cluster02', {
      output: /^cluster01 and cluster02 are connected/m,
    })
    await show('portolan cluster list --context cluster01', { output: /cluster02/ })
  },
}

const ours: Chapter = {
  title: 'A step of ours: namespace default is in the mesh, so that its pods get a sidecar',
  async run({ showAll }) {
    await showAll(PAIR.map((name) => `portolan namespace add default --context ${name}`))
  },
}

const deploy: Chapter = {
  title: 'rebel-base and x-wing in both clusters; each rebel-base answers with the name of its cluster',
  async run({ show, showAll }) {
    const manifest = file('global/printed/rebel-base.yaml')
    await show(`kubectl --context cluster01 apply -f ${manifest}`, { output: /deployment.apps\/x-wing created/ })
    await show(`sed 's/Cluster-1/Cluster-2/' ${manifest} | kubectl --context cluster02 apply -f -`, {
      output: /deployment.apps\/x-wing created/,
    })
    await showAll(
      PAIR.flatMap((name) => ['rebel-base', 'x-wing'].map((deployment) => rolledOut(name, 'default', deployment))),
    )
  },
}

const services: Chapter = {
  title: 'A global Service in each: the same name, namespace, port name and annotation',
  async run({ show, showAll }) {
    await showAll(
      PAIR.map((name) => `kubectl --context ${name} apply -f ${file('global/service.yaml')}`),
      { output: /service\/rebel-base created/ },
    )
    await show(`kubectl --context cluster01 get service rebel-base -o yaml | grep -A1 annotations`)
  },
}

const podAddress: Chapter = {
  title: 'Not here: a pod of cluster02 called by its address from cluster01',
  async run({ show, say }) {
    await show('kubectl --context cluster02 get pods -l name=rebel-base -o wide', { output: /Running/ })
    say(`The published text calls one of these addresses from a pod of cluster01. Cilium makes the networks of all pods
one; Portolan does not: only gateways need to reach each other, and the same addresses may be in use in both clusters.
Calls by the name of the Service, which is what applications make, follow.`)
  },
}

const calls: Chapter = {
  title: 'Calls by name: pods of both clusters answer, whichever cluster they come from',
  async run(stage) {
    await shows(stage, callsFrom('cluster02', 'rebel-base'), ...PAIR)
    for (const name of PAIR) await shows(stage, callsFrom(name), ...PAIR)
    await stage.show('portolan explain default/rebel-base --context cluster01', {
      output: /annotations of the Service decide/,
    })
  },
}

const annotate = (word: string) => `kubectl --context cluster01 annotate service rebel-base ${word} --overwrite`

const sharing: Chapter = {
  title: "shared=false in cluster01: its pods are its own, cluster02's are still everybody's",
  async run(stage) {
    await stage.show(annotate('service.cilium.io/shared=false'))
    await shows(stage, callsFrom('cluster02'), 'cluster02')
    await shows(stage, callsFrom('cluster01'), ...PAIR)
    await stage.show(annotate('service.cilium.io/shared-'))
    await shows(stage, callsFrom('cluster02'), ...PAIR)
  },
}

const affinity: Chapter = {
  title: 'affinity in cluster01 is about calls from there, and from nowhere else',
  async run(stage) {
    await stage.show(annotate('service.cilium.io/affinity=local'))
    await shows(stage, callsFrom('cluster01'), 'cluster01')
    await shows(stage, callsFrom('cluster02'), ...PAIR)
    await stage.show(annotate('service.cilium.io/affinity=remote'))
    await shows(stage, callsFrom('cluster01'), 'cluster02')
    await shows(stage, callsFrom('cluster02'), ...PAIR)
  },
}

const failing: Chapter = {
  title: 'affinity=local, and no pod left in cluster01: those of cluster02 take over',
  async run(stage) {
    await stage.show(annotate('service.cilium.io/affinity=local'))
    await shows(stage, callsFrom('cluster01'), 'cluster01')
    await stage.show('kubectl --context cluster01 scale deploy/rebel-base --replicas=0')
    await shows(stage, callsFrom('cluster01'), 'cluster02')
    await stage.show('kubectl --context cluster01 scale deploy/rebel-base --replicas=2')
    await shows(stage, callsFrom('cluster01'), 'cluster01')
    await stage.show(annotate('service.cilium.io/affinity-'))
    await shows(stage, callsFrom('cluster01'), ...PAIR)
  },
}

const mistaken: Chapter = {
  title: 'A value that says nothing is told, and is as good as none',
  async run(stage) {
    await stage.show(annotate('service.cilium.io/affinity=nearest'), { output: /"nearest" is none of/ })
    await shows(stage, callsFrom('cluster01'), ...PAIR)
    await stage.show(annotate('service.cilium.io/affinity-'))
  },
}

/** Everything after the installation, in order. */
export const GLOBAL: readonly Chapter[] = [
  connect,
  ours,
  deploy,
  services,
  podAddress,
  calls,
  sharing,
  affinity,
  failing,
  mistaken,
]
