import { readFile } from 'node:fs/promises'
import type { ClusterProvider } from '../lab/provider.ts'
import { until } from '../lab/run.ts'
import { CONTROL_PLANE, GATEWAY_NODE_PORT } from './mesh.ts'
import { kubectl, type Site } from './site.ts'

/**
 * What a person at the hub writes to make a cluster under test a member.
 * @param gateway where others reach its gateway; its own address by default
 */
export const memberOf = async (
  clusters: ClusterProvider,
  { name, address }: Site,
  { host = address, port = GATEWAY_NODE_PORT }: { readonly host?: string; readonly port?: number } = {},
) => ({
  apiVersion: 'flomesh.io/v1alpha1',
  kind: 'Cluster',
  metadata: { name },
  spec: { gatewayHost: host, gatewayPort: port, kubeconfig: await readFile(await clusters.kubeconfig(name), 'utf8') },
})

/** Whoever joins a cluster next must find it free: another hub may not have it. */
export const isFree = (site: Site) =>
  until(`${site.name} is nobody's member`, async () => {
    const { code } = await site.kubectl(['-n', CONTROL_PLANE, 'get', 'configmap', 'portolan-cluster'])
    return code !== 0
  })

/** All members leave the hub. */
export async function disband(hub: Site, members: readonly Site[]): Promise<void> {
  await kubectl(hub, 'delete', 'clusters.flomesh.io', '--all')
  await Promise.all(members.map(isFree))
}
