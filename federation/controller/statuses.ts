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

/** Imports are on their way for a moment: what is said of them waits for so long, as it would be said again and again. */
const PATIENCE_MS = 1_000

/** @param touch asks for the statuses again, when what was left out is to be said after all */
export function createStatuses(holders: Holders, touch: () => void) {
  /** Exports that have not reached all yet, and since when. */
  let underWay = new Map<string, number>()
  let isWaiting = false
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
    const still = new Map<string, number>()
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
      if (status.conditions.some(({ reason }) => reason === 'Exporting')) {
        const key = `${said.cluster} ${service}`
        const since = underWay.get(key) ?? performance.now()
        still.set(key, since)
        if (isUnderWay(since)) continue
      }
      byCluster.get(said.cluster)?.push(status)
    }
    underWay = still
    return byCluster
  }

  function isUnderWay(since: number): boolean {
    const left = since + PATIENCE_MS - performance.now()
    if (left <= 0) return false
    if (!isWaiting) setTimeout(again, left).unref()
    isWaiting = true
    return true
  }

  function again() {
    isWaiting = false
    touch()
  }
}
