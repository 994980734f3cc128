/**
 * Who answers calls to a Service that is shared by annotation: what Cilium's documentation and code say, as short as it
 * can be said, to hold against what we decide and against what real pods answer.
 */

/** What an annotation may say; undefined = it is not there. */
export const WORDS = [undefined, 'true', 'True', 'false', 'FALSE', 'perhaps'] as const
/** Enough of them where all would be too many. */
export const FEW_WORDS = [undefined, 'True', 'FALSE', 'perhaps'] as const
export const AFFINITY_WORDS = [undefined, 'none', 'local', 'Local', 'remote', 'REMOTE', 'nearest'] as const
export const HEALTHS = ['healthy', 'none', 'unready', 'terminating'] as const
export type Health = (typeof HEALTHS)[number]

/** The Service of one cluster. */
export interface Side {
  readonly global?: string | undefined
  readonly shared?: string | undefined
  readonly affinity?: string | undefined
  /** Of all its pods. */
  readonly health: Health
  /** Written in the older spelling. */
  readonly alias?: boolean
}

export type Who = 'own' | 'other'

export const annotationsOf = ({ global, shared, affinity, alias = false }: Side): Readonly<Record<string, string>> => {
  const names = alias
    ? ['io.cilium/global-service', 'io.cilium/shared-service', 'io.cilium/service-affinity']
    : ['service.cilium.io/global', 'service.cilium.io/shared', 'service.cilium.io/affinity']
  const words = [global, shared, affinity]
  return Object.fromEntries(names.flatMap((name, index) => (words[index] === undefined ? [] : [[name, words[index]]])))
}

const isGlobal = ({ global }: Side): boolean => global?.toLowerCase() === 'true'
/** Rubbish is as good as nothing, and nothing means yes. */
export const isShared = (side: Side): boolean => isGlobal(side) && side.shared?.toLowerCase() !== 'false'

/** Whether calls from a cluster may go to the other at all: both must be global, and the other shared. */
export const reaches = (own: Side, other: Side): boolean => isGlobal(own) && isShared(other)

/** Whose pods answer; nobody = calls fail. */
export const answering = (own: Side, other: Side): readonly Who[] => {
  const reachable: readonly (readonly [Who, Health])[] = [
    ['own', own.health],
    ...(reaches(own, other) ? [['other', other.health] as const] : []),
  ]
  const ready = reachable.filter(([, health]) => health === 'healthy').map(([who]) => who)
  // Who is on the way out answers only when nobody else does.
  const able = ready.length > 0 ? ready : reachable.filter(([, health]) => health === 'terminating').map(([who]) => who)
  const preferred = { local: 'own', remote: 'other' }[own.affinity?.toLowerCase() ?? '']
  const first = able.filter((who) => who === preferred)
  return first.length > 0 ? first : able
}
