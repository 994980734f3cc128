import type { ServiceExport } from '../../api/service-export.ts'
import { changedKeys } from '../differences.ts'

/** Exports by `ns/name`. */
type Exports = ReadonlyMap<string, ServiceExport>

/** An export as it was before its paths changed. */
export interface HeldExport {
  readonly object: ServiceExport
  /** Until when it counts; milliseconds of any one clock. */
  readonly until: number
}

export interface HeldPaths {
  /** What counts of a member's exports now; the very map that it shows where nothing is held. */
  readonly exports: Exports
  readonly held: ReadonlyMap<string, HeldExport>
}

export const NOTHING_HELD: HeldPaths['held'] = new Map()

/** Gateways have their files within a second; those of callers may be quicker. */
export const PATH_HOLD_MS = 2_000

/**
 * Exports whose paths have changed count as they were for a moment more: callers must not be told of a path before the
 * gateway serves it, and what it served it serves on. Not so where another export of the member names one of the former
 * paths, as calls would be that one's by now.
 *
 * @param before what counted the last time
 * @param now what the member shows
 * @param clock milliseconds
 */
export function holdPaths(before: Exports, held: HeldPaths['held'], now: Exports, clock: number): HeldPaths {
  const keys = new Set([...changedKeys(before, now), ...held.keys()])
  if (keys.size === 0) return { exports: now, held: NOTHING_HELD }
  const kept = new Map<string, HeldExport>()
  for (const key of keys) {
    const [object, fresh] = [before.get(key), now.get(key)]
    if (object === undefined || fresh === undefined || object.metadata.uid !== fresh.metadata.uid) continue
    const until = held.get(key)?.until ?? clock + PATH_HOLD_MS
    if (until > clock && moves(object, fresh) && !isClaimed(object, key, now)) kept.set(key, { object, until })
  }
  if (kept.size === 0) return { exports: now, held: NOTHING_HELD }
  const exports = new Map(now)
  for (const [key, { object }] of kept) exports.set(key, object)
  return { exports, held: kept }
}

/** Whether a port that both serve is elsewhere now. A port that comes or goes moves nobody. */
function moves({ spec: before }: ServiceExport, { spec: now }: ServiceExport): boolean {
  const ports = new Set([...rulesOf(before), ...rulesOf(now)].map(({ portNumber }) => portNumber))
  return [...ports].some((port) => {
    const [was, is] = [pathsAt(before, port), pathsAt(now, port)]
    return was !== undefined && is !== undefined && was !== is
  })
}

const rulesOf = ({ rules = [] }: ServiceExport['spec']) => rules

/** Nothing for a port that is not served; without rules all are, each at a path of its own. */
function pathsAt(spec: ServiceExport['spec'], port: number): string | undefined {
  const rules = rulesOf(spec)
  if (rules.length === 0) return 'its own'
  const own = rules.filter(({ portNumber }) => portNumber === port)
  if (own.length === 0) return undefined
  return own
    .map(({ path, pathType = 'Prefix' }) => (path === undefined ? 'its own' : `${pathType} ${path}`))
    .toSorted()
    .join('\n')
}

function isClaimed({ spec }: ServiceExport, key: string, now: Exports): boolean {
  const paths = new Set(rulesOf(spec).flatMap(({ path }) => path ?? []))
  return [...now].some(
    ([other, object]) =>
      other !== key && rulesOf(object.spec).some(({ path }) => path !== undefined && paths.has(path)),
  )
}

/** When the first of them is over; Infinity when there is none. */
export const firstRelease = (held: HeldPaths['held']): number =>
  Math.min(Number.POSITIVE_INFINITY, ...[...held.values()].map(({ until }) => until))
