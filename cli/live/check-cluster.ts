import type { Cluster } from '../../api/cluster.ts'
import { refOf } from '../objects.ts'
import { amount } from '../print.ts'
import { type Check, type Found, found, foundCondition, foundIssue, reading } from './checks.ts'

/** What the chart calls a cluster when nobody says otherwise. */
const UNNAMED = 'default/default/default/default'

const identity: Check = {
  name: 'identity',
  title: 'the cluster has a name',
  look: ({ mesh, namespace, snapshot }) => {
    const { clusterKey, joined, identity: told } = mesh
    // A hub that is no member needs none.
    const takesPart = !snapshot.ok || snapshot.value.exports.length + snapshot.value.imports.length > 0
    const unnamed = clusterKey === UNNAMED && !joined && takesPart
    const object = { kind: 'Deployment', namespace, name: 'portolan-compiler' }
    return {
      seen: `${clusterKey}, ${joined ? 'from its hub' : 'its own'}`,
      found: [
        ...(told.issue === undefined ? [] : [foundIssue(told.issue)]),
        ...(unnamed ? [found('ClusterUnnamed', object, { key: clusterKey })] : []),
      ],
    }
  },
}

const clusters: Check = {
  name: 'clusters',
  title: 'the hub reaches all clusters',
  look: ({ clusters: all, now }) =>
    reading(all, { kind: 'Cluster', name: 'all' }, (value) => ({
      seen: value.length === 0 ? 'this cluster is no hub' : amount(value.length, 'cluster'),
      found: value.flatMap((each) => [...managedOf(each), ...credentialsOf(each, now)]),
    })),
}

function managedOf(cluster: Cluster): readonly Found[] {
  return (cluster.status?.conditions ?? [])
    .filter(({ type, status }) => type === 'Managed' && status !== 'True')
    .map((condition) => foundCondition(cluster, condition))
}

const SOON_MS = 7 * 24 * 3_600_000

function credentialsOf(cluster: Cluster, now: Date): readonly Found[] {
  const at = cluster.status?.credentialsExpire
  if (at === undefined) return []
  const left = Date.parse(at) - now.getTime()
  if (left <= 0) return [found('CredentialsExpired', refOf(cluster), { at })]
  return left < SOON_MS
    ? [foundIssue({ code: 'CredentialsExpire', object: refOf(cluster), path: '', params: { at } })]
    : []
}

export const clusterChecks: readonly Check[] = [identity, clusters]
