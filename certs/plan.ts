/** One root as the plan sees it: who it is and when it lives. Times in milliseconds since the epoch. */
export interface Root {
  /** Fingerprint of the certificate. */
  readonly id: string
  readonly bornAt: number
  readonly notAfter: number
}

export interface Leaf {
  readonly rootId: string
  readonly bornAt: number
  readonly notAfter: number
}

export interface Lives {
  readonly rootMs: number
  readonly leafMs: number
  /** How long a new root is only trusted before it signs, so that every client has its certificate by then. */
  readonly settleMs: number
}

export const DEFAULT_LIVES: Lives = {
  rootMs: 365 * 86_400_000,
  leafMs: 7 * 86_400_000,
  settleMs: 3_600_000,
}

export type Action =
  | { readonly type: 'addRoot' }
  /** No leaf of these is valid any more. */
  | { readonly type: 'dropRoots'; readonly ids: readonly string[] }
  | { readonly type: 'issueLeaf'; readonly rootId: string }
  /** Nothing to do before `until`, if nobody else changes anything. */
  | { readonly type: 'wait'; readonly until: number }

const renewalAt = ({ bornAt, notAfter }: Root | Leaf): number => bornAt + ((notAfter - bornAt) * 2) / 3

const byAge = (a: Root, b: Root): number => a.bornAt - b.bornAt || (a.id < b.id ? -1 : 1)

/** When a root signs from: the first one at once, a later one once it is known everywhere. */
const signsFrom = (root: Root, index: number, lives: Lives): number =>
  index === 0 ? root.bornAt : root.bornAt + lives.settleMs

/**
 * The next thing to do about the roots in the Secret and this replica's leaf.
 *
 * Every replica reaches the same decision from the same Secret. A root is renewed at two thirds of its life; it stays
 * trusted until the last leaf it may have signed has expired; a leaf is renewed at two thirds of its life, or at once
 * when its root is gone or a younger one signs.
 */
export const plan = (now: number, roots: readonly Root[], leaf: Leaf | undefined, lives: Lives): Action => {
  const living = roots.filter((root) => root.notAfter > now).sort(byAge)
  const newest = living.at(-1)
  if (newest === undefined || renewalAt(newest) <= now) return { type: 'addRoot' }

  const times = living.map((root, i) => ({ root, signsFrom: signsFrom(root, i, lives) }))
  const settled = times.findLast((entry) => entry.signsFrom <= now) ?? times[0]
  if (settled === undefined) return { type: 'addRoot' }
  // An older one that somebody has put beside it makes the first root a later one, but is the less known of the two.
  const present = times.find(({ root }) => root.id === leaf?.rootId)
  const signer = present !== undefined && byAge(present.root, settled.root) > 0 ? present : settled

  const retired = times.flatMap(({ root }, i) => {
    const next = times[i + 1]
    return next !== undefined && next.signsFrom + lives.leafMs <= now ? [root.id] : []
  })
  const dead = roots.filter((root) => root.notAfter <= now).map((root) => root.id)
  const drop = [...dead, ...retired]
  if (drop.length > 0) return { type: 'dropRoots', ids: drop }

  if (leaf === undefined || leaf.rootId !== signer.root.id || renewalAt(leaf) <= now) {
    return { type: 'issueLeaf', rootId: signer.root.id }
  }
  const due = [renewalAt(leaf), renewalAt(newest), ...times.map((entry) => entry.signsFrom)]
  const retirements = times.slice(1).map((entry) => entry.signsFrom + lives.leafMs)
  return { type: 'wait', until: Math.min(...[...due, ...retirements].filter((time) => time > now)) }
}
