import { formatProblem, levelOf } from '../../api/diagnostics.ts'
import type { Affinity } from '../../api/global-service.ts'
import type { Condition } from '../../api/meta.ts'
import { CLUSTERSET_DOMAIN, REFUSING_ADDRESS } from '../../api/names.ts'
import { RULES } from '../../compiler/in-a-line.ts'
import type { TargetState } from '../../compiler/targets.ts'
import { listed } from '../../federation/controller/exported.ts'
import { amount, columns, type Paint } from '../print.ts'
import type { TableVersions } from './caller.ts'
import { callsText, line } from './calls-text.ts'
import { doorText, isUncommon } from './doors-text.ts'
import type { Explanation, LocalService } from './explanation.ts'
import type { Settled } from './settled.ts'
import { withoutSidecarText } from './without-sidecar.ts'

/** An explanation in sentences, for people. */
export function explanationText(explanation: Explanation, paint: Paint): string {
  const { service, cluster, withoutSidecar: unaided } = explanation
  const sections: readonly (readonly [title: string, lines: readonly string[]])[] = [
    ['Who has it', whoHasIt(explanation)],
    ['What the hub settled', explanation.settled === undefined ? [] : hubSettled(explanation.settled)],
    ['Policy', policy(explanation)],
    ['Names, for pods with a sidecar', names(explanation)],
    ['Names, for all other pods', namesForOthers(explanation)],
    [`Calls from namespace ${explanation.callsFrom}`, callsText(explanation, paint)],
    [`Pod ${explanation.caller?.namespace}/${explanation.caller?.name}`, caller(explanation, paint)],
    ['Pods without a sidecar', unaided === undefined ? [] : [line(withoutSidecarText(unaided))]],
    ['What is wrong', problems(explanation, paint)],
  ]
  return [
    `${paint('bold', service)} in ${cluster.name} (${cluster.key})\n`,
    ...sections
      .filter(([, lines]) => lines.length > 0)
      .map(([title, lines]) => `\n${paint('bold', title)}\n${lines.join('')}`),
  ].join('')
}

function whoHasIt({ local, exported, imported, exporters, settled }: Explanation): readonly string[] {
  return [
    line(local === undefined ? 'This cluster has no Service of this name.' : `This cluster has ${describe(local)}.`),
    ...(exported === undefined ? [] : ownExport(exported, settled !== undefined)),
    ...(imported || exported !== undefined ? [] : [line('It is neither imported nor exported here.')]),
    ...(imported && exporters.length === 0 ? [line('It is imported, but no other cluster exports it now.')] : []),
    ...(exporters.length === 0 ? [] : [line('Other clusters that export it:')]),
    columns(
      exporters.flatMap(({ clusterKey, ports }) =>
        ports.map(({ port, urls }) => [clusterKey, `port ${port}`, urls.join(', ')]),
      ),
      '    ',
    ),
  ].filter(Boolean)
}

function describe({ type, ports }: LocalService): string {
  if (type === 'ExternalName') return 'a Service of type ExternalName, which is an alias and never routed'
  const ready = ports.map(({ port, readyPods }) => `port ${port} has ${amount(readyPods, 'ready pod')}`).join(', ')
  return `${type === 'headless' ? 'a headless Service' : 'a Service'}${ready === '' ? ' without TCP ports' : `: ${ready}`}`
}

function ownExport(
  { doors, conditions, standard = [], paths, clients, importers }: NonNullable<Explanation['exported']>,
  hubTells: boolean,
): readonly string[] {
  const served = paths.filter(({ until }) => until === undefined)
  const lingering = paths.filter(({ until }) => until !== undefined)
  const at = (some: typeof paths) => some.map(({ path, port }) => `${path} (port ${port})`).join(', ')
  return [
    line(
      served.length === 0
        ? 'This cluster exports it, but its gateway serves nothing of it.'
        : `This cluster exports it: its gateway serves ${at(served)}.`,
    ),
    ...(isUncommon(doors) ? [line(`It is offered by ${doors.map(doorText).join(' and ')}.`)] : []),
    ...(lingering.length === 0 ? [] : [line(`For callers who have not heard yet it still serves ${at(lingering)}.`)]),
    ...(clients === undefined ? [] : [line(`It lets in only ${clients}.`)]),
    ...[...conditions, ...standard]
      .filter(({ type, status }) => (type === 'Conflict' ? status === 'True' && !hubTells : status !== 'True'))
      .map(({ type, status, reason, message }) => line(`${type}=${status} (${reason}): ${message}`)),
    ...(importers.length === 0 ? [] : [line(`Clusters that import it: ${importers.join(', ')}.`)]),
    ...besides(conditions, importers).map((more) => line(`Its hub says of it: ${more}`)),
  ]
}

