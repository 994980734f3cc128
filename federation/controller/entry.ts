import type { Cluster, GlobalServicesDecision } from '../../api/cluster.ts'
import { declaredExports } from '../../compiler/doors.ts'
import { perObject } from '../../compiler/memo.ts'
import type { Member as MemberObjects } from '../constituent.ts'
import { globalServicesDecision } from '../global-services.ts'
import type { Published } from '../trust.ts'
import type { Found } from './access.ts'
import type { Declared } from './declared.ts'
import type { Desired } from './desired.ts'
import type { HeldPaths } from './held-paths.ts'
import type { Member } from './member.ts'
import type { Observed, ObservedImport } from './observed.ts'
import type { View } from './view.ts'

/** One cluster, for as long as it is registered or something of the hub is left in it. */
export interface Entry {
  readonly name: string
  readonly member: Member
  /** Absent when it has left. */
  cluster?: Cluster | undefined
  found?: Found | undefined
  /** The newest view, remembered or not, and what it was made of. */
  live?: View | undefined
  declared?: Declared | undefined
  made?: Pick<Observed, 'exports' | 'services' | 'mcsExports'> | undefined
  /** Exports whose paths have just changed, as they count until callers may hear of it. */
  held?: HeldPaths['held'] | undefined
  /** The view as remembered. */
  view?: View | undefined
  /** What `objects` were made of. */
  merged?: View | undefined
  /** What is merged: what the hub would know after a restart, too. Absent = nothing is known of it. */
  objects?: MemberObjects | undefined
  /** The last good word for who vouches for it, as remembered. */
  published?: Published | undefined
  desired?: Desired | undefined
  /** When counts that have changed are to be written; milliseconds of performance.now. */
  countsDue?: number | undefined
}

/** Not known yet whether it can be reached, and what it is then. */
export const isUndecided = ({ cluster, found, member }: Entry): boolean => {
  const { asked = false, listed = false, trouble } = member.health() ?? {}
  return cluster !== undefined && (found === undefined || (found.ok && trouble === undefined && !(asked && listed)))
}

/** However many objects offer a service, it is one. */
export const exportsOf = ({ objects }: Entry): number => (objects === undefined ? 0 : offeredIn(objects))
const offeredIn = perObject((objects: MemberObjects): number => declaredExports(objects).length)

/** Imports of the hub's that a member holds. */
export const ownImports = ({ member }: Entry): number => {
  const imports = member.seen()?.observed.imports
  return imports === undefined ? 0 : oursIn(imports)
}
const oursIn = perObject((imports: ReadonlyMap<string, ObservedImport>): number => {
  let count = 0
  for (const { ours } of imports.values()) if (ours) count += 1
  return count
})

/** Whether its Services are shared by annotation, and if not, why. */
export const decisionOn = (
  cluster: Cluster | undefined,
  { clusterMesh }: Pick<View, 'clusterMesh'>,
): GlobalServicesDecision => globalServicesDecision(cluster?.spec.globalServices, clusterMesh === true)

/** Whether they are. */
export const areGlobal = (...asked: Parameters<typeof decisionOn>): boolean => decisionOn(...asked) === 'Shared'

/** What is merged is made of what is remembered, and of what the Cluster says of global Services. */
export function shareByAnnotation(entry: Entry): void {
  const { name, cluster, view, objects } = entry
  if (view === undefined) return
  const globalServices = areGlobal(cluster, view)
  if (objects !== undefined && entry.merged === view && objects.globalServices === globalServices) return
  entry.objects = { cluster: name, ...view, globalServices }
  entry.merged = view
}
