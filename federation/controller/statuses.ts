import type { McsExport } from '../../api/mcs.ts'
import { MCS_GROUP } from '../../api/names.ts'
import type { ServiceExport } from '../../api/service-export.ts'
import { LastAnswers } from '../../compiler/memo.ts'
import type { ObjectStatus } from '../../compiler/tables.ts'
import type { ExportVerdict, Federation } from '../merge.ts'
import { exportedStatus } from './exported.ts'
import type { Holders } from './holders.ts'
import { awaited, type Reach, readyStatus } from './ready.ts'

/** A member as its peers see it. */
export interface Peer {
  /** Name of its Cluster. */
  readonly name: string
  readonly clusterKey: string
  /** Whether it has been listed. */
  readonly known: boolean
}

/** What is held by members, as they were last seen. */
export interface There {
  readonly exportOf: (cluster: string, key: string) => ServiceExport | undefined
  readonly mcsExportOf: (cluster: string, key: string) => McsExport | undefined
  readonly hasNamespace: (cluster: string, name: string) => boolean
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
  const standardAnswers = new LastAnswers<ExportVerdict, ObjectStatus>()
  let peers: readonly Peer[] = []

  return (federation: Federation, current: readonly Peer[], there: There): Statuses => {
    if (JSON.stringify(peers) !== JSON.stringify(current)) peers = current
    const nameOf = new Map(peers.map(({ name, clusterKey }) => [clusterKey, name]))
    const somebodyUnknown = peers.some(({ known }) => !known)
    const still = new Map<string, number>()
    const byCluster = new Map<string, ObjectStatus[]>(peers.map(({ name }) => [name, []]))
    const heldBy = (service: string) => (key: string) => holders.held(service, nameOf.get(key) ?? '')

    /** @param isMoving what is to be said of it will change in a moment */
    function put(cluster: string, what: string, status: ObjectStatus, isMoving: boolean) {
      if (isMoving) {
        const key = `${cluster} ${what}`
        const since = underWay.get(key) ?? performance.now()
        still.set(key, since)
        if (isUnderWay(since)) return
      }
      byCluster.get(cluster)?.push(status)
    }

    function exported(said: ExportVerdict, service: string) {
      const before = there.exportOf(said.cluster, service)?.status
      // What was said before matters only for those that cannot be seen now.
      const parts = [peers, holders.version(service), somebodyUnknown ? before : undefined]
      const status = answers.get(said, parts, () =>
        exportedStatus(
          said,
          peers
            .map(({ clusterKey }) => clusterKey)
            .filter((key) => key !== said.clusterKey)
            .toSorted(),
          heldBy(service),
          before,
        ),
      )
      const isMoving = status.conditions.some(({ reason }) => reason === 'Exporting')
      put(said.cluster, service, status, isMoving)
    }

    function standard(said: ExportVerdict, verdict: ObjectStatus, service: string) {
      const held = heldBy(service)
      const reach = said.importers.map((clusterKey): Reach => {
        const hasNamespace = there.hasNamespace(nameOf.get(clusterKey) ?? '', verdict.object.namespace ?? '')
        return { clusterKey, held: held(clusterKey), hasNamespace }
      })
      const before = there.mcsExportOf(said.cluster, service)?.status
      const homes = reach.map(({ hasNamespace }) => hasNamespace).join()
      const parts = [peers, holders.version(service), homes, somebodyUnknown ? before : undefined]
      const status = standardAnswers.get(said, parts, () => readyStatus(verdict, said.clusterKey, reach, before))
      put(said.cluster, `${MCS_GROUP} ${service}`, status, awaited(said.clusterKey, reach).length > 0)
    }

    for (const said of federation.exports) {
      const service = `${said.status.object.namespace}/${said.status.object.name}`
      if (said.doors?.includes('ServiceExport') ?? true) exported(said, service)
      if (said.standard !== undefined) standard(said, said.standard, service)
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
