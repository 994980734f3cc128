import { randomBytes } from 'node:crypto'
import type { Cluster } from '../../api/cluster.ts'
import { CLUSTER_IDENTITY_KEY } from '../../api/cluster-identity.ts'
import { formatProblem, levelOf } from '../../api/diagnostics.ts'
import { API_VERSION, CLUSTER_CONFIGMAP, FIELD_MANAGER, MANAGED_BY } from '../../api/names.ts'
import { CLUSTERS, CONFIGMAPS, NAMESPACES, SECRETS, SERVICE_ACCOUNTS, SERVICES } from '../../api/resources.ts'
import { hostAndPort } from '../../api/vip-range.ts'
import { validateObject } from '../../webhook/validate.ts'
import { type ExitCode, type Io, UsageError } from '../io.ts'
import { type Format, serialize } from '../print.ts'
import {
  hubTokens,
  keyOfCluster,
  managed,
  type Registered,
  registered,
  requireHub,
  serverOf,
  textOf,
  waitFor,
} from './cluster-facts.ts'
import { type Live, must, mustOrMissing, withCluster } from './connect.ts'
import type { LiveFlags } from './flags.ts'
import { GATEWAY_PODS, gatewayAddress, type LiveService, NODES } from './gateway-address.ts'
import {
  CLUSTER_ROLE_BINDINGS,
  CLUSTER_ROLES,
  HUB_TOKEN,
  hubAccount,
  kubeconfigSecret,
  MEMBER_ROLE,
  ROLE_BINDINGS,
} from './hub-account.ts'
import { hubKubeconfig, reachableServer } from './hub-kubeconfig.ts'
import { meshOf } from './mesh.ts'

/** Which cluster is the hub, for commands that are about another one too. */
export interface HubFlags {
  readonly hubContext?: string
  /** Portolan's own on the hub; absent = as in the member. */
  readonly hubNamespace?: string
}

/** What a user may know better than can be found out. */
export interface Whereabouts {
  readonly gatewayHost?: string
  readonly gatewayPort?: number
  readonly server?: string
}

export interface Joining extends Whereabouts {
  readonly output: Format
  readonly region?: string
  readonly zone?: string
  readonly group?: string
  readonly wait: boolean
  /** Seconds. */
  readonly timeout: number
  /** What the flags of {@link Whereabouts} begin with. */
  readonly prefix?: string
}

export interface JoinOptions extends LiveFlags, HubFlags, Joining {}

/** How a cluster stands with its hub. */
export interface Joined {
  readonly cluster: string
  readonly clusterKey: string
  /** Context, as that of the hub. */
  readonly member: string
  readonly hub: string
  readonly server: string
  readonly gateway: { readonly host: string; readonly port: number }
  readonly managed: boolean
  readonly reason?: string
  readonly message?: string
}

/** Of a token that has just been asked for; seconds. */
const TOKEN_PATIENCE = 15

export function hubOf({ hubContext, hubNamespace, ...flags }: LiveFlags & HubFlags): LiveFlags {
  const { context: _, ...rest } = flags
  return {
    ...rest,
    portolanNamespace: hubNamespace ?? flags.portolanNamespace,
    ...(hubContext === undefined ? {} : { context: hubContext }),
  }
}

/** `portolan cluster join`: lets a hub manage a cluster. Done again, it gives the hub a new token. */
export function clusterJoin(name: string, options: JoinOptions, io: Io): Promise<ExitCode> {
  return withCluster(options, (member) =>
    withCluster(hubOf(options), async (hub) => {
      const { code, joined } = await join(await prepare(name, member, hub, options), options, io)
      if (options.output !== 'text') io.out(serialize(joined, options.output))
      return code
    }),
  )
}

