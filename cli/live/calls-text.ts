import type { Answer, BackendAnswer, RoutedAnswer } from '../../compiler/where-to.ts'
import { amount, columns, type Paint } from '../print.ts'
import { atGateway, sessions } from '../tables.ts'
import type { Explanation, LocalService, NamedCall } from './explanation.ts'

/** One sentence, or what stands for one. */
export const line = (text: string): string => `  ${text}\n`

/** Where calls to a service go now, name by name and port by port, in lines. */
export function callsText(explanation: Explanation, paint: Paint): readonly string[] {
  const { calls: all, callsFrom, imported, outOfScope } = explanation
  if (callsFrom === undefined) return []
  return [
    ...all.map((call) => namedCall(call, explanation, paint)),
    ...(imported && outOfScope.length > 0
      ? [
          line(
            `Out of scope, by annotation flomesh.io/imports or for want of room (SidecarsFull), in ${outOfScope.join(', ')}: sidecars there do not know it.`,
          ),
        ]
      : []),
  ]
}

function namedCall({ to, port, answer }: NamedCall, explanation: Explanation, paint: Paint): string {
  return `  ${paint('cyan', `${to}:${port}`)}  ${answerText(answer, port, explanation, paint)}`
}

function answerText(answer: Answer, port: number, explanation: Explanation, paint: Paint): string {
  switch (answer.outcome) {
    case 'plain':
      return `${plain(answer.why, port, explanation)}\n`
    case 'refused':
      return `${paint('red', 'connection refused')} (curl exits with 7): no policy routes the name and this cluster has no such Service.\n`
    case 'status':
      return `${paint('red', `HTTP ${answer.status}`)} from the sidecar: ${answer.why}.\n`
    case 'closed':
      return `${paint('red', 'closed')} by the sidecar: ${answer.why}.\n`
    case 'routed':
      return [
        `${answer.tcp ? 'each connection ' : ''}${why(answer, port, explanation)}\n`,
        columns(
          answer.backends.map((backend) => backendRow(backend, port, explanation, paint)),
          '    ',
        ),
        ...sessions(answer).map((text) => `    ${text}\n`),
      ].join('')
  }
}

type Plain = Extract<Answer, { outcome: 'plain' }>['why']

function plain(reason: Plain, port: number, { local, imported }: Explanation): string {
  if (reason === 'outside the mesh') return 'goes its plain way: the namespace is not part of the mesh.'
  if (local === undefined)
    return imported ? 'is not answered by mesh DNS.' : 'names nothing: the name does not resolve.'
  return `goes to this cluster's own Service ${readyAt(local, port)}, past the proxy.`
}

function why(
  { policy: inForce, decided, affinity, backends }: RoutedAnswer,
  port: number,
  { local }: Explanation,
): string {
  const here = backends.some((each) => each.local && each.priority === 0)
  const alone = backends.every((each) => each.local)
  if (inForce === 'Locality') return "goes to this cluster's Service alone, as no policy names others:"
  if (alone) return `stays here, as no other cluster takes calls to this port${emptiness(local, port)}:`
  if (decided === 'ClusterSet') return 'is shared by ready pods among the clusters that export it:'
  if (affinity === 'remote')
    return here
      ? 'stays here, as no pod is ready in the other clusters:'
      : 'goes to the other clusters while a pod is ready there:'
  if (decided !== undefined && affinity === undefined)
    return here
      ? 'is shared by ready pods:'
      : `is shared by ready pods among the other clusters, as ${lack(local, port)}:`
  if (inForce === 'ActiveActive')
    return here || local === undefined
      ? 'is shared by weight:'
      : `is shared by weight among the other clusters, as ${lack(local, port)}:`
  const others = decided === undefined ? 'targets' : 'other clusters'
  return here ? 'stays here while a pod is ready:' : `goes to the ${others}, as ${lack(local, port)}:`
}

/** Why this cluster takes no calls to the port. */
function lack(local: LocalService | undefined, port: number): string {
  if (local === undefined) return 'this cluster has no such Service'
  return readyPods(local, port) === undefined ? `this cluster's Service has no port ${port}` : 'no pod is ready here'
}

const emptiness = (local: LocalService | undefined, port: number): string =>
  local !== undefined && readyPods(local, port) === 0 ? ', although no pod is ready' : ''

const readyPods = ({ ports }: LocalService, port: number): number | undefined =>
  ports.find((each) => each.port === port)?.readyPods

function readyAt(local: LocalService, port: number): string {
  const ready = readyPods(local, port)
  return ready === undefined
    ? 'without such a port'
    : ready === 0
      ? 'without a ready pod'
      : `with ${amount(ready, 'ready pod')}`
}

function backendRow(backend: BackendAnswer, port: number, { local }: Explanation, paint: Paint): readonly string[] {
  const { clusterKey, local: here, priority, share, endpoints, mtls, path } = backend
  const where = here
    ? `this cluster's Service ${local === undefined ? '' : readyAt(local, port)}`
    : atGateway(endpoints, path.replace(/\/$/, ''), mtls)
  const portion = priority === 0 ? `${Math.round(100 * share)} %`.padStart(5) : ''
  return [`${priority + 1}.`, portion, here ? paint('green', clusterKey) : clusterKey, where]
}
