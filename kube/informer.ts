import { type BackoffOptions, backoff, pause } from './backoff.ts'
import type { KubeClient, Scope } from './client.ts'
import { type Failure, fromException } from './failure.ts'
import { type KubeObject, keyOf, type Resource } from './object.ts'
import type { WatchEvent } from './watch.ts'

/** What the loop went through, for logs and metrics. */
export type InformerEvent =
  | { readonly type: 'listed'; readonly count: number }
  /** A watch is open. */
  | { readonly type: 'watching' }
  /** The server ended the watch in its own time. */
  | { readonly type: 'ended' }
  /** No event and no bookmark for the stall time: the connection is given up. */
  | { readonly type: 'stalled' }
  /** The resourceVersion is too old; a full list follows. */
  | { readonly type: 'expired' }
  | { readonly type: 'failed'; readonly failure: Failure; readonly attempt: number; readonly retryMs: number }

export interface InformerOptions<T extends KubeObject, S extends KubeObject = T> {
  readonly client: KubeClient
  readonly resource: Resource<T>
  /** Versions of the same kind that are read where `resource` is not served, the newest first. */
  readonly older?: readonly Resource<T>[]
  readonly scope?: Scope
  /** What is kept of an object; undefined leaves it out. Default: all but metadata.managedFields. */
  readonly keep?: (object: T) => S | undefined
  /** Default 90 s: API servers send a bookmark a minute. */
  readonly stallMs?: number
  /** Default 300 s, plus up to a fifth. */
  readonly watchSeconds?: number
  readonly backoff?: BackoffOptions
  /** In [0, 1). */
  readonly random?: () => number
  readonly observe?: (event: InformerEvent) => void
}

/** A copy of one collection that follows the API server, by list and watch, through whatever happens to either. */
export interface Informer<S extends KubeObject> {
  readonly resource: Resource
  /** True from the first complete list on; the store only gets fresher. */
  readonly hasSynced: () => boolean
  /** Resolves with the first complete list, or when stopped. */
  readonly synced: () => Promise<void>
  /** By `ns/name`. The same map until something changes, then another one. */
  readonly store: () => ReadonlyMap<string, S>
  readonly list: () => readonly S[]
  readonly get: (namespace: string | undefined, name: string) => S | undefined
  /** resourceVersion up to which the store knows of every change, deletions too; absent before the first list. */
  readonly reached: () => string | undefined
  /** `callback` runs after changes, once per turn of the event loop however many there were. Returns how to unsubscribe. */
  readonly onChange: (callback: () => void) => () => void
  readonly stop: () => Promise<void>
}

const DEFAULT_BACKOFF: BackoffOptions = { firstMs: 250, mostMs: 30_000 }
/** A watch that lived shorter than this counts as a failure: a server that ends each at once must not be hammered. */
const SHORT_LIFE_MS = 1_000
const DOUBTFUL_FAILURES = 3