/** What the hub says of an export beside who imports it. */
function besides(conditions: readonly Condition[], importers: readonly string[]): readonly string[] {
  const { message = '' } = conditions.find(({ type, reason }) => type === 'Exported' && reason === 'Exported') ?? {}
  const [object, params] = [{ kind: 'ServiceExport', name: '' }, { clusters: listed(importers) }]
  const more = message.replace(formatProblem({ code: 'Exported', object, path: '', params }), '').trim()
  return more === '' ? [] : [more]
}

function hubSettled({ hub, exporters, properties, conflicts }: Settled): readonly string[] {
  const uncommon = exporters.some(({ doors }) => isUncommon(doors))
  return [
    line(`As hub ${hub} last saw the exports, the oldest first:`),
    columns(
      exporters.map(({ clusterKey, since, doors, eldest, useless, importers }) => [
        clusterKey,
        doors.length > 1 ? `since ${since} by ${doorText(eldest)}` : `since ${since}`,
        ...(uncommon ? [`by ${doors.map(doorText).join(' and ')}`] : []),
        useless ?? `for ${importers.join(', ') || 'no cluster'}`,
      ]),
      '    ',
    ),
    ...(properties.length === 0 ? [] : [line('Who decides:')]),
    columns(
      properties.map(({ property, value, decidedBy, door }) => [
        property,
        value,
        `as in ${decidedBy}${uncommon ? `, by its ${door === undefined ? 'Service' : doorText(door)}` : ''}`,
      ]),
      '    ',
    ),
    ...conflicts.map((conflict) => line(`Conflict: ${conflict}`)),
    ...(conflicts.length > 0 || exporters.length < 2 ? [] : [line('They agree.')]),
  ]
}

const POLICY_MEANS = {
  Locality: 'calls stay in this cluster',
  FailOver: 'calls stay in this cluster while a pod of its Service is ready, else they go to the targets',
  ActiveActive: 'calls are shared by weight among this cluster and the targets, as far as they are healthy',
} as const

const TARGET_MEANS: Readonly<Record<TargetState['reason'], string>> = {
  Active: 'takes calls now',
  Standby: 'takes over when those before it have gone',
  Drained: 'drained: its weight is 0, so it gets no new calls',
  ExportsNothing: 'exports nothing of this name (yet)',
  KeyChanged: 'no cluster goes by this key any more',
  WithoutIdentity: 'has no identity that this cluster knows, and the chart requires one',
  NoReadyEndpoint: 'no pod is ready',
  NotUsed: 'not used: Locality keeps calls here',
}

const DECIDED_MEANS = {
  GlobalService: (affinity: Affinity) =>
    `so the annotations of the Service decide, affinity ${affinity}: ${RULES[affinity]}.`,
  ClusterSet: () => `so calls by the clusterset's name go ${RULES.clusterset}; the plain name keeps its meaning.`,
} as const

