import type { ServiceImport } from '../../api/service-import.ts'
import { keyOf } from '../keys.ts'

/** An import that is gone, and until when callers may hold its address. */
export interface Withdrawn {
  /** Without endpoints: it leads to the own Service. */
  readonly object: ServiceImport
  /** Milliseconds since 1970. */
  readonly until: number
}

/**
 * Imports that went a moment ago. Their names lead to this cluster's own Services again, and callers hear of it when what
 * DNS told them before is over.
 *
 * @param before imports of the last time, and what had gone by then
 * @param now milliseconds since 1970
 * @param seconds how long an address is held; 0 = not at all
 */
export function withdrawnSince(
  before: { readonly imports: readonly ServiceImport[]; readonly withdrawn: readonly Withdrawn[] },
  imports: readonly ServiceImport[],
  now: number,
  seconds: number,
): readonly Withdrawn[] {
  if (seconds === 0) return []
  const there = new Set(imports.map(keyOf))
  const isGone = (object: ServiceImport): boolean => !there.has(keyOf(object))
  const ended = before.imports.filter((object) => isGone(object) && hasPlainName(object))
  return [
    ...before.withdrawn.filter(({ object, until }) => isGone(object) && until > now),
    ...ended.map((object) => ({ object: unserved(object), until: now + seconds * 1_000 })),
  ]
}

/** What the standard alone exports has the clusterset's name, which means nobody now. */
const hasPlainName = ({ spec: { doors } }: ServiceImport): boolean =>
  doors === undefined || doors.some((door) => door !== 'MCS')

const unserved = ({ spec: { doors: _, ...spec }, ...object }: ServiceImport): ServiceImport => ({
  ...object,
  spec: { ...spec, ports: spec.ports.map((port) => ({ ...port, endpoints: [] })) },
})