export function startInformer<T extends KubeObject, S extends KubeObject = T>(
  options: InformerOptions<T, S>,
): Informer<S> {
  const {
    client,
    resource,
    older = [],
    scope = {},
    keep = withoutManagedFields as unknown as (object: T) => S | undefined,
    stallMs = 90_000,
    watchSeconds = 300,
    random = Math.random,
    observe = () => undefined,
  } = options
  const backoffOptions = options.backoff ?? DEFAULT_BACKOFF
  const stopping = new AbortController()
  const listeners = new Set<() => void>()
  const synced = Promise.withResolvers<void>()
  let objects = new Map<string, S>()
  let snapshot: ReadonlyMap<string, S> | undefined
  let isSynced = false
  let announced = false
  let failures = 0
  let latest: string | undefined
  /** What is followed: as it was last listed. */
  let served = resource

  function changed() {
    snapshot = undefined
    if (announced) return
    announced = true
    setImmediate(() => {
      announced = false
      if (!stopping.signal.aborted) for (const listener of listeners) listener()
    })
  }

  function put(object: T, into: Map<string, S>): boolean {
    const key = keyOf(object.metadata)
    const kept = keep(object)
    if (kept === undefined) return into.delete(key)
    into.set(key, kept)
    return true
  }

  /** Of the newest version that is served. */
  async function list() {
    let listing = await client.list(resource, scope, stopping.signal)
    served = resource
    for (const version of older) {
      if (listing.ok || listing.failure.reason !== 'NotFound') break
      listing = await client.list(version, scope, stopping.signal)
      served = version
    }
    return listing
  }

  /** Takes the list as the whole truth. Returns its resourceVersion, or nothing after a failure. */
  async function relist(): Promise<string | undefined> {
    const listing = await list()
    if (!listing.ok) {
      await fail(listing.failure)
      return undefined
    }
    const listed = new Map<string, S>()
    for (const object of listing.value.items) put(object, listed)
    const before = objects
    objects = listed
    latest = listing.value.resourceVersion
    const first = !isSynced
    isSynced = true
    if (first || !sameVersions(before, objects)) changed()
    observe({ type: 'listed', count: objects.size })
    synced.resolve()
    return listing.value.resourceVersion
  }

  /** Follows changes from `version` on. Returns where to go on from, or nothing when only a list can tell. */
  async function follow(version: string): Promise<string | undefined> {
    const giveUp = new AbortController()
    const opened = performance.now()
    const answer = await client.watch(served, {
      ...scope,
      resourceVersion: version,
      timeoutSeconds: Math.ceil(watchSeconds * (1 + random() / 5)),
      signal: AbortSignal.any([stopping.signal, giveUp.signal]),
    })
    if (!answer.ok) return afterFailure(answer.failure, version)
    observe({ type: 'watching' })

    let reached = version
    let stalled = false
    const stall = setTimeout(() => {
      stalled = true
      giveUp.abort()
    }, stallMs)
    try {
      for await (const event of answer.value) {
        stall.refresh()
        if (event.type === 'ERROR') return await afterFailure(event.failure, reached)
        reached = take(event) ?? reached
        latest = reached
        failures = 0
      }
    } catch (cause) {
      if (stopping.signal.aborted) return reached
      if (!stalled) return await afterFailure(fromException(`watch ${resource.plural}`, cause, false), reached)
      observe({ type: 'stalled' })
      return reached
    } finally {
      clearTimeout(stall)
      giveUp.abort()
    }
    if (performance.now() - opened < SHORT_LIFE_MS) {
      await fail({
        reason: 'Unavailable',
        message: `cannot watch ${resource.plural}: the API server ended the watch at once`,
      })
    } else observe({ type: 'ended' })
    return reached
  }

  function take(event: Exclude<WatchEvent<T>, { type: 'ERROR' }>): string | undefined {
    if (event.type === 'BOOKMARK') return event.resourceVersion
    const touched = event.type === 'DELETED' ? objects.delete(keyOf(event.object.metadata)) : put(event.object, objects)
    if (touched) changed()
    return event.object.metadata.resourceVersion
  }

  async function afterFailure(failure: Failure, reached: string): Promise<string | undefined> {
    if (failure.reason === 'Gone') {
      observe({ type: 'expired' })
      return undefined
    }
    await fail(failure)
    if (failure.reason === 'Unreachable') return reached
    // Perhaps it is our resourceVersion that the server cannot serve: of a database since restored, or not a number to it.
    return failure.reason === 'Unavailable' && failures < DOUBTFUL_FAILURES ? reached : undefined
  }

  async function fail(failure: Failure) {
    if (stopping.signal.aborted) return
    failures += 1
    const asked = (failure.retryAfterSeconds ?? 0) * 1_000
    const retryMs = Math.max(asked, backoff(failures, random(), backoffOptions))
    observe({ type: 'failed', failure, attempt: failures, retryMs })
    await pause(retryMs, stopping.signal)
  }

  async function run() {
    let version: string | undefined
    while (!stopping.signal.aborted)
      version = await (version === undefined ? relist() : follow(version)).catch(misunderstood)
  }

  /** Whoever is behind the address may say anything: it costs this informer a try, and nobody else. */
  async function misunderstood(cause: unknown): Promise<undefined> {
    const message = `cannot read ${resource.plural}: the answer is not what an API server says`
    await fail({ reason: 'Unavailable', message, cause })
  }

  const finished = run()
  const store = () => {
    snapshot ??= new Map(objects)
    return snapshot
  }

  return {
    resource,
    hasSynced: () => isSynced,
    synced: () => synced.promise,
    store,
    list: () => [...store().values()],
    get: (namespace, name) => objects.get(keyOf({ namespace, name })),
    reached: () => latest,
    onChange: (callback) => {
      listeners.add(callback)
      return () => listeners.delete(callback)
    },
    stop: async () => {
      stopping.abort()
      synced.resolve()
      await finished
    },
  }
}

function withoutManagedFields<T extends KubeObject>(object: T): T {
  const { managedFields: _, ...metadata } = object.metadata as T['metadata'] & { managedFields?: unknown }
  return { ...object, metadata }
}

function sameVersions(a: ReadonlyMap<string, KubeObject>, b: ReadonlyMap<string, KubeObject>): boolean {
  if (a.size !== b.size) return false
  for (const [key, object] of a) {
    const other = b.get(key)
    if (other === undefined || other.metadata.resourceVersion !== object.metadata.resourceVersion) return false
  }
  return true
}
