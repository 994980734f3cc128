import { keyOf } from '../../compiler/keys.ts'
import { LastAnswers } from '../../compiler/memo.ts'
import { sameItems } from '../differences.ts'
import { globalIn } from '../global-services.ts'
import { type Declared, declaredOf, servicesIn, standardIn } from './declared.ts'
import { areGlobal, type Entry } from './entry.ts'
import { firstRelease, holdPaths, NOTHING_HELD } from './held-paths.ts'
import type { Observed } from './observed.ts'
import { type Asked, type View, viewOf } from './view.ts'

const NOTHING_DECLARED: Declared = { exports: [], services: [] }

/** As the member was last seen, or as it is remembered. */
function lookAtDeclared(entry: Entry): Declared | undefined {
  const observed = entry.member.seen()?.observed
  if (observed === undefined) return entry.declared
  const { services, mcsExports } = observed
  const { made, declared } = entry
  const before = made?.exports ?? new Map((declared?.exports ?? []).map((object) => [keyOf(object), object]))
  const { exports, held } = holdPaths(before, entry.held ?? NOTHING_HELD, observed.exports, performance.now())
  entry.held = held
  if (made?.exports !== exports || made.services !== services || made.mcsExports !== mcsExports) {
    const shown = { exports, services, ...(mcsExports === undefined ? {} : { mcsExports }) }
    entry.declared = declaredOf(shown, declared, made)
    entry.made = shown
  }
  return entry.declared
}

export function viewIn(entry: Entry, { slices }: Observed, asked: Asked): View {
  const { declared = NOTHING_DECLARED, live } = entry
  entry.live = views.get(entry, [declared, slices, asked, live], () => viewOf(declared, slices, asked, live))
  return entry.live
}

const views = new LastAnswers<Entry, View>()

/**
 * Endpoints are of use for services that somebody exports by the standard, or shares by annotation. As long as these are
 * the same, the answer is the very same.
 * @param touch what is held on to is over
 */
export function createAsking(touch: () => void): (active: readonly Entry[]) => Asked {
  let release: NodeJS.Timeout | undefined
  let parts: readonly unknown[] = []
  let asked: Asked = { slices: new Set(), backends: new Set() }
  return (active) => {
    const all = active.flatMap((entry) => {
      const declared = lookAtDeclared(entry)
      return declared === undefined ? [] : [{ declared, shared: areGlobal(entry.cluster, declared) }]
    })
    clearTimeout(release)
    const due = Math.min(...active.map(({ held }) => firstRelease(held ?? NOTHING_HELD)))
    if (Number.isFinite(due)) release = setTimeout(touch, due - performance.now() + 1).unref()
    const now = all.flatMap(({ declared, shared }) => [declared, shared])
    if (sameItems(parts, now)) return asked
    parts = now
    const slices = new Set(all.flatMap(({ declared }) => [...standardIn(declared)]))
    const shared = all.flatMap(({ declared, shared }) => (shared ? [...globalIn(declared.services)] : []))
    const backends = new Set([...slices, ...shared])
    if (!sameSet(slices, asked.slices) || !sameSet(backends, asked.backends)) asked = { slices, backends }
    return asked
  }
}

const sameSet = (one: ReadonlySet<string>, other: ReadonlySet<string>): boolean =>
  one.size === other.size && [...one].every((item) => other.has(item))

/** Whether anything that is asked for is a service of the cluster. */
export function isAsked({ declared }: Entry, { backends }: Asked): boolean {
  if (backends.size === 0 || declared === undefined) return false
  const own = servicesIn(declared)
  return [...backends].some((key) => own.has(key))
}
