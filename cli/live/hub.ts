import { applyDefaults } from '../../api/defaults.ts'
import { MEMBER_LABEL } from '../../api/names.ts'
import { CLUSTERS, SECRETS, type Secret } from '../../api/resources.ts'
import type { Member } from '../../federation/constituent.ts'
import { decodeMemory } from '../../federation/controller/memory.ts'
import type { Live } from './connect.ts'
import type { HubFacts } from './settled.ts'
import { listAll } from './snapshot.ts'

/** Finds what a hub last saw in each member. */
const REMEMBERED = Object.entries(MEMBER_LABEL)
  .map(([label, value]) => `${label}=${value}`)
  .join(',')

/** What the hub knows of its members; undefined when the cluster is nobody's hub. */
export async function readHub(cluster: Live): Promise<HubFacts | undefined> {
  const clusters = await listAll(cluster, CLUSTERS)
  if (clusters.length === 0) return undefined
  const scope = { namespace: cluster.portolanNamespace, labelSelector: REMEMBERED }
  const secrets = await listAll(cluster, SECRETS, scope)
  return { hub: cluster.name, clusters: clusters.map(applyDefaults), members: secrets.flatMap(memberOf) }
}

function memberOf(secret: Secret): readonly Member[] {
  const memory = decodeMemory(secret)
  return memory === undefined ? [] : [{ cluster: memory.cluster.name, ...memory.view }]
}
