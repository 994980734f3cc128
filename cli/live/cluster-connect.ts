import { CLUSTER_IDENTITY_KEY, IDENTITY_HUB_KEY } from '../../api/cluster-identity.ts'
import { CLUSTER_CONFIGMAP } from '../../api/names.ts'
import { CLUSTERS, CONFIGMAPS, NAMESPACES } from '../../api/resources.ts'
import { type ExitCode, type Io, UsageError } from '../io.ts'
import { type Format, serialize } from '../print.ts'
import { keyOfCluster, managed, registered, serverOf } from './cluster-facts.ts'
import { type Joined, join, type Prepared, prepare, type Whereabouts } from './cluster-join.ts'
import { definedOnly, type Live, must, mustOrMissing, withCluster } from './connect.ts'
import { connectPlan, type End, type Named } from './connect-plan.ts'
import type { LiveFlags } from './flags.ts'
import { DEPLOYMENTS, meshOf } from './mesh.ts'
import { listAll } from './snapshot.ts'

export interface ConnectOptions extends LiveFlags, Whereabouts {
  readonly output: Format
  readonly name?: string
  readonly destinationContext: string
  /** Portolan's own in the other cluster; absent = as in the first. */
  readonly destinationNamespace?: string
  readonly destinationName?: string
  readonly destinationGatewayHost?: string
  readonly destinationGatewayPort?: number
  readonly destinationServer?: string
  readonly wait: boolean
  /** Seconds, for each of the two. */
  readonly timeout: number
}

/** Where every pod of a cluster finds its own API server. */
const OWN_SERVER = 'https://kubernetes.default.svc'

interface LiveEnd extends End {
  readonly live: Live
  /** region, zone and group that it was installed with, or has at its hub. */
  readonly place: { readonly region?: string; readonly zone?: string; readonly group?: string }
  readonly whereabouts: Whereabouts
}

/** `portolan cluster connect`: two clusters share their services without a third: one is the hub, and both are members. */
export function clusterConnect(options: ConnectOptions, io: Io): Promise<ExitCode> {
  const destination = {
    ...options,
    context: options.destinationContext,
    portolanNamespace: options.destinationNamespace ?? options.portolanNamespace,
  }
  return withCluster(options, (first) => withCluster(destination, (second) => connectBoth(first, second, options, io)))
}

async function connectBoth(first: Live, second: Live, options: ConnectOptions, io: Io): Promise<ExitCode> {
  const { gatewayHost, gatewayPort, server } = options
  const [here, there] = [
    definedOnly({ gatewayHost, gatewayPort, server }),
    definedOnly({
      gatewayHost: options.destinationGatewayHost,
      gatewayPort: options.destinationGatewayPort,
      server: options.destinationServer,
    }),
  ]
  const ends = await Promise.all([
    look(first, '', options.name, here),
    look(second, 'destination-', options.destinationName, there),
  ])
  const plan = connectPlan(...ends)
  if (!plan.ok) throw new UsageError(plan.why)
  const { hub, member } = plan
  // Both, before anything is written in either.
  const tasks = await Promise.all(
    [hub, member].map(
      async (each) => (await standing(each, hub.end.live)) ?? (await prepareEnd(each, hub.end, options)),
    ),
  )
  const results = []
  for (const task of tasks) {
    const result = 'code' in task ? task : await join(task, options, io)
    if ('code' in task && options.output === 'text')
      io.out(`${task.joined.cluster} is managed by ${hub.end.context} as ${task.joined.clusterKey} already\n`)
    results.push(result)
    if (result.code !== 0) break
  }
  const code = results.some((result) => result.code !== 0) ? 1 : 0
  const clusters = results.map(({ joined }) => joined)
  if (options.output !== 'text') io.out(serialize({ hub: hub.name, clusters }, options.output))
  else if (code === 0)
    io.out(
      `${hub.name} and ${member.name} ${options.wait ? 'are connected' : 'are told of each other'}: each can call what the other exports, or shares by annotation\n`,
    )
  return code
}

/** @throws UsageError when Portolan is not installed there */
async function look(
  live: Live,
  prefix: string,
  wanted: string | undefined,
  whereabouts: Whereabouts,
): Promise<LiveEnd> {
  const { client, name: context, portolanNamespace: namespace } = live
  const mesh = await meshOf(live, prefix === '' ? undefined : '--destination-namespace')
  const [system, told, federation, clusters] = await Promise.all([
    client.get(NAMESPACES, { name: 'kube-system' }),
    client.get(CONFIGMAPS, { namespace, name: CLUSTER_CONFIGMAP }),
    client.get(DEPLOYMENTS, { namespace, name: 'portolan-federation' }),
    listAll(live, CLUSTERS),
  ])
  const members = await Promise.all(
    clusters.map(async ({ metadata: { name } }) => {
      const { memory } = await registered(live, name)
      return { name, ...definedOnly({ uid: memory?.cluster.apiServer }) }
    }),
  )
  const [region, zone, group, installed = ''] = mesh.clusterKey.split('/')
  const identity = mustOrMissing(told, context)?.data ?? {}
  const toldName = identity[CLUSTER_IDENTITY_KEY]?.split('/').at(-1)
  return {
    live,
    context,
    prefix,
    uid: must(system, context).metadata.uid ?? '',
    installed,
    hub: mustOrMissing(federation, context) !== undefined,
    members,
    place: definedOnly({ region, zone, group }),
    whereabouts,
    ...definedOnly({ wanted }),
    ...(toldName === undefined
      ? {}
      : { told: { name: toldName, ...definedOnly({ hub: identity[IDENTITY_HUB_KEY] }) } }),
  }
}

/** What there is to say of a cluster that needs nothing more: the hub manages this very one, and no flag says otherwise. */
async function standing({ end, name }: Named<LiveEnd>, hub: Live) {
  if (Object.keys(end.whereabouts).length > 0) return undefined
  const { cluster, kubeconfig, memory } = await registered(hub, name)
  const condition = managed(cluster?.status)
  if (cluster === undefined || memory?.cluster.apiServer !== end.uid || condition?.status !== 'True') return undefined
  const { gatewayHost: host, gatewayPort: port } = cluster.spec
  const joined: Joined = {
    cluster: name,
    clusterKey: keyOfCluster(cluster),
    member: end.context,
    hub: hub.name,
    server: serverOf(kubeconfig) ?? '',
    gateway: { host, port },
    managed: true,
    reason: condition.reason,
    message: condition.message,
  }
  return { code: 0 as const, joined }
}

async function prepareEnd({ end, name }: Named<LiveEnd>, hub: LiveEnd, options: ConnectOptions): Promise<Prepared> {
  const { output, wait, timeout } = options
  const { kubeconfig } = await registered(hub.live, name)
  // The hub need not leave its own cluster to manage it.
  const own = end === hub && kubeconfig === undefined ? { server: OWN_SERVER } : {}
  const joining = { output, wait, timeout, prefix: end.prefix, ...end.place, ...own, ...end.whereabouts }
  return prepare(name, end.live, hub.live, joining)
}
