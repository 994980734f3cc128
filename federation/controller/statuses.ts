import type { ServiceExport } from '../../api/service-export.ts'
import { LastAnswers } from '../../compiler/memo.ts'
import type { ObjectStatus } from '../../compiler/tables.ts'
import type { ExportVerdict, Federation } from '../merge.ts'
import { exportedStatus } from './exported.ts'
import type { Holders } from './holders.ts'

/** A member as its peers see it. */
export interface Peer {
  /** Name of its Cluster. */
  readonly name: string
  readonly clusterKey: string
  /** Whether it has been listed. */
  readonly known: boolean
}

/** Statuses of the exports of each member, by the name of its Cluster. What has not changed is the very same value. */
export type Statuses = ReadonlyMap<string, readonly ObjectStatus[]>

export function createStatuses(holders: Holders) {
  const answers = new LastAnswers<ExportVerdict, ObjectStatus>()
  let peers: readonly Peer[] = []

  return (
    federation: Federation,
    current: readonly Peer[],
    exportOf: (cluster: string, key: string) => ServiceExport | undefined,
  ): Statuses => {
    if (JSON.stringify(peers) !== JSON.stringify(current)) peers = current
    const nameOf = new Map(peers.map(({ name, clusterKey }) => [clusterKey, name]))
    const somebodyUnknown = peers.some(({ known }) => !known)
    const byCluster = new Map<string, ObjectStatus[]>(peers.map(({ name }) => [name, []]))
    for (const said of federation.exports) {
      const service = `${said.status.object.namespace}/${said.status.object.name}`
      const before = exportOf(said.cluster, service)?.status
      // What was said before matters only for those that cannot be seen now.
      const parts = [peers, holders.version(service), somebodyUnknown ? before : undefined]
      const status = answers.get(said, parts, () =>
        exportedStatus(
          said,
          peers
            .map(({ clusterKey }) => clusterKey)
            .filter((key) => key !== said.clusterKey)
            .toSorted(),
          (key) => holders.held(service, nameOf.get(key) ?? ''),
          before,
        ),
      )
      byCluster.get(said.cluster)?.push(status)
    }
    return byCluster
  }
}