/** Says what it does when the output is text. */
export async function join(
  { member, hub, cluster, server, found }: Prepared,
  options: Pick<Joining, 'output' | 'wait' | 'timeout'>,
  io: Io,
): Promise<{ readonly code: ExitCode; readonly joined: Joined }> {
  const { name } = cluster.metadata
  const say = (text: string) => (options.output === 'text' ? io.out(`${text}\n`) : undefined)
  const secret = kubeconfigSecret(name)
  const manager = FIELD_MANAGER.cli

  const before = await hubTokens(member)
  const token = await grant(member)
  say(`${member.name}: ServiceAccount portolan-hub may do what role ${MEMBER_ROLE} allows, and nothing else`)
  const kubeconfig = hubKubeconfig({
    cluster: name,
    ...(await trust(member, server, token.ca)),
    token: token.token,
    namespace: member.portolanNamespace,
  })
  const keep = (owner?: Cluster) => hub.client.apply(SECRETS, ownedBy(owner, hub, name, kubeconfig), { manager })
  must(await keep(), hub.name)
  const made = must(await hub.client.apply<Cluster>(CLUSTERS, cluster, { manager }), hub.name)
  must(await keep(made), hub.name)
  say(`${hub.name}: Cluster ${name} and its kubeconfig, Secret ${hub.portolanNamespace}/${secret}, to ${server}`)
  say(`${member.name}: gateway at ${hostAndPort(cluster.spec.gatewayHost, cluster.spec.gatewayPort)}${found}`)

  const settled = options.wait ? await waitFor(options.timeout, () => takenUp(hub, name, kubeconfig)) : undefined
  if (settled !== undefined) await removeTokens(member, before)
  const condition = managed(must(await hub.client.get(CLUSTERS, { name }), hub.name).status)
  const joined: Joined = {
    cluster: name,
    clusterKey: keyOfCluster(cluster),
    member: member.name,
    hub: hub.name,
    server,
    gateway: { host: cluster.spec.gatewayHost, port: cluster.spec.gatewayPort },
    managed: settled !== undefined,
    ...(condition === undefined ? {} : { reason: condition.reason, message: condition.message }),
  }
  if (settled !== undefined) {
    say(`${name} is managed by ${hub.name} as ${joined.clusterKey}: ${condition?.message ?? ''}`)
    return { code: 0, joined }
  }
  if (!options.wait) {
    say(`${name} is registered as ${joined.clusterKey}; how it fares: portolan cluster list`)
    return { code: 0, joined }
  }
  io.err(`error: ${hub.name} does not manage ${name} after ${options.timeout} s: ${explained(condition, before)}\n`)
  return { code: 1, joined }
}

/** The kubeconfig goes with its Cluster, also when somebody deletes that by hand. */
function ownedBy(owner: Cluster | undefined, hub: Live, name: string, kubeconfig: string) {
  const ownerReferences =
    owner === undefined
      ? {}
      : { ownerReferences: [{ apiVersion: API_VERSION, kind: 'Cluster', name, uid: owner.metadata.uid ?? '' }] }
  return {
    metadata: {
      namespace: hub.portolanNamespace,
      name: kubeconfigSecret(name),
      labels: MANAGED_BY,
      ...ownerReferences,
    },
    type: 'Opaque',
    data: { kubeconfig: Buffer.from(kubeconfig).toString('base64') },
  }
}

type Wanted = Pick<Cluster, 'metadata' | 'spec'>

/** All that can be known before anything is written. */
export interface Prepared {
  readonly member: Live
  readonly hub: Live
  readonly cluster: Wanted
  readonly server: string
  /** How the gateway was found, in parentheses; empty when somebody said it. */
  readonly found: string
}

/** @throws UsageError for whatever stands against it */
export async function prepare(name: string, member: Live, hub: Live, options: Joining): Promise<Prepared> {
  await Promise.all([meshOf(member), requireHub(hub)])
  const [before, role, identity] = await Promise.all([
    registered(hub, name),
    member.client.get(CLUSTER_ROLES, { name: MEMBER_ROLE }),
    member.client.get(CONFIGMAPS, { namespace: member.portolanNamespace, name: CLUSTER_CONFIGMAP }),
  ])
  if (mustOrMissing(role, member.name) === undefined)
    throw new UsageError(
      `${member.name}: there is no ClusterRole ${MEMBER_ROLE}; upgrade Portolan there: portolan install --context ${member.name}`,
    )
  const told = mustOrMissing(identity, member.name)?.data?.[CLUSTER_IDENTITY_KEY]?.split('/').at(-1)
  if (told !== undefined && told !== name)
    throw new UsageError(`${member.name} is Cluster ${told} of a hub already; first portolan cluster leave ${told}`)
  await refuseTaken(name, member, before)

  const { spec } = before.cluster ?? {}
  const host = options.gatewayHost ?? spec?.gatewayHost
  const port = options.gatewayPort ?? spec?.gatewayPort
  const gateway =
    host !== undefined && port !== undefined
      ? { host, port, by: '' }
      : await findGateway(member, host, port, options.prefix)
  const keyParts = {
    region: options.region ?? spec?.region,
    zone: options.zone ?? spec?.zone,
    group: options.group ?? spec?.group,
  }
  const cluster: Wanted = {
    metadata: { name, labels: MANAGED_BY },
    spec: {
      ...(Object.fromEntries(Object.entries(keyParts).filter(([, value]) => value !== undefined)) as typeof keyParts),
      gatewayHost: gateway.host,
      gatewayPort: gateway.port,
      kubeconfigSecretRef: { name: kubeconfigSecret(name) },
    } as Cluster['spec'],
  }
  const faults = validateObject({ apiVersion: API_VERSION, kind: 'Cluster', ...cluster })
    .filter((issue) => levelOf(issue) === 'error')
    .map(formatProblem)
  if (faults.length > 0) throw new UsageError(`Cluster ${name}: ${faults.join(' ')}`)
  const server = reachableServer(
    options.server ?? serverOf(before.kubeconfig) ?? member.connection.server,
    options.prefix,
  )
  return { member, hub, cluster, server, found: gateway.by === '' ? '' : ` (${gateway.by})` }
}

