import { CLUSTER_IDENTITY_KEY } from '../../api/cluster-identity.ts'
import { CLUSTER_CONFIGMAP, MCS_SERVICE_NAME_LABEL, TRUST_CONFIGMAP } from '../../api/names.ts'
import {
  CLUSTERS,
  CONFIGMAPS,
  ENDPOINT_SLICES,
  SECRETS,
  SERVICE_ACCOUNTS,
  SERVICE_IMPORTS,
} from '../../api/resources.ts'
import { memoryName } from '../../federation/controller/memory.ts'
import { ConnectionError } from '../../kube/connection.ts'
import type { Result } from '../../kube/failure.ts'
import type { KubeObject, Ref, Resource } from '../../kube/object.ts'
import { type ExitCode, type Io, UsageError } from '../io.ts'
import { type Format, serialize } from '../print.ts'
import { hubTokens, type Registered, registered, waitFor } from './cluster-facts.ts'
import { type HubFlags, hubOf } from './cluster-join.ts'
import { type Live, must, mustOrMissing, withCluster } from './connect.ts'
import type { LiveFlags } from './flags.ts'
import { CLUSTER_ROLE_BINDINGS, HUB_ACCOUNT, kubeconfigSecret, ROLE_BINDINGS } from './hub-account.ts'
import { madeByHub } from './leftovers.ts'
import { suggestion } from './names.ts'
import { listAll } from './snapshot.ts'

export interface LeaveOptions extends LiveFlags, HubFlags {
  readonly output: Format
  /** Seconds. */
  readonly timeout: number
}

/** How far the hub has come. */
type Outcome =
  /** Nothing of the cluster is exported any more, and nothing of the hub is in it. */
  | 'left'
  /** Nothing of it is exported any more; what the hub wrote into it is still there. */
  | 'leftBehind'
  /** The hub has not said. */
  | 'unknown'

/** `portolan cluster leave`: takes a cluster from a hub; the cluster itself need not be alive. */
export function clusterLeave(name: string, options: LeaveOptions, io: Io): Promise<ExitCode> {
  return withCluster(hubOf(options), async (hub) => {
    const say = (text: string) => (options.output === 'text' ? io.out(`${text}\n`) : undefined)
    const before = await registered(hub, name)
    if (!isKnown(before) && options.context === undefined) throw new UsageError(await unknownTo(hub, name))
    const unable = options.context === undefined ? 'name its --context' : await whyUnable(options, name)

    const outcome = isKnown(before) ? await withdraw(hub, name, before, options.timeout) : 'left'
    if (before.cluster !== undefined) say(`${hub.name}: Cluster ${name} is removed`)
    if (outcome === 'unknown') {
      io.err(
        `error: ${hub.name} has not said within ${options.timeout} s that nothing of ${name} is exported any more; see whether Deployment portolan-federation runs, then do this again\n`,
      )
      return 1
    }
    if (isKnown(before)) say(`${hub.name}: nothing of ${name} is exported any more`)

    const left: string[] = []
    const memory = memoryName(name)
    const { removed } = remover(hub)
    if (unable === undefined) {
      const lines = await withCluster(options, (member) => cleanMember(member))
      for (const line of lines) say(line)
      if (!isKnown(before) && lines.length === 0)
        say(`${await unknownTo(hub, name)}, and nothing of a hub is in the cluster of context ${options.context}`)
      // The hub would try for ever to do what has just been done.
      if (outcome === 'leftBehind') await removed(SECRETS, { namespace: hub.portolanNamespace, name: memory })
    } else {
      if (outcome === 'leftBehind')
        left.push(
          `in ${name}: what the hub wrote there, as ${name} does not answer it; it is removed when ${name} comes back. If it never will, delete Secret ${hub.portolanNamespace}/${memory}`,
        )
      left.push(
        `in ${name}: ServiceAccount ${HUB_ACCOUNT}, its bindings and its token; to have them removed, ${unable} and do this again`,
      )
    }
    await removed(SECRETS, { namespace: hub.portolanNamespace, name: kubeconfigSecret(name) })
    if (options.output !== 'text') io.out(serialize({ cluster: name, outcome, left }, options.output))
    for (const line of left) say(`left ${line}`)
    return 0
  })
}

/**
 * Why nothing can be removed in the member now; undefined when it can.
 * @throws UsageError when the context leads nowhere, or to another cluster
 */
