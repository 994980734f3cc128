import { statusOf, verdict } from '../compiler/conditions.ts'
import { exportReference } from '../compiler/doors.ts'
import { standardStatus } from '../compiler/standard-status.ts'
import { exportStatus } from '../compiler/status.ts'
import type { ObjectStatus } from '../compiler/tables.ts'
import { type Conflict, tell } from './conflict.ts'
import type { Constituent } from './constituent.ts'

/** `Valid` of an export, and `Conflict` when it has a say. */
export const verdictOn = (constituent: Constituent, conflicts: readonly Conflict[], total: number): ObjectStatus => {
  const { offer, says } = constituent
  const status = exportStatus(offer)
  if (!says) return status
  const conflict = conflictVerdict(exportReference(offer.object), conflicts, total)
  return { ...status, conditions: [...status.conditions, ...statusOf(offer.object, [conflict]).conditions] }
}

/** The same of the standard's export; undefined where the service is not offered by one. Every conflict is a reason there. */
export const standardVerdict = (
  { offer, says }: Constituent,
  conflicts: readonly Conflict[],
  total: number,
): ObjectStatus | undefined => {
  const { standard } = offer.object
  const status = standardStatus(offer)
  if (standard === undefined || status === undefined || !says) return status
  const conflict = conflictVerdict(status.object, conflicts, total)
  const reason = [...new Set(conflicts.map(({ code }) => code))].join(',') || conflict.reason
  return { ...status, conditions: [...status.conditions, ...statusOf(standard, [{ ...conflict, reason }]).conditions] }
}

const conflictVerdict = (object: ObjectStatus['object'], conflicts: readonly Conflict[], total: number) =>
  verdict('Conflict', conflicts.length > 0 ? 'True' : 'False', tell(object, conflicts, total))
