import { isDeepStrictEqual } from 'node:util'
import type { ServiceImport } from '../../api/service-import.ts'
import type { ObjectStatus } from '../../compiler/tables.ts'
import { sameItems } from '../differences.ts'
import type { WantedSlice } from '../slices.ts'
import type { Trust } from '../trust.ts'

/** What the hub wants a member to hold. */
export interface Desired {
  /** Portolan's namespace there. */
  readonly namespace: string
  /** Which hub wants it: uid of namespace kube-system there. */
  readonly hub: string
  /** Who the member is; absent when it has left. */
  readonly clusterKey?: string
  readonly trustDomain?: string
  /** Whether its Services are shared by annotation. */
  readonly globalServices: boolean
  /** Absent when it has left. */
  readonly trust?: Trust
  /** Each once, by namespace and name; what has not changed is the very same value. So are the other lists. */
  readonly imports: readonly ServiceImport[]
  /** Endpoints of what it imports by the standard. */
  readonly slices: readonly WantedSlice[]
  readonly statuses: readonly ObjectStatus[]
  readonly createNamespaces: boolean
  /** Keys of clusters of which nothing is known yet: endpoints that lead to them stay. */
  readonly unheard: ReadonlySet<string>
}

/** Whether nothing but what is said of exports is wanted otherwise. */
export const differInStatusesAlone = (one: Desired, other: Desired): boolean =>
  one.namespace === other.namespace &&
  one.hub === other.hub &&
  one.clusterKey === other.clusterKey &&
  one.trustDomain === other.trustDomain &&
  sameTrust(one.trust, other.trust) &&
  one.globalServices === other.globalServices &&
  one.createNamespaces === other.createNamespaces &&
  sameItems(one.imports, other.imports) &&
  sameItems(one.slices, other.slices) &&
  one.unheard.size === other.unheard.size &&
  [...one.unheard].every((key) => other.unheard.has(key))

export const sameDesired = (one: Desired, other: Desired): boolean =>
  sameItems(one.statuses, other.statuses) && differInStatusesAlone(one, other)

const sameTrust = (one: Trust | undefined, other: Trust | undefined): boolean =>
  one === other || isDeepStrictEqual(one, other)
