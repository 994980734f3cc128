import type { ServiceImport } from '../../api/service-import.ts'
import type { Accepted, Action } from './action.ts'
import type { Matter } from './attention.ts'
import { giversOf, type ObservedImport, wantedHash } from './observed.ts'
import { namesOf } from './unheard.ts'

/** Whether the import is somebody else's, and in the way. */
export const isForeign = ({ wanted, there }: Matter<ServiceImport, ObservedImport>): boolean =>
  wanted !== undefined && there?.ours === false

/** @param unheard keys of clusters of which nothing is known yet */
export function planImport(
  { key, wanted, there }: Matter<ServiceImport, ObservedImport>,
  unheard: ReadonlySet<string>,
  accepted: Accepted,
): Action | undefined {
  if (there?.ours === false || (wanted === undefined && there === undefined)) return undefined
  const [namespace = '', name = ''] = key.split('/')
  const uid = there?.metadata.uid ?? ''
  const given = wanted === undefined ? [] : giversOf(wanted)
  const keep = (there?.givers ?? []).filter((giver) => unheard.has(giver) && !given.includes(giver))
  if (wanted === undefined && keep.length === 0) {
    const silent = namesOf(unheard)
    return there?.exporters?.some((exporter) => silent.has(exporter))
      ? undefined
      : { do: 'removeImport', namespace, name, uid }
  }
  const content = [wanted === undefined ? '' : wantedHash(wanted), ...keep].join(' ')
  if (there !== undefined && (there.hash === content || there.hash === accepted(key, content))) return undefined
  // Nothing but what is kept is there already.
  if (wanted === undefined && keep.length === there?.givers.length) return undefined
  const which = { namespace, name, keep, content }
  return {
    do: 'applyImport',
    import: { ...which, ...(there ? { uid } : {}), ...(wanted === undefined ? {} : { wanted }) },
  }
}
