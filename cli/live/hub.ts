import { gunzipSync } from 'node:zlib'
import { applyDefaults } from '../../api/defaults.ts'
import { CLUSTERS, SECRETS, type Secret } from '../../api/resources.ts'
import type { Member } from '../../federation/constituent.ts'
import type { Live } from './connect.ts'
import type { HubFacts } from './settled.ts'
import { listAll } from './snapshot.ts'

/** Where a hub keeps what it last saw in each member. */
const MEMORY = { labelSelector: 'flomesh.io/member=true' }

/** What the hub knows of its members; undefined when the cluster is nobody's hub. */
export async function readHub(cluster: Live): Promise<HubFacts | undefined> {
  const clusters = await listAll(cluster, CLUSTERS)
  if (clusters.length === 0) return undefined
  const memory = await listAll(cluster, SECRETS, { ...MEMORY, namespace: cluster.portolanNamespace })
  return { hub: cluster.name, clusters: clusters.map(applyDefaults), members: memory.flatMap(memberOf) }
}

function memberOf({ data }: Secret): readonly Member[] {
  const cluster = bytesOf(data?.['cluster.json'])
  const exports = bytesOf(data?.['exports.json.gz'])
  if (cluster === undefined || exports === undefined) return []
  const { name } = JSON.parse(cluster.toString()) as { readonly name: string }
  return [{ cluster: name, ...(JSON.parse(gunzipSync(exports).toString()) as Omit<Member, 'cluster'>) }]
}

const bytesOf = (base64: string | undefined) => (base64 === undefined ? undefined : Buffer.from(base64, 'base64'))
