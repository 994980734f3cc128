import type { Namespace } from '../../api/core.ts'
import { formatProblem } from '../../api/diagnostics.ts'
import type { MeshConfig } from '../../api/mesh-config.ts'
import { MONITORED_BY } from '../../api/names.ts'
import { type LivePod, MESH_CONFIGS, NAMESPACES, PODS } from '../../api/resources.ts'
import { keepPod } from '../../compiler/controller/pods.ts'
import { interceptionOf } from '../../webhook/interception.ts'
import { podSecurity } from '../../webhook/pod-security.ts'
import { type ExitCode, type Io, UsageError } from '../io.ts'
import { amount, columns, type Format, type Paint, painter, serialize } from '../print.ts'
import { type Live, must, withCluster } from './connect.ts'
import type { LiveFlags } from './flags.ts'
import { type Membership, membershipOf, membershipPatch, memberships } from './membership.ts'
import { meshOf } from './mesh.ts'
import { suggestion } from './names.ts'
import { listAll } from './snapshot.ts'

export interface NamespaceOptions extends LiveFlags {
  readonly output: Format
  readonly colors: boolean
}

interface Changed extends Membership {
  readonly changed: boolean
  /** Pods that go on as they were until they are made anew. */
  readonly restart: readonly string[]
  /** What Kubernetes has against pods with a sidecar, in sentences. */
  readonly warnings: readonly string[]
}

/** `portolan namespace add`: pods created there from now on get a sidecar. */
export function namespaceAdd(names: readonly string[], options: NamespaceOptions, io: Io): Promise<ExitCode> {
  return change(names, true, options, io)
}

/** `portolan namespace remove`: pods created there from now on get none. */
export function namespaceRemove(names: readonly string[], options: NamespaceOptions, io: Io): Promise<ExitCode> {
  return change(names, false, options, io)
}

/** `portolan namespace list` */
export function namespaceList(options: NamespaceOptions, io: Io): Promise<ExitCode> {
  return withCluster<ExitCode>(options, async (cluster) => {
    const { meshName } = await meshOf(cluster)
    const [namespaces, pods] = await Promise.all([listAll(cluster, NAMESPACES), listAll<LivePod>(cluster, PODS)])
    const found = memberships(namespaces, pods.map(keepPod), meshName)
    if (options.output !== 'text') io.out(serialize(found, options.output))
    else io.out(table(found, meshName, painter(options.colors)))
    return 0
  })
}

function change(names: readonly string[], joins: boolean, options: NamespaceOptions, io: Io): Promise<ExitCode> {
  return withCluster<ExitCode>(options, async (cluster) => {
    const { meshName, meshConfig } = await meshOf(cluster)
    const [all, config] = await Promise.all([
      listAll(cluster, NAMESPACES),
      cluster.client.get<MeshConfig>(MESH_CONFIGS, meshConfig),
    ])
    const wanted = [...new Set(names)].map((name) => all.find(({ metadata }) => metadata.name === name) ?? name)
    const faults = wanted.flatMap((each) => faultsOf(each, { joins, all, meshName, cluster }))
    if (faults.length > 0) throw new UsageError(`${cluster.name}: ${faults.join('. ')}`)

    const changed: Changed[] = []
    for (const namespace of wanted) {
      if (typeof namespace === 'string') continue
      const { name } = namespace.metadata
      const body = membershipPatch(namespace, joins ? meshName : undefined)
      const after =
        body === undefined
          ? namespace
          : must(await cluster.client.patch(NAMESPACES, { name }, { type: 'merge', body }), cluster.name)
      const pods = await listAll<LivePod>(cluster, PODS, { namespace: name })
      const membership = membershipOf(after, pods.map(keepPod), meshName)
      const { withSidecar, withoutSidecar, exempt } = membership
      const restart = joins ? withoutSidecar.filter((pod) => !exempt.includes(pod)) : withSidecar
      const interception = interceptionOf(undefined, after, config.ok ? config.value.spec : undefined)
      const warnings = joins ? podSecurity(after, interception).map(formatProblem) : []
      changed.push({ ...membership, changed: body !== undefined, restart, warnings })
    }
    if (options.output !== 'text') io.out(serialize(changed, options.output))
    else io.out(changed.map((each) => sentence(each, joins, meshName)).join(''))
    return 0
  })
}

interface Asked {
  readonly joins: boolean
  readonly all: readonly Namespace[]
  readonly meshName: string
  readonly cluster: Live
}

function faultsOf(wanted: Namespace | string, { joins, all, meshName, cluster }: Asked): readonly string[] {
  if (typeof wanted === 'string') {
    const known = all.map(({ metadata }) => metadata.name)
    return [`there is no namespace ${wanted}${suggestion(wanted, known)}`]
  }
  const { name, labels } = wanted.metadata
  const label = MONITORED_BY.find((spelling) => labels?.[spelling] !== undefined)
  const other = label === undefined ? undefined : labels?.[label]
  if (!joins) {
    if (other === undefined || other === meshName) return []
    return [`namespace ${name} belongs to mesh ${other}, not to ${meshName}; take it out there`]
  }
  if (name === cluster.portolanNamespace || name.startsWith('kube-'))
    return [
      `namespace ${name} cannot join: no pod of the system's own gets a sidecar; move what calls into another namespace`,
    ]
  if (other !== undefined && other !== meshName)
    return [
      `namespace ${name} belongs to mesh ${other}; take it out there first: kubectl label namespace ${name} ${label}-`,
    ]
  return []
}

function sentence({ namespace, changed, restart, warnings }: Changed, joins: boolean, meshName: string): string {
  const now = joins
    ? `${namespace} ${changed ? 'is now' : 'was already'} part of mesh ${meshName}`
    : `${namespace} ${changed ? 'has left' : 'was not part of'} mesh ${meshName}`
  const told = warnings.map((warning) => `  ${warning}\n`).join('')
  if (restart.length === 0) return `${now}.\n${told}`
  const state = joins ? 'without a sidecar' : 'with a sidecar'
  return [
    `${now}. ${amount(restart.length, 'pod')} there ${restart.length === 1 ? 'runs' : 'run'} ${state} until made anew: ${restart.join(', ')}`,
    `  kubectl -n ${namespace} rollout restart deployment,statefulset,daemonset`,
    told,
  ].join('\n')
}

function table(found: readonly Membership[], meshName: string, paint: Paint): string {
  if (found.length === 0)
    return `No namespace is part of mesh ${meshName}. Take one in with: portolan namespace add NAMESPACE\n`
  const head = ['NAMESPACE', 'INJECTION', 'WITH SIDECAR', 'WITHOUT', 'PODS WITHOUT'].map((cell) => paint('bold', cell))
  const rows = found.map(({ namespace, member, injection, withSidecar, withoutSidecar }) => [
    namespace,
    member ? injection : paint('yellow', 'has left'),
    String(withSidecar.length),
    String(withoutSidecar.length),
    withoutSidecar.length === 0 ? '-' : withoutSidecar.join(', '),
  ])
  return columns([head, ...rows], '')
}
