import type { McsExport } from '../../api/mcs.ts'
import { FIELD_MANAGER, MCS_GROUP } from '../../api/names.ts'
import { isCurrent } from '../../api/resources.ts'
import type { ServiceExport } from '../../api/service-export.ts'
import type { ObjectStatus } from '../../compiler/tables.ts'
import { changedStatus } from '../../kube/status.ts'
import type { Action } from './action.ts'
import type { Matter } from './attention.ts'

/**
 * What is to be said of an export, if anything. One of which nothing is wanted loses what the hub once said of it.
 * @param hasLeft whether the member is no part of the set any more
 * @param now for lastTransitionTime, RFC 3339
 */
export function planStatus(
  { wanted: said, there }: Matter<ObjectStatus, ServiceExport | McsExport>,
  hasLeft: boolean,
  now: string,
): Action | undefined {
  if (there === undefined || there.metadata.deletionTimestamp !== undefined) return undefined
  if (isOfTheStandard(there) && !isCurrent(there)) return undefined
  const { namespace = '', name, uid = '', generation = 0 } = there.metadata
  // Of a member that has not left something will be said as soon as it is known to the merge as it is now.
  if (said === undefined ? !hasLeft : said.generation !== generation) return undefined
  const status = changedStatus(said ?? { conditions: [] }, there, FIELD_MANAGER.federation, now)
  if (status === undefined) return undefined
  const { apiVersion, status: before } = there
  return { do: 'applyStatus', apiVersion, namespace, name, uid, status, before, remarks: said?.remarks ?? [] }
}

const isOfTheStandard = ({ apiVersion }: ServiceExport | McsExport): boolean => apiVersion.startsWith(`${MCS_GROUP}/`)
