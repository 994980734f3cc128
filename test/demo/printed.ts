/**
 * The four-cluster walkthrough as it was published with FSM: the same order, manifests and outcomes. Where it differs,
 * docs/walkthrough.md says why.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import type { ServiceImport } from '../../api/service-import.ts'
import { file, GATEWAY_PORT, HUB, MEMBERS, type Member, type Scene } from './clusters.ts'
import type { Stage } from './stage.ts'

/** A part of the session with a title of its own. */
export interface Chapter {
  readonly title: string
  readonly run: (stage: Stage, scene: Scene) => Promise<void>
}

/** The clusters that have the service from the beginning. */
const EXPORTERS = ['cluster-1', 'cluster-3'] as const
/** Where the calls come from. */
export const CALLER = 'cluster-2'
export const URL = 'http://httpbin.httpbin:8080/'
const IN_CURL = `kubectl --context ${CALLER} exec "\${curl_client}" -n curl -c curl --`
export const CALL = `${IN_CURL} curl -s ${URL}`
/** Several in a row. */
export const calls = (n: number) => `${IN_CURL} sh -c 'for i in $(seq ${n}); do curl -s ${URL}; done'`

/** What the service says in each cluster: two of the Deployments say more than the third, as printed. */
export const SAYS: Readonly<Record<Member, string>> = {
  'cluster-1': 'Hi, I am from cluster-1 and controlled by mesh!',
  'cluster-2': 'Hi, I am from cluster-2!',
  'cluster-3': 'Hi, I am from cluster-3 and controlled by mesh!',
}

/** Wants every line to come from one of the clusters, and each of these to have answered. */
export function answeredBy(...members: readonly Member[]) {
  return (output: string): string | null => {
    const lines = output.split('\n').filter(Boolean)
    const wanted = members.map((member) => SAYS[member])
    const strange = lines.filter((line) => !wanted.includes(line))
    const silent = wanted.filter((line) => !lines.includes(line))
    if (strange.length > 0) return `answers of others than ${members.join(', ')}: ${strange.join(' | ')}`
    return silent.length > 0 ? `no "${silent.join('", no "')}" among the answers` : null
  }
}

/** One of the published manifests, which lie beside this file word by word. */
const printed = (name: string) => file(`printed/${name}`)

/** Applies a manifest with its variables filled in; `path` as typed from the top of the repository. */
export function applyFilled(
  path: string,
  values: Readonly<Record<string, string>>,
  context: string,
  ...flags: readonly string[]
): string {
  return `${filled(path, values)} | kubectl --context ${context} apply ${[...flags, '-f', '-'].join(' ')}`
}

/** A file with what the walkthrough shows. */
function shown(name: string): unknown {
  return JSON.parse(readFileSync(join(import.meta.dirname, '../golden/seeds', name), 'utf8'))
}

/** A manifest with its variables filled in. */
function filled(path: string, values: Readonly<Record<string, string>>): string {
  const edits = Object.entries(values).map(([variable, value]) => `s/\${${variable}}/${value}/g`)
  return `sed '${edits.join('; ')}' ${path}`
}

/** Applies the app and its Services in members. */
function deployApp({ showAll }: Stage, members: readonly Member[], manifest: string): Promise<void> {
  const commands = members.map((name) => applyFilled(printed(manifest), { CLUSTER_NAME: name }, name, '-n', 'httpbin'))
  return showAll(commands, { output: /deployment.apps\/httpbin created/ })
}

/** Applies both exports of a member. */
export function exportIn(name: Member): string {
  return applyFilled(printed('export.yaml'), { NAMESPACE_MESH: 'httpbin', CLUSTER_NAME: name }, name)
}

export function rolledOut(context: string, namespace: string, deployment: string): string {
  return `kubectl --context ${context} -n ${namespace} rollout status deploy/${deployment} --timeout=120s`
}

