import type { Cluster, ClusterStatus } from '../../api/cluster.ts'
import type { Condition, DeepReadonly } from '../../api/meta.ts'
import { API_VERSION, MANAGED_BY } from '../../api/names.ts'
import { CLUSTERS, SECRETS, type Secret } from '../../api/resources.ts'
import { decodeMemory, type Memory, memoryName } from '../../federation/controller/memory.ts'
import { sitesOf } from '../../federation/site.ts'
import { parseKubeconfig } from '../../kube/kubeconfig.ts'
import { UsageError } from '../io.ts'
import { type Live, mayPass, must, mustOrMissing } from './connect.ts'
import { HUB_ACCOUNT, HUB_TOKEN, kubeconfigSecret } from './hub-account.ts'
import { DEPLOYMENTS } from './mesh.ts'

/** What a hub has of one cluster. */
export interface Registered {
  readonly cluster: Cluster | undefined
  /** The kubeconfig that `cluster join` has written. */
  readonly kubeconfig: string | undefined
  /** What the hub remembers of the member. */
  readonly memory: Memory | undefined
}

export async function registered(hub: Live, name: string): Promise<Registered> {
  const namespace = hub.portolanNamespace
  const [cluster, secret, memory] = await Promise.all([
    hub.client.get(CLUSTERS, { name }),
    hub.client.get(SECRETS, { namespace, name: kubeconfigSecret(name) }),
    hub.client.get(SECRETS, { namespace, name: memoryName(name) }),
  ])
  const kept = mustOrMissing(memory, hub.name)
  return {
    cluster: mustOrMissing(cluster, hub.name),
    kubeconfig: textOf(mustOrMissing(secret, hub.name), 'kubeconfig'),
    memory: kept === undefined ? undefined : decodeMemory(kept),
  }
}

export function textOf(secret: Secret | undefined, key: string): string | undefined {
  const data = secret?.data?.[key]
  return data === undefined ? undefined : Buffer.from(data, 'base64').toString()
}

/** The server that a kubeconfig leads to. */
export function serverOf(kubeconfig: string | undefined): string | undefined {
  const read = kubeconfig === undefined ? undefined : parseKubeconfig(kubeconfig)
  return read?.ok ? read.connection.server : undefined
}

/** @throws UsageError when no hub's controller is installed in the cluster */
export async function requireHub(hub: Live): Promise<void> {
  const namespace = hub.portolanNamespace
  const found = await hub.client.get(DEPLOYMENTS, { namespace, name: 'portolan-federation' })
  if (mustOrMissing(found, hub.name) !== undefined) return
  throw new UsageError(
    `${hub.name} is no hub: there is no Deployment portolan-federation in namespace ${namespace}; make it one with portolan install --hub, or name another --hub-context`,
  )
}

/** Names of the Secrets with a token of the hub's account in a member. */
export async function hubTokens(member: Live): Promise<readonly string[]> {
  const [[label, value] = ['', '']] = Object.entries(MANAGED_BY)
  const scope = { namespace: member.portolanNamespace, labelSelector: `${label}=${value}` }
  const { items } = must(await member.client.list(SECRETS, scope), member.name)
  return items
    .filter(({ metadata }) => metadata.name.startsWith(HUB_TOKEN))
    .filter(({ metadata }) => metadata.annotations?.['kubernetes.io/service-account.name'] === HUB_ACCOUNT)
    .map(({ metadata }) => metadata.name)
}

/** region/zone/group/name, with what is unset filled in. */
export function keyOfCluster(cluster: Pick<Cluster, 'metadata' | 'spec'>): string {
  const [site] = sitesOf([{ apiVersion: API_VERSION, kind: 'Cluster', ...cluster }])
  return site?.clusterKey ?? cluster.metadata.name
}

export function managed(status: DeepReadonly<ClusterStatus> | undefined): Condition | undefined {
  return status?.conditions?.find(({ type }) => type === 'Managed')
}

/**
 * Calls `ask` again and again until it answers with something, or time is up. An API server that cannot answer for once is
 * asked again too.
 */
export async function waitFor<T>(seconds: number, ask: () => Promise<T | undefined>): Promise<T | undefined> {
  const end = performance.now() + seconds * 1_000
  for (;;) {
    const isLast = performance.now() > end
    try {
      const answer = await ask()
      if (answer !== undefined || isLast) return answer
    } catch (error) {
      if (isLast || !mayPass(error)) throw error
    }
    await new Promise((resolve) => setTimeout(resolve, 250))
  }
}
