import { Agent, request } from 'undici'
import type { Connection, Credentials } from './connection.ts'
import { failed, fromAnswer, fromException, ok, type Result } from './failure.ts'
import { apiVersion, collectionPath, type KubeObject, keyOf, objectPath, type Ref, type Resource } from './object.ts'
import { readEvents, type WatchEvent } from './watch.ts'

export interface Scope {
  /** Absent = the whole cluster. */
  readonly namespace?: string | undefined
  readonly labelSelector?: string | undefined
  readonly fieldSelector?: string | undefined
}

export interface Listing<T> {
  readonly items: readonly T[]
  /** Where a watch goes on from. */
  readonly resourceVersion: string
}

export interface ApplyOptions {
  readonly manager: string
  /** Take over fields that another manager owns; default true, as a controller must win over its own past. */
  readonly force?: boolean
  readonly subresource?: 'status'
  readonly dryRun?: boolean
  /** The answer carries apiVersion, kind and metadata alone: for objects too big to be sent back. */
  readonly metadataOnly?: boolean
}

export interface PatchOptions {
  readonly type: 'merge' | 'json'
  readonly body: unknown
  readonly subresource?: 'status'
  readonly manager?: string
  readonly dryRun?: boolean
}

export interface WatchOptions extends Scope {
  readonly resourceVersion: string
  /** The server ends the watch after so long. */
  readonly timeoutSeconds: number
  readonly signal: AbortSignal
}

/** A small port over the Kubernetes REST API. Every call answers with a value; none throws for what a server may say. */
export interface KubeClient {
  get<T extends KubeObject>(resource: Resource<T>, ref: Ref): Promise<Result<T>>
  /** All pages. */
  list<T extends KubeObject>(resource: Resource<T>, scope?: Scope, signal?: AbortSignal): Promise<Result<Listing<T>>>
  create<T extends KubeObject>(resource: Resource<T>, object: Bare<T>): Promise<Result<T>>
  /** Puts the object as a whole; with metadata.resourceVersion only if nobody else changed it. */
  replace<T extends KubeObject>(resource: Resource<T>, object: Bare<T>): Promise<Result<T>>
  /** Server-side apply: only the fields given are ours. */
  apply<T extends KubeObject>(
    resource: Resource<T>,
    object: Partial<T> & Named,
    options: ApplyOptions,
  ): Promise<Result<T>>
  patch<T extends KubeObject>(resource: Resource<T>, ref: Ref, options: PatchOptions): Promise<Result<T>>
  delete(resource: Resource, ref: Ref, preconditions?: Preconditions): Promise<Result<void>>
  watch<T extends KubeObject>(
    resource: Resource<T>,
    options: WatchOptions,
  ): Promise<Result<AsyncIterable<WatchEvent<T>>>>
  /** GET of any path, as text: `/readyz`, `/version`. */
  raw(path: string): Promise<Result<string>>
  /** Ends every request under way. */
  close(): Promise<void>
}

type Named = { readonly metadata: Ref }
/** apiVersion and kind are filled in from the resource. */
export type Bare<T extends KubeObject> = Omit<T, 'apiVersion' | 'kind' | 'metadata'> & {
  readonly metadata: Ref & Partial<T['metadata']>
}
export interface Preconditions {
  readonly uid?: string
  readonly resourceVersion?: string
}

export interface ClientOptions {
  /** For a whole exchange other than a watch; milliseconds. */
  readonly timeoutMs?: number
  /** Objects per page of a list. */
  readonly pageSize?: number
  readonly userAgent?: string
}

const CREDENTIALS_MS = 60_000
const JSON_TYPE = 'application/json'
const METADATA = `${JSON_TYPE};as=PartialObjectMetadata;g=meta.k8s.io;v=v1`

