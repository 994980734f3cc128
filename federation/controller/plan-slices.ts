import type { WantedSlice } from '../slices.ts'
import type { Accepted, Action } from './action.ts'
import type { Matter } from './attention.ts'
import type { ObservedCopy } from './observed-slices.ts'
import { namesOf } from './unheard.ts'

/** Among what is accepted. */
export const sliceKey = ({ namespace, name }: { readonly namespace: string; readonly name: string }): string =>
  `slice ${namespace}/${name}`

/**
 * A slice stays while nothing is known of the cluster that it comes from. One of that name that is another's stays, too.
 * @param unheard keys of clusters of which nothing is known yet
 */
export function planSlice(
  { wanted, there }: Matter<WantedSlice, ObservedCopy>,
  unheard: ReadonlySet<string>,
  accepted: Accepted,
): Action | undefined {
  if (there?.ours === false) return undefined
  if (wanted !== undefined) {
    const isThere =
      there !== undefined && (there.hash === wanted.hash || there.hash === accepted(sliceKey(wanted), wanted.hash))
    return isThere ? undefined : { do: 'applySlice', slice: wanted }
  }
  if (there === undefined || namesOf(unheard).has(there.source)) return undefined
  const { namespace = '', name, uid = '' } = there.metadata
  return { do: 'removeSlice', namespace, name, uid }
}
