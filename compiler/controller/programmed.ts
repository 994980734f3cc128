import { createHash } from 'node:crypto'
import type { Issue } from '../../api/issue.ts'
import type { Condition } from '../../api/meta.ts'
import type { SidecarTable } from '../tables.ts'

/** What one proxy said when it was last asked. */
export interface Sample {
  /** Version of the clusters it runs. */
  readonly version: string
  /** Updates it has refused since it last took one. */
  readonly refused: number
}

export interface Proxy {
  readonly namespace: string
  readonly name: string
  /** Absent: not asked yet, or did not answer. */
  readonly sample?: Sample
}

type Hashes = ReadonlyMap<string, string>

/** What has been written for proxies, and since when. Services are `ns/name`; times milliseconds of any one clock. */
export interface Programming {
  /** Hash of each service's routes, by version of the table: the recent ones, since a proxy may run an older table that says the same of a service. */
  readonly versions: ReadonlyMap<string, Hashes>
  /** Version of the table by namespace. */
  readonly current: ReadonlyMap<string, string>
  readonly services: ReadonlyMap<string, Service>
}

interface Service {
  readonly hash: string
  /** When it became so. */
  readonly since: number
  /** All proxies were seen to run it. Those that come later start with it, and need not be waited for. */
  readonly reached: boolean
}

export const NOTHING_PROGRAMMED: Programming = { versions: new Map(), current: new Map(), services: new Map() }

const VERSIONS_KEPT = 100

export function afterWriting(before: Programming, tables: readonly SidecarTable[], now: number): Programming {
  const versions = new Map(before.versions)
  const services = new Map<string, Service>()
  for (const { version, routes } of tables) {
    const hashes = before.versions.get(version) ?? hashesOf(routes)
    // Put last: the oldest fall out first.
    versions.delete(version)
    versions.set(version, hashes)
    for (const [service, hash] of hashes) {
      const was = before.services.get(service)
      services.set(service, was?.hash === hash ? was : { hash, since: now, reached: false })
    }
  }
  const recent = [...versions].slice(-Math.max(VERSIONS_KEPT, tables.length))
  const current = new Map(tables.map(({ namespace, version }) => [namespace, version]))
  return { versions: new Map(recent), current, services }
}

function hashesOf(routes: SidecarTable['routes']): Hashes {
  const grouped = Map.groupBy(routes, ({ service }) => service)
  return new Map(
    [...grouped].map(([service, own]) => [service, createHash('sha256').update(JSON.stringify(own)).digest('base64')]),
  )
}

export type ProgrammedCode =
  | 'Programmed'
  | 'NoProxies'
  | 'Propagating'
  | 'ProxyUnreachable'
  | 'ProxyBehind'
  | 'ProxyRefuses'

export interface Verdict {
  readonly status: Condition['status']
  readonly code: ProgrammedCode
  readonly params: NonNullable<Issue['params']>
  /** No proxy has been asked yet, as after a start: what was said before may stand until then. */
  readonly unasked?: true
}

/** A kubelet that is not nudged takes up to 90 s to renew files; after this long something is wrong. */
export const PROPAGATION_MS = 150_000
const NAMED_PODS = 3

/**
 * Whether the proxies run what was written for `service`, from what they say themselves. Nothing is said of a service
 * that no table routes.
 */
export function judge(service: string, written: Programming, proxies: ProxyGroups, now: number): Verdict | undefined {
  const wanted = written.services.get(service)
  if (wanted === undefined) return undefined
  const groups = [...written.current].flatMap(([namespace, version]) =>
    written.versions.get(version)?.has(service) ? (proxies.get(namespace) ?? []) : [],
  )
  const relevant = wanted.reached ? groups.filter((group) => !isSilent(group)) : groups
  const runs = ({ version }: ProxyGroup) =>
    version !== undefined && written.versions.get(version)?.get(service) === wanted.hash
  const count = sum(relevant)
  if (count === 0) return { status: 'True', code: 'NoProxies', params: {} }
  const isLate = now - wanted.since >= PROPAGATION_MS
  if (!isLate && relevant.every(isSilent)) {
    return { status: 'Unknown', code: 'Propagating', params: { count }, unasked: true }
  }
  const behind = relevant.filter((group) => !runs(group))
  if (behind.length === 0) return { status: 'True', code: 'Programmed', params: { count } }
  const refusing = behind.filter(({ refuses }) => refuses)
  if (refusing.length > 0) {
    return {
      status: 'False',
      code: 'ProxyRefuses',
      params: { count, refusing: sum(refusing), pods: namesOf(refusing) },
    }
  }
  if (!isLate) return { status: 'Unknown', code: 'Propagating', params: { count } }
  // They may well run it: nobody can tell.
  if (behind.every(isSilent)) {
    return {
      status: 'Unknown',
      code: 'ProxyUnreachable',
      params: { count, silent: sum(behind), pods: namesOf(behind) },
    }
  }
  return {
    status: 'False',
    code: 'ProxyBehind',
    params: { count, running: count - sum(behind), pods: namesOf(behind) },
  }
}

/** The services of which `judge` says True are from now on only judged by proxies that were asked. */
export function afterJudging(before: Programming, reached: ReadonlySet<string>): Programming {
  const services = new Map(before.services)
  for (const name of reached) {
    const service = services.get(name)
    if (service !== undefined && !service.reached) services.set(name, { ...service, reached: true })
  }
  return { ...before, services }
}

/** Proxies of one namespace that say the same. */
interface ProxyGroup {
  readonly version: string | undefined
  readonly refuses: boolean
  readonly names: readonly string[]
}

export type ProxyGroups = ReadonlyMap<string, readonly ProxyGroup[]>

export function groupProxies(proxies: readonly Proxy[]): ProxyGroups {
  const namespaces = Map.groupBy(proxies, ({ namespace }) => namespace)
  return new Map(
    [...namespaces].map(([namespace, own]) => {
      const same = Map.groupBy(own, ({ sample }) => JSON.stringify([sample?.version, (sample?.refused ?? 0) > 0]))
      const groups = [...same.values()].map((members): ProxyGroup => {
        const sample = members[0]?.sample
        const names = members.map(({ name }) => `${namespace}/${name}`).toSorted()
        return { version: sample?.version, refuses: (sample?.refused ?? 0) > 0, names }
      })
      return [namespace, groups]
    }),
  )
}

const isSilent = ({ version }: ProxyGroup): boolean => version === undefined

const sum = (groups: readonly ProxyGroup[]): number => groups.reduce((total, { names }) => total + names.length, 0)

function namesOf(groups: readonly ProxyGroup[]): string {
  const names = groups.flatMap((group) => group.names).toSorted()
  const more = names.length - NAMED_PODS
  return `${names.slice(0, NAMED_PODS).join(', ')}${more > 0 ? ` and ${more} more` : ''}`
}

/** Reads a proxy's `/stats`. Undefined when it does not say what it runs, as before its first update. */
export function readStats(text: string): { readonly version: string; readonly rejected: number } | undefined {
  const version = /^cluster_manager\.cds\.version_text: "([^"\n]*)"$/m.exec(text)?.[1]
  // What is no discovery response at all counts as a failure, what is a wrong one as rejected.
  const refusals = [...text.matchAll(/^cluster_manager\.cds\.update_(?:rejected|failure): (\d+)$/gm)]
  if (version === undefined || refusals.length === 0) return undefined
  return { version, rejected: refusals.reduce((total, [, count]) => total + Number(count), 0) }
}
