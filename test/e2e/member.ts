import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ClusterProvider } from '../lab/provider.ts'
import { run } from '../lab/run.ts'
import { GATEWAY_NODE_PORT } from './mesh.ts'
import { kubectl, rolledOut, type Site } from './site.ts'

/** What a person at the hub writes to make a cluster under test a member. */
export const memberOf = async (clusters: ClusterProvider, { name, address }: Site) => ({
  apiVersion: 'flomesh.io/v1alpha1',
  kind: 'Cluster',
  metadata: { name },
  spec: {
    gatewayHost: address,
    gatewayPort: GATEWAY_NODE_PORT,
    kubeconfig: await readFile(await clusters.kubeconfig(name), 'utf8'),
  },
})

/** Whether the cluster's own DNS hands names of the clusterset to mesh DNS, as by hand. */
export async function resolveClusterset(site: Site, how: 'enable' | 'disable'): Promise<void> {
  await run(process.execPath, [join(import.meta.dirname, '../../cli/main.ts'), 'dns', how], { env: site.env })
  await kubectl(site, '-n', 'kube-system', 'rollout', 'restart', 'deploy/coredns')
  await rolledOut(site, 'kube-system', 'coredns')
}
