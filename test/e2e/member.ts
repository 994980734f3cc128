import { readFile } from 'node:fs/promises'
import type { ClusterProvider } from '../lab/provider.ts'
import { GATEWAY_NODE_PORT } from './mesh.ts'
import type { Site } from './site.ts'

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
