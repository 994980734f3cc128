import { isDeepStrictEqual } from 'node:util'
import type { ObjectStatus } from '../../compiler/tables.ts'
import { changedKeys, listDifference } from '../differences.ts'
import type { ExportVerdict } from '../merge-service.ts'
import type { ServiceVerdicts } from '../merging.ts'
import { withChanges } from '../sorted-list.ts'
import { exportedStatus } from './exported.ts'
import type { Holders } from './holders.ts'
import type { Observed } from './observed.ts'
import { awaited, type Reach, readyStatus } from './ready.ts'

/** A member as its peers see it. */
export interface Peer {
  /** Name of its Cluster. */
  readonly name: string
  readonly clusterKey: string
  /** Whether it has been listed. */
  readonly known: boolean
}

/** What members hold, as they were last seen, by name of Cluster. */
export type SeenThere = ReadonlyMap<string, Pick<Observed, 'exports' | 'mcsExports' | 'namespaces'>>

/** Statuses of the exports of each member, by the name of its Cluster. What has not changed is the very same value. */
export type Statuses = ReadonlyMap<string, readonly ObjectStatus[]>

/** What is to be said of one object of a member. */
interface Word {
  readonly cluster: string
  readonly status: ObjectStatus
  /** It will change in a moment. */
  readonly isMoving: boolean
}

/** The same, and since when it moves; milliseconds of performance.now. */
interface Told extends Word {
  readonly since?: number
}

/** Imports are on their way for a moment: what is said of them waits for so long, as it would be said again and again. */
const PATIENCE_MS = 1_000

/**
 * What is to be said of all exports, again and again: only services of which a verdict has changed, or what somebody holds,
 * are looked at.
 * @param touch asks for the statuses again, when what was left out is to be said after all
 */
