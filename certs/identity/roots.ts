import { SKEW_MS } from '../issue.ts'

/**
 * How far a root has come.
 *
 * - `new`: made, and told to nobody yet.
 * - `trusted`: published; it signs nothing as long as others may not have heard of it.
 * - `signing`: every leaf is made by it. One root at most is.
 * - `retiring`: another signs; leaves of this one are still about.
 * - `retired`: the last of its leaves has been replaced; pods may not have read theirs anew yet.
 */
export const PHASES = ['new', 'trusted', 'signing', 'retiring', 'retired'] as const
export type Phase = (typeof PHASES)[number]

/** One root as the plan sees it. Times in milliseconds since the epoch. */
export interface RootRecord {
  /** Fingerprint of the certificate. */
  readonly id: string
  readonly bornAt: number
  readonly notAfter: number
  /** False when its private key is lost: then it can only vouch for the leaves that it has. */
  readonly canSign: boolean
  readonly phase: Phase
  /** Since when it is in that phase. */
  readonly since: number
}

/** What the cluster and its hub show of the roots. */
export interface Circumstances {
  /** Roots in the bundle that others read. */
  readonly published: ReadonlySet<string>
  /** Roots by which leaves have been made that are still about. */
  readonly inUse: ReadonlySet<string>
  /** Members that the hub has not seen holding a root. */
  readonly lacking: (id: string) => readonly string[]
  /** Somebody wants another root than this one. */
  readonly rollAfter: string | undefined
  /** This root need not wait for members that lack it. */
  readonly force: string | undefined
  /** Somebody else makes the roots: the fingerprint of the one that he offers, when there is one. Absent = we make them. */
  readonly offered?: { readonly id: string | undefined }
  /** How long others are given to read what is new. */
  readonly settleMs: number
}

export type RootAction =
  | { readonly do: 'add' }
  | { readonly do: 'enter'; readonly id: string; readonly phase: Exclude<Phase, 'signing' | 'new'> }
  /** This one signs from now on, and no other. */
  | { readonly do: 'sign'; readonly id: string }
  | { readonly do: 'drop'; readonly ids: readonly string[] }
  /** Nothing to do before `until`, if nobody else changes anything. */
  | { readonly do: 'wait'; readonly until: number }

const renewalAt = ({ bornAt, notAfter }: RootRecord): number => bornAt + ((notAfter - bornAt) * 2) / 3

/** Certificates tell their age in whole seconds: of two of one second, the one that signs was there before its successor. */
const byAge = (a: RootRecord, b: RootRecord): number =>
  a.bornAt - b.bornAt || Number(b.phase === 'signing') - Number(a.phase === 'signing') || (a.id < b.id ? -1 : 1)

/** From when it is accepted. Ours say so a little before they are made, as clocks differ; those of cert-manager do not. */
const acceptedAt = ({ bornAt }: RootRecord): number => bornAt - SKEW_MS

/** Clocks that have been set back leave roots behind that nobody accepts yet. */
const isLive = (root: RootRecord, now: number): boolean => acceptedAt(root) <= now && root.notAfter > now

/** The root that signs, or is to sign next: the youngest, or the one that is offered whatever its age. */
const newestOf = (
  roots: readonly RootRecord[],
  now: number,
  offered?: Circumstances['offered'],
): RootRecord | undefined =>
  roots.find((root) => root.id === offered?.id && root.canSign && isLive(root, now)) ??
  roots
    .filter((root) => root.canSign && isLive(root, now) && root.phase !== 'retiring' && root.phase !== 'retired')
    .toSorted(byAge)
    .at(-1)

/** Who makes leaves. `settled` says that others know the root, so that leaves of other roots may be replaced by its own. */
export const signerOf = (
  roots: readonly RootRecord[],
  now: number,
): { readonly id: string; readonly settled: boolean } | undefined => {
  const able = roots.filter((root) => root.canSign && isLive(root, now))
  const signing = able.find(({ phase }) => phase === 'signing')
  if (signing !== undefined) return { id: signing.id, settled: true }
  // Better a leaf that some do not accept yet than none.
  const trusted = able
    .filter(({ phase }) => phase === 'trusted')
    .toSorted(byAge)
    .at(-1)
  return trusted === undefined ? undefined : { id: trusted.id, settled: false }
}

