import { MANAGED_BY } from '../api/names.ts'
import type { Secret } from '../api/resources.ts'
import { SECRETS } from '../api/resources.ts'
import type { KubeClient } from '../kube/client.ts'
import type { Failure, Result } from '../kube/failure.ts'
import { issueLeaf, issueRoot, type KeyPair } from './issue.ts'
import { type Action, type Leaf, type Lives, plan } from './plan.ts'
import { publish, type Target } from './publish.ts'
import { type Authority, authorityOf, bundleOf, leafOf, readAuthorities, writeAuthorities } from './secret.ts'

export interface KeeperOptions {
  readonly client: KubeClient
  /** Where the roots live, shared by all replicas. */
  readonly secret: { readonly namespace: string; readonly name: string }
  /** Names the leaf is for. */
  readonly dnsNames: readonly string[]
  /** Whom the roots are to be made known to. */
  readonly targets: readonly Target[]
  readonly lives: Lives
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** The Secret is looked at no less often than this. */
  readonly pollMs: number
  /** A new leaf, to be served from now on. Its root has been published. */
  readonly onLeaf: (leaf: KeyPair) => void
  readonly observe?: (event: KeeperEvent) => void
}

export type KeeperEvent =
  | { readonly type: 'did'; readonly action: Action }
  | { readonly type: 'failed'; readonly message: string; readonly cause?: unknown }

export interface Keeper {
  /** True once there is a leaf and the API server has been told to trust its root. */
  readonly isReady: () => boolean
  /** Looks again at once. */
  readonly wake: () => void
  readonly stop: () => Promise<void>
}

const RETRY_MS = 1_000
/** After this many actions in a row something is wrong; go on at the next look. */
const MOST_ACTIONS = 8

/** Keeps this replica's serving certificate: roots in a Secret, the leaf's key in this process's memory alone. */
export const startKeeper = (options: KeeperOptions): Keeper => {
  const { client, secret, targets, lives, now, pollMs, onLeaf, observe = () => undefined } = options
  let leaf: Leaf | undefined
  let known: readonly Authority[] = []
  let published = false
  let stopped = false
  let wakeUp = (): void => undefined
  let woken = false

  const read = async (): Promise<Result<Secret | undefined>> => {
    const found = await client.get(SECRETS, secret)
    return !found.ok && found.failure.reason === 'NotFound' ? { ok: true, value: undefined } : found
  }

  /** Whoever writes first wins; the other reads what is there and plans anew. */
  const write = async (before: Secret | undefined, authorities: readonly Authority[]): Promise<Failure | undefined> => {
    const data = writeAuthorities(authorities)
    const written =
      before === undefined
        ? await client.create(SECRETS, { metadata: { ...secret, labels: MANAGED_BY }, type: 'Opaque', data })
        : await client.replace(SECRETS, { ...before, data })
    if (written.ok || written.failure.reason === 'Conflict' || written.failure.reason === 'AlreadyExists')
      return undefined
    return written.failure
  }

  const perform = async (
    action: Exclude<Action, { type: 'wait' }>,
    before: Secret | undefined,
    authorities: readonly Authority[],
  ): Promise<Failure | undefined> => {
    if (action.type === 'dropRoots') {
      return write(
        before,
        authorities.filter(({ id }) => !action.ids.includes(id)),
      )
    }
    if (action.type === 'addRoot') {
      const commonName = `${secret.name}.${secret.namespace}`
      const root = await issueRoot({ commonName, now: now(), lifeMs: lives.rootMs })
      return write(before, [...authorities, authorityOf(root)])
    }
    const root = authorities.find(({ id }) => id === action.rootId)
    if (root === undefined) throw new Error(`the plan names root ${action.rootId}, which the Secret does not hold`)
    const pair = await issueLeaf({
      root: root.pair,
      dnsNames: options.dnsNames,
      now: now(),
      lifeMs: lives.leafMs,
    })
    onLeaf(pair)
    leaf = leafOf(pair, root.id)
    return undefined
  }

  /** Acts until the plan says wait. Returns milliseconds until the next look. */
  const look = async (): Promise<number> => {
    for (let acted = 0; acted < MOST_ACTIONS; acted++) {
      const found = await read()
      if (!found.ok) return failed(found.failure)
      const stored = readAuthorities(found.value?.data)
      if (stored.length > 0) {
        const failures = await publish(client, targets, bundleOf(stored))
        const [first] = failures
        // A leaf of a root nobody trusts yet would be refused by everyone, so the one in use stays.
        if (first !== undefined) return failed(first)
        published = true
        known = stored
      }
      const action = plan(now(), stored, leaf, lives)
      if (action.type === 'wait') return Math.min(Math.max(action.until - now(), 0), pollMs)
      // Of a Secret that somebody has emptied or deleted, the roots stay until the new one has settled, as in any roll.
      const kept = stored.length > 0 ? stored : known.filter(({ notAfter }) => notAfter > now())
      const failure = await perform(action, found.value, kept)
      if (failure !== undefined) return failed(failure)
      observe({ type: 'did', action })
    }
    return failed({ message: 'the plan for the certificates does not come to rest' })
  }

  const failed = ({ message, cause }: { readonly message: string; readonly cause?: unknown }): number => {
    observe({ type: 'failed', message, cause })
    return RETRY_MS
  }

  const run = async (): Promise<void> => {
    while (!stopped) {
      woken = false
      const forMs = await look().catch((cause: unknown) =>
        failed({ message: cause instanceof Error ? cause.message : String(cause), cause }),
      )
      if (stopped || woken) continue
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, forMs)
        wakeUp = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
  }

  const running = run()
  const wake = (): void => {
    woken = true
    wakeUp()
  }
  return {
    isReady: () => leaf !== undefined && published && leaf.notAfter > now(),
    wake,
    stop: async () => {
      stopped = true
      wake()
      await running
    },
  }
}