function gatewayCalls({ address }: Scene, name: Member): readonly string[] {
  const base = `http://${address[name]}:${GATEWAY_PORT[name]}/${name}/httpbin-mesh`
  return [`curl -s ${base}`, `curl -s ${base}-${name}`]
}

export const federate: Chapter = {
  title: 'Federate: cluster-1, cluster-2 and cluster-3 come under the control plane',
  async run({ show, showAll, say }, { address }) {
    const clusterOf = (name: Member) => {
      const values = { CLUSTER_NAME: name, HOST_IP: address[name], PORT: String(GATEWAY_PORT[name]) }
      const kubeconfig = `kubectl config view --raw --minify --context ${name} | sed 's/^/    /'`
      return `{ ${filled(printed('cluster.yaml'), values)}; ${kubeconfig}; } | kubectl --context ${HUB} apply -f -`
    }
    await showAll(MEMBERS.map(clusterOf), { output: /cluster.flomesh.io\/cluster-\d created/ })
    say('The control plane connects to each of them:')
    await show(`kubectl --context ${HUB} wait --for=condition=Managed clusters --all --timeout=120s`)
    await show(`kubectl --context ${HUB} get clusters`)
  },
}

const deploy: Chapter = {
  title: 'httpbin in cluster-1 and cluster-3, curl in cluster-2',
  async run(stage) {
    const { show, showAll, assign, say } = stage
    const places = [...EXPORTERS.map((name) => [name, 'httpbin']), [CALLER, 'curl']]
    await showAll(places.map(([name, namespace]) => `kubectl --context ${name} create namespace ${namespace}`))
    await showAll(places.map(([name, namespace]) => `portolan namespace add ${namespace} --context ${name}`))
    await deployApp(stage, EXPORTERS, 'httpbin-mesh.yaml')
    await show(`kubectl --context ${CALLER} apply -n curl -f ${printed('curl.yaml')}`)
    await showAll([
      ...EXPORTERS.map((name) => rolledOut(name, 'httpbin', 'httpbin')),
      rolledOut(CALLER, 'curl', 'curl'),
    ])
    say('The webhook has given the pod of curl a sidecar: a second container.')
    await show(`kubectl --context ${CALLER} -n curl get pods`, { output: /2\/2/ })
    await assign(
      'curl_client',
      `kubectl --context ${CALLER} get pod -n curl -l app=curl -o jsonpath='{.items[0].metadata.name}'`,
    )
  },
}

const exporting: Chapter = {
  title: 'Exports in cluster-1 and cluster-3, and calls to their gateways from outside',
  async run({ show, showAll, settle, say }, scene) {
    await showAll(EXPORTERS.map(exportIn), { output: /httpbin created[\s\S]*httpbin-cluster-\d created/ })
    for (const name of EXPORTERS) {
      const calls = gatewayCalls(scene, name)
      await settle(calls.join(' && '), { problem: answeredBy(name) })
      await show(`kubectl --context ${name} get serviceexports.flomesh.io -A`)
      for (const call of calls) await show(call, { problem: answeredBy(name) })
    }
    say('One of the exports, read back. Defaults are filled in, and nothing else:')
    await show(`kubectl --context cluster-3 get serviceexports httpbin -n httpbin -o jsonpath='{.spec}' | jq`, {
      problem: (output) =>
        isDeepStrictEqual(JSON.parse(output), shown('000-export-readback.json'))
          ? null
          : 'another spec than the printed one',
    })
  },
}

/** What the printed spec says must be there as printed; there may be more. */
function lacks(actual: unknown, wanted: unknown, path = 'spec'): string | null {
  if (Array.isArray(wanted)) {
    if (!Array.isArray(actual) || actual.length !== wanted.length) return `${path} has not ${wanted.length} items`
    return wanted.map((each, n) => lacks(actual[n], each, `${path}[${n}]`)).find((found) => found !== null) ?? null
  }
  if (typeof wanted !== 'object' || wanted === null)
    return actual === wanted ? null : `${path} is ${JSON.stringify(actual)} instead of ${JSON.stringify(wanted)}`
  const fields = Object.entries(wanted)
  const of = (actual ?? {}) as Readonly<Record<string, unknown>>
  return fields.map(([key, each]) => lacks(of[key], each, `${path}.${key}`)).find((found) => found !== null) ?? null
}