export function createClient(connection: Connection, options: ClientOptions = {}): KubeClient {
  const { timeoutMs = 15_000, pageSize = 500, userAgent = 'portolan' } = options
  const door = openDoor(connection, timeoutMs)

  async function exchange(call: Call): Promise<Result<Answer>> {
    const timeout = AbortSignal.timeout(timeoutMs)
    const signal = call.signal === undefined ? timeout : AbortSignal.any([timeout, call.signal])
    for (let attempt = 1; ; attempt++) {
      try {
        const { agent, headers } = await door.enter()
        const answer = await request(`${connection.server}${call.path}${queryOf(call.query)}`, {
          dispatcher: agent,
          method: call.method,
          headers: { accept: call.accept ?? JSON_TYPE, 'user-agent': userAgent, ...headers, ...bodyHeaders(call) },
          body: call.body === undefined ? null : JSON.stringify(call.body),
          signal,
        })
        const text = await answer.body.text()
        if (answer.statusCode === 401 && attempt === 1) {
          door.doubt()
          continue
        }
        if (answer.statusCode < 300) return ok({ text })
        return failed(fromAnswer(call.what, answer.statusCode, parsed(text), headerOf(answer.headers['retry-after'])))
      } catch (cause) {
        return failed(fromException(call.what, cause, call.signal?.aborted === true))
      }
    }
  }

  async function json<T>(call: Call): Promise<Result<T>> {
    const answer = await exchange(call)
    return answer.ok ? ok(JSON.parse(answer.value.text) as T) : answer
  }

  async function list<T extends KubeObject>(resource: Resource<T>, scope: Scope = {}, signal?: AbortSignal) {
    const items: T[] = []
    for (let token: string | undefined = ''; token !== undefined; ) {
      const page: Result<ListBody<T>> = await json<ListBody<T>>({
        method: 'GET',
        path: collectionPath(resource, scope.namespace),
        query: { ...selectors(scope), limit: pageSize, continue: token || undefined },
        what: `list ${describe(resource, scope)}`,
        signal,
      })
      if (!page.ok) return page
      // Items of a list carry neither apiVersion nor kind; everyone downstream expects both.
      for (const item of page.value.items)
        items.push({ ...item, apiVersion: apiVersion(resource), kind: resource.kind })
      const { resourceVersion } = page.value.metadata
      token = page.value.metadata.continue || undefined
      if (token === undefined) return ok({ items, resourceVersion })
    }
    throw new Error('unreachable: the last page returns')
  }

  async function watch<T extends KubeObject>(resource: Resource<T>, at: WatchOptions) {
    const what = `watch ${describe(resource, at)}`
    const query = {
      ...selectors(at),
      watch: 'true',
      allowWatchBookmarks: 'true',
      resourceVersion: at.resourceVersion,
      timeoutSeconds: at.timeoutSeconds,
    }
    try {
      const { agent, headers } = await door.enter()
      const answer = await request(`${connection.server}${collectionPath(resource, at.namespace)}${queryOf(query)}`, {
        dispatcher: agent,
        headers: { accept: JSON_TYPE, 'user-agent': userAgent, ...headers },
        headersTimeout: timeoutMs,
        // Silence is judged by the informer, who knows of bookmarks.
        bodyTimeout: 0,
        signal: at.signal,
      })
      if (answer.statusCode === 200) return ok(readEvents<T>(answer.body))
      if (answer.statusCode === 401) door.doubt()
      const text = await answer.body.text()
      return failed(fromAnswer(what, answer.statusCode, parsed(text), headerOf(answer.headers['retry-after'])))
    } catch (cause) {
      return failed(fromException(what, cause, at.signal.aborted))
    }
  }

  const whole = <T extends KubeObject>(resource: Resource<T>, object: { readonly metadata: Ref }) => ({
    ...object,
    apiVersion: apiVersion(resource),
    kind: resource.kind,
  })

  return {
    list,
    watch,
    get: (resource, ref) =>
      json({ method: 'GET', path: objectPath(resource, ref), what: `get ${name(resource, ref)}` }),
    create: (resource, object) =>
      json({
        method: 'POST',
        path: collectionPath(resource, object.metadata.namespace),
        body: whole(resource, object),
        what: `create ${name(resource, object.metadata)}`,
      }),
    replace: (resource, object) =>
      json({
        method: 'PUT',
        path: objectPath(resource, object.metadata),
        body: whole(resource, object),
        what: `replace ${name(resource, object.metadata)}`,
      }),
    apply: (resource, object, { manager, force = true, subresource, dryRun, metadataOnly = false }) =>
      json({
        method: 'PATCH',
        path: objectPath(resource, object.metadata, subresource),
        query: { fieldManager: manager, force: String(force), dryRun: dryRun ? 'All' : undefined },
        body: whole(resource, object),
        contentType: 'application/apply-patch+yaml',
        ...(metadataOnly ? { accept: METADATA } : {}),
        what: `apply ${subresource === undefined ? '' : `the ${subresource} of `}${name(resource, object.metadata)}`,
      }),
    patch: (resource, ref, { type, body, subresource, manager, dryRun }) =>
      json({
        method: 'PATCH',
        path: objectPath(resource, ref, subresource),
        query: { fieldManager: manager, dryRun: dryRun ? 'All' : undefined },
        body,
        contentType: type === 'json' ? 'application/json-patch+json' : 'application/merge-patch+json',
        what: `patch ${name(resource, ref)}`,
      }),
    delete: async (resource, ref, preconditions) => {
      const gone = await exchange({
        method: 'DELETE',
        path: objectPath(resource, ref),
        body: preconditions === undefined ? undefined : { apiVersion: 'v1', kind: 'DeleteOptions', preconditions },
        what: `delete ${name(resource, ref)}`,
      })
      return gone.ok ? ok(undefined) : gone
    },
    raw: async (path) => {
      const answer = await exchange({ method: 'GET', path, what: `get ${path}` })
      return answer.ok ? ok(answer.value.text) : answer
    },
    close: () => door.close(),
  }
}