/** The one root that is to sign next and does not yet. */
export const candidateOf = (
  roots: readonly RootRecord[],
  now: number,
  offered?: Circumstances['offered'],
): RootRecord | undefined => {
  const newest = newestOf(roots, now, offered)
  return newest?.phase === 'signing' ? undefined : newest
}

/**
 * The next thing to do about a cluster's roots.
 *
 * A new root is published first, signs when the members of the clusterset hold it and a settling time has passed, and its
 * predecessor goes when its last leaf has been replaced and pods have had the settling time to read theirs. So at no time
 * is there a leaf whose root has been taken from those who check it.
 */
export const planRoots = (now: number, roots: readonly RootRecord[], circumstances: Circumstances): RootAction => {
  const { published, inUse, lacking, rollAfter, force, offered, settleMs } = circumstances
  const dead = roots.filter(({ notAfter }) => notAfter <= now).map(({ id }) => id)
  if (dead.length > 0) return { do: 'drop', ids: dead }

  const newest = newestOf(roots, now, offered)
  if (offered !== undefined) {
    if (offered.id !== undefined && !roots.some(({ id }) => id === offered.id)) return { do: 'add' }
    if (newest === undefined) return { do: 'wait', until: Number.POSITIVE_INFINITY }
  } else if (
    newest === undefined ||
    renewalAt(newest) <= now ||
    (newest.phase === 'signing' && newest.id === rollAfter)
  )
    return { do: 'add' }

  const heard = roots.toSorted(byAge).find(({ id, phase }) => phase === 'new' && published.has(id))
  if (heard !== undefined) return { do: 'enter', id: heard.id, phase: 'trusted' }

  const settledAt = newest.since + settleMs
  if (newest.phase !== 'signing' && newest.phase !== 'new') {
    const known = now >= settledAt && (newest.id === force || lacking(newest.id).length === 0)
    // The first of all has nobody to wait for.
    if (known || roots.length === 1) return { do: 'sign', id: newest.id }
  }

  for (const { id, phase } of roots.toSorted(byAge)) {
    // What is offered again comes back by signing.
    if (id === newest.id) continue
    if (phase === 'retiring' && !inUse.has(id)) return { do: 'enter', id, phase: 'retired' }
    if (phase === 'retired' && inUse.has(id)) return { do: 'enter', id, phase: 'retiring' }
  }
  const retired = roots.filter(({ id, phase }) => phase === 'retired' && id !== newest.id)
  const over = retired.filter(({ since }) => since + settleMs <= now).map(({ id }) => id)
  if (over.length > 0) return { do: 'drop', ids: over }

  const times = [
    renewalAt(newest),
    ...roots.flatMap((root) => [acceptedAt(root), root.notAfter]),
    ...retired.map(({ since }) => since + settleMs),
    ...(newest.phase === 'signing' || newest.phase === 'new' ? [] : [settledAt]),
  ]
  return { do: 'wait', until: Math.min(...times.filter((time) => time > now)) }
}

/** The records after an action; `add` needs the root that has been made. */
export const after = (
  roots: readonly RootRecord[],
  action: Exclude<RootAction, { do: 'wait' | 'add' }>,
  now: number,
): readonly RootRecord[] => {
  const moved = (root: RootRecord, phase: Phase) => (root.phase === phase ? root : { ...root, phase, since: now })
  switch (action.do) {
    case 'drop':
      return roots.filter(({ id }) => !action.ids.includes(id))
    case 'enter':
      return roots.map((root) => (root.id === action.id ? moved(root, action.phase) : root))
    case 'sign':
      return roots.map((root) => {
        if (root.id === action.id) return moved(root, 'signing')
        return root.phase === 'retired' ? root : moved(root, 'retiring')
      })
  }
}

/** As it was last told of a root: how far it had come, and since when. */
export interface Told {
  readonly phase: Phase
  readonly since: number
}

/**
 * How far a root has come whose private key is lost, or nothing when nobody needs it: others must go on to trust it for as
 * long as pods may show a leaf of it.
 * @param told absent when nothing is known of it
 */
export const lostPhase = (told: Told | undefined, inUse: boolean, now: number, settleMs: number): Told | undefined => {
  if (inUse) return { phase: 'retiring', since: now }
  if (told?.phase === 'signing' || told?.phase === 'retiring') return { phase: 'retired', since: now }
  // What has been retired for long enough was dropped by plan, and the publication is yet to follow.
  return told?.phase === 'retired' && told.since + settleMs > now ? told : undefined
}