/** The printed spec of the import, with the addresses of this scene. */
function printedImport({ address }: Scene): unknown {
  const { ports = [], ...rest } = shown('000-import-spec.json') as ServiceImport['spec']
  const host = (clusterKey: string) => address[clusterKey.split('/').at(-1) as Member]
  const fill = <T extends { clusterKey: string; target: object }>(endpoint: T) => ({
    ...endpoint,
    target: { ...endpoint.target, host: host(endpoint.clusterKey), ip: host(endpoint.clusterKey) },
  })
  return { ...rest, ports: ports.map(({ endpoints = [], ...port }) => ({ ...port, endpoints: endpoints.map(fill) })) }
}

const importing: Chapter = {
  title: 'What cluster-2 imports of it by itself',
  async run({ show, settle }, scene) {
    const list = `kubectl --context ${CALLER} get serviceimports -A`
    const spec = `kubectl --context ${CALLER} get serviceimports httpbin -n httpbin -o jsonpath='{.spec}' | jq`
    const asPrinted = { problem: (output: string) => lacks(JSON.parse(output), printedImport(scene)) }
    await settle(spec, asPrinted)
    await show(list, {
      problem: (output) => {
        const names = [...output.matchAll(/^httpbin +(\S+)/gm)].map(([, name]) => name)
        const wanted = ['httpbin', 'httpbin-cluster-1', 'httpbin-cluster-3']
        return isDeepStrictEqual(names.sort(), wanted) ? null : `imports ${names} instead of ${wanted}`
      },
    })
    await show(spec, asPrinted)
  },
}

const testing: Chapter = {
  title: 'No policy: no other cluster is asked, and cluster-2 has no httpbin',
  run: async ({ show }) => void (await show(CALL, { code: 7, output: /command terminated with exit code 7/ })),
}

const failOver: Chapter = {
  title: 'FailOver: other clusters answer, since this one cannot',
  async run({ show, settle }) {
    await show(`kubectl --context ${CALLER} apply -n httpbin -f ${printed('failover.yaml')}`)
    // One that fails at first is left out for half a minute.
    await settle(calls(6), { problem: answeredBy('cluster-1', 'cluster-3') })
    const answers = [await show(CALL), await show(CALL), await show(calls(6))]
    const wrong = answeredBy('cluster-1', 'cluster-3')(answers.join(''))
    if (wrong !== null) throw new Error(wrong)
  },
}

const local: Chapter = {
  title: 'httpbin in cluster-2: it goes before the others, however often one calls',
  async run(stage) {
    const { show, settle, say } = stage
    say('The namespace is there: the first import brought it.')
    await show(`kubectl --context ${CALLER} create namespace httpbin`, { code: 1, output: /already exists/ })
    await show(`portolan namespace add httpbin --context ${CALLER}`)
    await deployApp(stage, [CALLER], 'httpbin.yaml')
    await show(rolledOut(CALLER, 'httpbin', 'httpbin'))
    await settle(CALL, { problem: answeredBy(CALLER) })
    await show(calls(8), { problem: answeredBy(CALLER) })
  },
}

const activeActive: Chapter = {
  title: 'ActiveActive: all three take part',
  async run({ show, settle }) {
    await show(`kubectl --context ${CALLER} apply -n httpbin -f ${printed('activeactive.yaml')}`)
    await settle(calls(9), { problem: answeredBy(...MEMBERS) })
    await show(calls(9), { problem: answeredBy(...MEMBERS) })
  },
}

/** Up to the first policy that lets calls through, and from there. */
export const UNTIL_ANSWERED: readonly Chapter[] = [federate, deploy, exporting, importing, testing, failOver]
export const FROM_ANSWERED: readonly Chapter[] = [local, activeActive]