async function whyUnable(options: LeaveOptions, name: string): Promise<string | undefined> {
  const key = await withCluster(options, ({ client, name: member, portolanNamespace: namespace }) =>
    client
      .get(CONFIGMAPS, { namespace, name: CLUSTER_CONFIGMAP })
      .then((identity) => mustOrMissing(identity, member)?.data?.[CLUSTER_IDENTITY_KEY]),
  ).catch((error: unknown) => {
    if (!(error instanceof UsageError) || error.cause instanceof ConnectionError) throw error
    return error
  })
  if (key instanceof UsageError) return `see to it that it answers (${key.message})`
  if (key === undefined || key.split('/').at(-1) === name) return undefined
  throw new UsageError(
    `the cluster of context ${options.context} is not ${name}: its hub calls it ${key}; name the context of ${name}`,
  )
}

const isKnown = ({ cluster, kubeconfig, memory }: Registered): boolean =>
  cluster !== undefined || kubeconfig !== undefined || memory !== undefined

async function unknownTo(hub: Live, name: string): Promise<string> {
  const known = (await listAll(hub, CLUSTERS)).map(({ metadata }) => metadata.name)
  const others = known.length === 0 ? 'it has none' : `it has ${known.toSorted().join(', ')}`
  return `${hub.name} has no Cluster ${name}${suggestion(name, known)}; ${others}`
}

async function withdraw(hub: Live, name: string, before: Registered, seconds: number): Promise<Outcome> {
  // Of one that has been leaving for a while the hub has said so before, and says it once.
  const since = before.cluster === undefined ? '' : new Date(Date.now() - 2_000).toISOString()
  await remover(hub).removed(CLUSTERS, { name })
  if (before.memory === undefined && before.cluster === undefined) return 'left'
  const outcome = await waitFor(seconds, async (): Promise<Outcome | undefined> => {
    const { memory } = await registered(hub, name)
    if (memory === undefined) return 'left'
    return (await saidLeftBehind(hub, name, since)) ? 'leftBehind' : undefined
  })
  return outcome ?? 'unknown'
}

interface Said extends KubeObject {
  readonly reason?: string
  readonly regarding?: { readonly kind?: string; readonly name?: string }
  readonly eventTime?: string
  readonly series?: { readonly lastObservedTime?: string }
}

const EVENTS: Resource<Said> = {
  group: 'events.k8s.io',
  version: 'v1',
  plural: 'events',
  kind: 'Event',
  namespaced: true,
}

async function saidLeftBehind(hub: Live, name: string, since: string): Promise<boolean> {
  const { items } = must(await hub.client.list(EVENTS, { fieldSelector: 'reason=LeftBehind' }), hub.name)
  return items.some(
    ({ regarding, eventTime = '', series }) =>
      regarding?.kind === 'Cluster' && regarding.name === name && (series?.lastObservedTime ?? eventTime) >= since,
  )
}

/** Removes what the hub and `cluster join` have made in a member. @returns what was done, in lines */
async function cleanMember(member: Live): Promise<readonly string[]> {
  const { portolanNamespace: namespace } = member
  const tokens = await hubTokens(member)
  const imports = (await listAll(member, SERVICE_IMPORTS)).filter(madeByHub)
  const slices = (await listAll(member, ENDPOINT_SLICES, { labelSelector: MCS_SERVICE_NAME_LABEL })).filter(madeByHub)
  const { removed, lines } = remover(member)
  await removed(CLUSTER_ROLE_BINDINGS, { name: HUB_ACCOUNT })
  await removed(ROLE_BINDINGS, { namespace, name: HUB_ACCOUNT })
  for (const token of tokens) await removed(SECRETS, { namespace, name: token })
  await removed(SERVICE_ACCOUNTS, { namespace, name: HUB_ACCOUNT })
  for (const { metadata } of imports)
    await removed(SERVICE_IMPORTS, { namespace: metadata.namespace ?? 'default', name: metadata.name })
  for (const { metadata } of slices)
    await removed(ENDPOINT_SLICES, { namespace: metadata.namespace ?? 'default', name: metadata.name })
  for (const name of [TRUST_CONFIGMAP, CLUSTER_CONFIGMAP]) await removed(CONFIGMAPS, { namespace, name })
  return lines
}

function remover({ client, name }: Live) {
  const lines: string[] = []
  const removed = async (resource: Resource, ref: Ref): Promise<void> => {
    const result: Result<void> = await client.delete(resource, ref)
    mustOrMissing(result, name)
    if (!result.ok) return
    lines.push(
      `${name}: ${resource.kind} ${ref.namespace === undefined ? '' : `${ref.namespace}/`}${ref.name} is removed`,
    )
  }
  return { removed, lines }
}