export function createStatuses(holders: Holders, touch: () => void, patienceMs = PATIENCE_MS) {
  const verdicts = new Map<string, ServiceVerdicts>()
  const told = new Map<string, ReadonlyMap<string, Told>>()
  /** Services of which something moves. */
  const moving = new Set<string>()
  let last = { services: [] as readonly ServiceVerdicts[], peers: '', there: new Map() as SeenThere }
  let statuses: Statuses = new Map()
  let isWaiting = false

  return (services: readonly ServiceVerdicts[], peers: readonly Peer[], there: SeenThere): Statuses => {
    const stirred = stir(services, peers, there)
    const changes = new Map(peers.map(({ name }) => [name, new Map<string, ObjectStatus | undefined>()]))
    const words = wordsAmong(peers, there, holders)
    for (const service of stirred) {
      const before = told.get(service)
      const now = new Map(
        (verdicts.get(service)?.exports ?? []).flatMap(words).map((word) => {
          const key = `${word.cluster} ${keyOf(word.status)}`
          return [key, since(word, before?.get(key))]
        }),
      )
      for (const { cluster, status } of before?.values() ?? []) changes.get(cluster)?.set(keyOf(status), undefined)
      for (const each of now.values())
        if (!isUnderWay(each)) changes.get(each.cluster)?.set(keyOf(each.status), each.status)
      if (now.size === 0) told.delete(service)
      else told.set(service, now)
      if ([...now.values()].some(({ isMoving }) => isMoving)) moving.add(service)
      else moving.delete(service)
    }
    statuses = new Map(
      peers.map(({ name }) => [name, withChanges(statuses.get(name) ?? [], changes.get(name) ?? new Map(), keyOf)]),
    )
    return statuses
  }

  /** Services of which something else may be to be said than the last time. */
  function stir(services: readonly ServiceVerdicts[], peers: readonly Peer[], there: SeenThere): ReadonlySet<string> {
    const before = last
    last = { services, peers: JSON.stringify(peers), there }
    const { gone, come } = listDifference(before.services, services)
    for (const { service } of gone) verdicts.delete(service)
    for (const each of come) verdicts.set(each.service, each)
    const changed = holders.takeChanged()
    if (before.peers !== last.peers) return new Set([...verdicts.keys(), ...told.keys()])
    const homes = homesChanged(before.there, there)
    const rehoused = homes.size === 0 ? [] : services.filter((each) => isStandardIn(each, homes))
    // What was said before matters only for those that cannot be seen now.
    const said = peers.every(({ known }) => known) ? [] : exportsChanged(before.there, there)
    const others = [...gone, ...come, ...rehoused].map(({ service }) => service)
    return new Set([...others, ...changed, ...moving, ...said])
  }

  /** What is said in the same words is the same. */
  function since(word: Word, before: Told | undefined): Told {
    const status = isDeepStrictEqual(before?.status, word.status) ? (before as Told).status : word.status
    return { ...word, status, ...(word.isMoving ? { since: before?.since ?? performance.now() } : {}) }
  }

  function isUnderWay({ since }: Told): boolean {
    if (since === undefined) return false
    const left = since + patienceMs - performance.now()
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

const keyOf = ({ object: { namespace, name, group = '' } }: ObjectStatus): string => `${namespace}/${name} ${group}`

/** Namespaces that have come or gone anywhere. */
const homesChanged = (before: SeenThere, now: SeenThere): ReadonlySet<string> =>
  new Set(
    [...now].flatMap(([cluster, { namespaces }]) => {
      const was = before.get(cluster)?.namespaces ?? NONE
      return changedKeys(was, namespaces).filter((name) => was.has(name) !== namespaces.has(name))
    }),
  )

/** Exports of the standard wait for nobody without the namespace. */
const isStandardIn = ({ service, exports }: ServiceVerdicts, namespaces: ReadonlySet<string>): boolean =>
  namespaces.has(service.slice(0, service.indexOf('/'))) && exports.some(({ standard }) => standard !== undefined)

const exportsChanged = (before: SeenThere, now: SeenThere): readonly string[] =>
  [...now].flatMap(([cluster, { exports, mcsExports = NONE }]) => {
    const was = before.get(cluster)
    return [...changedKeys(was?.exports ?? NONE, exports), ...changedKeys(was?.mcsExports ?? NONE, mcsExports)]
  })

const NONE: ReadonlyMap<string, never> = new Map<string, never>()

/** What is to be said of an export, as a ServiceExport and as the standard's. */
function wordsAmong(peers: readonly Peer[], there: SeenThere, holders: Holders) {
  const nameOf = new Map(peers.map(({ name, clusterKey }) => [clusterKey, name]))
  const keys = peers.map(({ clusterKey }) => clusterKey).toSorted()
  const heldBy = (service: string) => (key: string) => holders.held(service, nameOf.get(key) ?? '')

  function exported(said: ExportVerdict, service: string): Word {
    const before = there.get(said.cluster)?.exports.get(service)?.status
    const others = keys.filter((key) => key !== said.clusterKey)
    const status = exportedStatus(said, others, heldBy(service), before)
    return { cluster: said.cluster, status, isMoving: status.conditions.some(({ reason }) => reason === 'Exporting') }
  }

  function standard(said: ExportVerdict, verdict: ObjectStatus, service: string): Word {
    const held = heldBy(service)
    const reach = said.importers.map((clusterKey): Reach => {
      const home = there.get(nameOf.get(clusterKey) ?? '')?.namespaces
      return { clusterKey, held: held(clusterKey), hasNamespace: home?.has(verdict.object.namespace ?? '') ?? false }
    })
    const before = there.get(said.cluster)?.mcsExports?.get(service)?.status
    const status = readyStatus(verdict, said.clusterKey, reach, before)
    return { cluster: said.cluster, status, isMoving: awaited(said.clusterKey, reach).length > 0 }
  }

  return (said: ExportVerdict): readonly Word[] => {
    const service = `${said.status.object.namespace}/${said.status.object.name}`
    return [
      ...((said.doors?.includes('ServiceExport') ?? true) ? [exported(said, service)] : []),
      ...(said.standard === undefined ? [] : [standard(said, said.standard, service)]),
    ]
  }
}