function policy({
  policy: { type, inForce, decided, affinity = 'none', targets, programmed },
}: Explanation): readonly string[] {
  const undecided = type === 'unset' ? 'It says no lbType' : 'There is none'
  const head =
    decided !== undefined
      ? `${undecided}, ${DECIDED_MEANS[decided](affinity)}`
      : type === 'none' || type === 'unset'
        ? `${undecided}, which is the same as Locality: ${POLICY_MEANS.Locality}.`
        : type === inForce
          ? `${type}: ${POLICY_MEANS[type]}.`
          : `${type}, but it cannot work as written, so ${inForce} is in force: ${POLICY_MEANS[inForce]}.`
  return [
    line(head),
    columns(
      targets.map(({ clusterKey, weight, readyEndpoints, reason }) => [
        clusterKey,
        `weight ${weight}`,
        amount(readyEndpoints, 'endpoint'),
        TARGET_MEANS[reason],
      ]),
      '    ',
    ),
    ...(programmed === undefined ? [] : [line(`Programmed=${programmed.status}: ${programmed.message}`)]),
  ].filter(Boolean)
}

function names({ names: all, local }: Explanation): readonly string[] {
  const meaning = (address: string | undefined): string => {
    if (address === undefined)
      return local === undefined
        ? "left to the cluster's DNS, which does not know it"
        : "this cluster's own Service, without a proxy"
    return address === REFUSING_ADDRESS ? `${address}, where nothing listens` : `${address}, which the sidecar takes`
  }
  return all.length === 0 ? [] : [columns(all.map(({ name, address }) => [name, meaning(address)]))]
}

function namesForOthers({ forOthers }: Explanation): readonly string[] {
  if (forOthers === undefined) return []
  const { namespace, name, direct, pods = [] } = forOthers
  const full = `${name}.${namespace}.svc.${CLUSTERSET_DOMAIN}`
  const own = direct.map((address) => [full, `${address}, a Service of this cluster that stands in for it`])
  const ofPods = pods.map(({ host, cluster, address }) => [
    host === undefined ? full : `${host}.${cluster}.${full}`,
    `${address}, a pod in ${cluster}; also for pods with a sidecar`,
  ])
  return [columns([...own, ...ofPods]), line("As far as the cluster's own DNS asks mesh DNS: portolan dns status.")]
}

function caller({ caller: answer, local }: Explanation, paint: Paint): readonly string[] {
  if (answer === undefined) return []
  const { sidecar, withoutBecause, asksMeshDns, inScope, table } = answer
  if (!sidecar) {
    const meant = local === undefined ? 'which is nothing (curl exits with 6)' : "which is this cluster's own Service"
    return [
      line(`It has ${paint('red', 'no sidecar')}: ${withoutBecause}`),
      line(`Its calls go their plain way: the name means what the cluster's own DNS says, ${meant}.`),
    ]
  }
  return [
    line('It has a sidecar.'),
    ...(asksMeshDns
      ? []
      : [line('It keeps a dnsPolicy of its own, so names mean what that server says; add mesh DNS to its dnsConfig.')]),
    line(
      inScope
        ? 'Its sidecar knows the service.'
        : 'Its sidecar does not know the service: its namespace is narrowed by annotation flomesh.io/imports, its table is full (the import says SidecarsFull), or nothing is imported.',
    ),
    ...(table === undefined ? [] : [line(tableText(table, paint))]),
  ]
}

/** Which table a proxy runs, held against what was written and what is compiled. */
export function tableText({ compiled, written, running, silent }: TableVersions, paint: Paint): string {
  if (running === undefined) return `${paint('yellow', 'It does not say which table it runs')}: ${silent}.`
  if (running === compiled && running === written)
    return `It runs the table that is compiled now, ${running}: ${paint('green', 'up to date')}.`
  const others = [
    ...(written === running ? [] : [`its namespace has ${written ?? 'none'}`]),
    ...(compiled === running
      ? []
      : [compiled === undefined ? 'the namespace is not part of the mesh' : `compiling now gives ${compiled}`]),
  ]
  return `It runs table ${running}, but ${others.join(' and ')}: ${paint('yellow', 'behind')}. Files reach pods within 90 s, within a second when the compiler nudges them.`
}

function problems({ issues }: Explanation, paint: Paint): readonly string[] {
  return issues
    .filter((issue) => levelOf(issue) !== 'info')
    .map((issue) => {
      const level = levelOf(issue)
      return line(
        `${paint(level === 'error' ? 'red' : 'yellow', level)}: ${issue.object.kind}: ${formatProblem(issue)}`,
      )
    })
}