interface Call {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  readonly path: string
  readonly query?: Query
  readonly body?: unknown
  readonly contentType?: string
  readonly accept?: string
  /** Verb and object, for sentences. */
  readonly what: string
  readonly signal?: AbortSignal | undefined
}

interface Answer {
  readonly text: string
}

interface ListBody<T> {
  readonly metadata: { readonly resourceVersion: string; readonly continue?: string }
  readonly items: readonly T[]
}

type Query = Readonly<Record<string, string | number | undefined>>

/** Keeps one Agent for as long as the TLS material stays the same, and reads the credentials again once a minute. */
function openDoor(connection: Connection, timeoutMs: number) {
  interface Entry {
    readonly agent: Agent
    readonly credentials: Credentials
  }
  let entry: Promise<Entry> | undefined
  let readAt = 0

  async function renew(before: Promise<Entry> | undefined): Promise<Entry> {
    const old = await before?.catch(() => undefined)
    const credentials = await connection.credentials()
    if (old !== undefined && sameTls(old.credentials, credentials)) return { agent: old.agent, credentials }
    // Requests under way over the old one end in their own time.
    old?.agent.close().catch(() => undefined)
    return { agent: newAgent(credentials, timeoutMs), credentials }
  }

  return {
    enter: async () => {
      if (entry === undefined || performance.now() - readAt > CREDENTIALS_MS) {
        readAt = performance.now()
        entry = renew(entry)
        entry.catch(() => {
          entry = undefined
        })
      }
      const { agent, credentials } = await entry
      return { agent, headers: credentials.headers }
    },
    /** The credentials were not accepted: read them again for the next request. */
    doubt: () => {
      readAt = Number.NEGATIVE_INFINITY
    },
    close: async () => {
      const open = await entry?.catch(() => undefined)
      await open?.agent.destroy()
    },
  }
}

function newAgent({ tls }: Credentials, timeoutMs: number): Agent {
  return new Agent({
    // Over HTTP/1.1 every watch has a socket of its own, so giving up a silent one cannot leave the next on the same dead line.
    allowH2: false,
    // A request that waits for its connection is deaf to its own signal.
    connect: { ...tls, allowH2: false, timeout: Math.min(timeoutMs, 10_000) },
    keepAliveTimeout: 30_000,
  })
}

const sameTls = (a: Credentials, b: Credentials): boolean =>
  String(a.tls.ca) === String(b.tls.ca) &&
  String(a.tls.cert) === String(b.tls.cert) &&
  String(a.tls.key) === String(b.tls.key)

function selectors(scope: Scope): Query {
  return { labelSelector: scope.labelSelector, fieldSelector: scope.fieldSelector }
}

function queryOf(query: Query = {}): string {
  const search = new URLSearchParams()
  for (const [key, value] of Object.entries(query)) if (value !== undefined) search.set(key, String(value))
  return search.size === 0 ? '' : `?${search}`
}

const bodyHeaders = (call: Call): Record<string, string> =>
  call.body === undefined ? {} : { 'content-type': call.contentType ?? JSON_TYPE }

const headerOf = (value: string | string[] | undefined): string | undefined => (Array.isArray(value) ? value[0] : value)

const name = (resource: Resource, ref: Ref): string => `${resource.kind} ${keyOf(ref)}`

const describe = (resource: Resource, scope: Scope): string =>
  scope.namespace === undefined ? resource.plural : `${resource.plural} of namespace ${scope.namespace}`

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
