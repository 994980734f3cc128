import { globalIn } from '../global-services.ts'
import { areGlobal, type Entry } from './entry.ts'
import type { Observed } from './observed.ts'
import { type Asked, type Declared, declaredOf, servicesIn, standardIn, type View, viewOf } from './view.ts'

const NOTHING_DECLARED: Declared = { exports: [], services: [] }

/** As the member was last seen, or as it is remembered. */
function lookAtDeclared(entry: Entry): Declared | undefined {
  const observed = entry.member.seen()?.observed
  if (observed === undefined) return entry.declared
  const { exports, services, mcsExports } = observed
  const { made } = entry
  if (made?.exports !== exports || made.services !== services || made.mcsExports !== mcsExports) {
    entry.made = observed
    entry.declared = declaredOf(observed, entry.declared)
  }
  return entry.declared
}

export function viewIn(entry: Entry, { slices }: Observed, asked: Asked): View {
  entry.live = viewOf(entry.declared ?? NOTHING_DECLARED, slices, asked, entry.live)
  return entry.live
}

/** Endpoints are of use for services that somebody exports by the standard, or shares by annotation. */
export function askedOf(active: readonly Entry[]): Asked {
  const all = active.flatMap((entry) => {
    const declared = lookAtDeclared(entry)
    return declared === undefined ? [] : [{ declared, shared: areGlobal(entry.cluster, declared) }]
  })
  const slices = all.flatMap(({ declared }) => [...standardIn(declared)])
  const backends = all.flatMap(({ declared, shared }) => (shared ? [...globalIn(declared.services)] : []))
  return { slices: new Set(slices), backends: new Set([...slices, ...backends]) }
}

/** Whether anything that is asked for is a service of the cluster. */
export function isAsked({ declared }: Entry, { backends }: Asked): boolean {
  if (backends.size === 0 || declared === undefined) return false
  const own = servicesIn(declared)
  return [...backends].some((key) => own.has(key))
}