async function refuseTaken(name: string, member: Live, { cluster, memory }: Registered): Promise<void> {
  if (cluster === undefined) return
  if (cluster.spec.kubeconfigSecretRef?.name !== kubeconfigSecret(name))
    throw new UsageError(
      `Cluster ${name} is there with a kubeconfig that this command did not make; choose another name, or delete it first: portolan cluster leave ${name}`,
    )
  const apiServer = must(await member.client.get(NAMESPACES, { name: 'kube-system' }), member.name).metadata.uid
  if (memory?.cluster.apiServer !== undefined && memory.cluster.apiServer !== apiServer)
    throw new UsageError(
      `Cluster ${name} is another cluster than ${member.name}; choose another name, or first portolan cluster leave ${name}`,
    )
}

async function findGateway(member: Live, host: string | undefined, port: number | undefined, prefix = '') {
  const { client, name, portolanNamespace: namespace } = member
  const [service, pods, nodes] = await Promise.all([
    client.get<LiveService>(SERVICES, { namespace, name: 'portolan-gateway' }),
    client.list(GATEWAY_PODS, { namespace, labelSelector: 'app.kubernetes.io/component=gateway' }),
    client.list(NODES),
  ])
  const found = gatewayAddress({
    service: mustOrMissing(service, name),
    pods: must(pods, name).items,
    nodes: must(nodes, name).items,
  })
  if ('unknown' in found)
    throw new UsageError(
      `${name}: where other clusters reach the gateway cannot be told: ${found.unknown}; give --${prefix}gateway-host and --${prefix}gateway-port${found.instead === undefined ? '' : `, or ${found.instead}`}`,
    )
  return { host: host ?? found.host, port: port ?? found.port, by: found.by }
}

/** The account, its bindings, and a token of its own. */
async function grant(member: Live): Promise<{ readonly token: string; readonly ca: string | undefined }> {
  const { client, name, portolanNamespace: namespace } = member
  const { account, token, binding, clusterBinding } = hubAccount(
    namespace,
    `${HUB_TOKEN}-${randomBytes(3).toString('hex')}`,
  )
  const manager = FIELD_MANAGER.cli
  must(await client.apply(SERVICE_ACCOUNTS, account, { manager }), name)
  must(await client.apply(ROLE_BINDINGS, binding, { manager }), name)
  must(await client.apply(CLUSTER_ROLE_BINDINGS, clusterBinding, { manager }), name)
  must(await client.create(SECRETS, token), name)
  const filled = await waitFor(TOKEN_PATIENCE, async () => {
    const secret = must(await client.get(SECRETS, { namespace, name: token.metadata.name }), name)
    const value = textOf(secret, 'token')
    return value === undefined ? undefined : { token: value, ca: textOf(secret, 'ca.crt') }
  })
  if (filled !== undefined) return filled
  must(await client.delete(SECRETS, { namespace, name: token.metadata.name }), name)
  throw new UsageError(
    `${name}: nothing has put a token into Secret ${namespace}/${token.metadata.name} for ${TOKEN_PATIENCE} s; see whether the cluster's kube-controller-manager runs`,
  )
}

/** Whose word the hub takes for the server: what the kubeconfig trusts at its own address, else the cluster's authority. */
async function trust(member: Live, server: string, ca: string | undefined) {
  const { tls } = await member.connection.credentials()
  if (server !== member.connection.server || tls.rejectUnauthorized === false)
    return { server, ...(ca === undefined ? {} : { ca }) }
  return {
    server,
    ...(tls.ca === undefined ? {} : { ca: tls.ca.toString() }),
    ...(tls.servername === undefined ? {} : { servername: tls.servername }),
  }
}

/** The hub works with this very kubeconfig. */
async function takenUp(hub: Live, name: string, kubeconfig: string): Promise<true | undefined> {
  const { cluster, memory } = await registered(hub, name)
  return managed(cluster?.status)?.status === 'True' && memory?.kubeconfig === kubeconfig ? true : undefined
}

async function removeTokens({ client, name, portolanNamespace: namespace }: Live, names: readonly string[]) {
  for (const each of names) mustOrMissing(await client.delete(SECRETS, { namespace, name: each }), name)
}

function explained(condition: ReturnType<typeof managed>, before: readonly string[]): string {
  const old = before.length === 0 ? '' : '; the token it had is still good'
  if (condition === undefined)
    return `its controller has said nothing; see the pods of Deployment portolan-federation${old}`
  return `${condition.reason}: ${condition.message}${old}`
}
