import type { Cluster } from '../../api/cluster.ts'
import { applyDefaults } from '../../api/defaults.ts'
import { CLUSTERS } from '../../api/resources.ts'
import { hostAndPort } from '../../api/vip-range.ts'
import type { ExitCode, Io } from '../io.ts'
import { columns, type Format, type Paint, painter, serialize } from '../print.ts'
import { keyOfCluster, managed } from './cluster-facts.ts'
import { withCluster } from './connect.ts'
import type { LiveFlags } from './flags.ts'
import { listAll } from './snapshot.ts'

export interface ListOptions extends LiveFlags {
  readonly output: Format
  readonly colors: boolean
}

/** `portolan cluster list`: the clusters of a hub and how each of them fares. Findings = one is not managed. */
export function clusterList(options: ListOptions, io: Io): Promise<ExitCode> {
  return withCluster<ExitCode>(options, async (hub) => {
    const clusters = (await listAll<Cluster>(hub, CLUSTERS)).map(applyDefaults).map(row)
    clusters.sort((a, b) => (a.clusterKey < b.clusterKey ? -1 : 1))
    if (options.output !== 'text') io.out(serialize(clusters, options.output))
    else if (clusters.length === 0)
      io.out(
        `${hub.name} has no Clusters. Register one with: portolan cluster join NAME --context MEMBER --hub-context HUB\n`,
      )
    else io.out(table(clusters, painter(options.colors)))
    return clusters.every(({ managed }) => managed === 'True') ? 0 : 1
  })
}

type Row = ReturnType<typeof row>

function row(cluster: Cluster) {
  const { spec, status } = cluster
  const condition = managed(status)
  return {
    name: cluster.metadata.name,
    clusterKey: keyOfCluster(cluster),
    gateway: { host: spec.gatewayHost, port: spec.gatewayPort },
    managed: condition?.status ?? 'Unknown',
    ...(condition === undefined ? {} : { reason: condition.reason, message: condition.message }),
    ...(condition === undefined ? {} : { since: condition.lastTransitionTime }),
    ...(status?.lastSeen === undefined ? {} : { lastSeen: status.lastSeen }),
    ...(status?.version === undefined ? {} : { version: status.version }),
    ...(status?.exports === undefined ? {} : { exports: status.exports }),
    ...(status?.imports === undefined ? {} : { imports: status.imports }),
    globalServices: {
      setting: spec.globalServices ?? 'Auto',
      ...(status?.globalServices === undefined ? {} : { decided: status.globalServices }),
    },
    ...(status?.credentialsExpire === undefined ? {} : { credentialsExpire: status.credentialsExpire }),
  }
}

const HEAD = [
  'NAME',
  'CLUSTER KEY',
  'GATEWAY',
  'MANAGED',
  'REASON',
  'SINCE',
  'VERSION',
  'EXPORTS',
  'IMPORTS',
  'GLOBAL SERVICES',
  'EXPIRES',
]

function table(clusters: readonly Row[], paint: Paint): string {
  const rows = clusters.map((each) => [
    each.name,
    each.clusterKey,
    hostAndPort(each.gateway.host, each.gateway.port),
    each.managed === 'True' ? paint('green', 'True') : paint('red', each.managed),
    each.reason ?? '-',
    each.since ?? '-',
    each.version ?? '-',
    String(each.exports ?? '-'),
    String(each.imports ?? '-'),
    each.globalServices.decided ?? '-',
    each.credentialsExpire ?? '-',
  ])
  const trouble = clusters
    .filter((each) => each.managed !== 'True' && each.message !== undefined)
    .map((each) => `\n${paint('bold', each.name)}: ${each.message}\n`)
  return columns([HEAD.map((cell) => paint('bold', cell)), ...rows], '') + trouble.join('')
}
