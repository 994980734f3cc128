import type { Logger } from 'pino'
import type { EndpointSlice } from '../../api/core.ts'
import type { ServiceImport } from '../../api/service-import.ts'
import type { Connection } from '../../kube/connection.ts'
import type { Failure } from '../../kube/failure.ts'
import { informerLog } from '../../kube/informer-log.ts'
import { startPasses } from '../../kube/passes.ts'
import type { Action } from './action.ts'
import { carryOut, describeAction } from './carry-out.ts'
import { type Desired, differInStatusesAlone } from './desired.ts'
import { type Health, type Link, type LinkTimes, startLink } from './link.ts'
import type { Metrics } from './metrics.ts'
import { type Observed, observeImport } from './observed.ts'
import { observeCopy } from './observed-slices.ts'
import { createPlanner } from './plan.ts'
import { sliceKey } from './plan-slices.ts'
import { isDefinite } from './reason.ts'
import { createTeller, type Teller } from './tell.ts'

/** How to reach a member. */
export interface Access {
  /** The kubeconfig; the same text is the same access. */
  readonly text: string
  readonly connection: Connection
  /** Portolan's own namespace there. */
  readonly namespace: string
}

export interface MemberOptions {
  /** Name of its Cluster. */
  readonly name: string
  readonly instance: string
  readonly times: LinkTimes
  /** Asked before every write. */
  readonly mayWrite: () => boolean
  readonly metrics: Metrics
  readonly log: Logger
  /** Something about the member has changed. */
  readonly onChange: () => void
}

/** The hub's hand in one cluster. Nothing that happens there holds up any other. */
export interface Member {
  /** Nothing = leave it alone. The old way is closed when the new one works, or never will. */
  readonly connect: (access: Access | undefined) => void
  readonly health: () => Health | undefined
  /** What it held when it was last seen; nothing before its first list. */
  readonly seen: () => Seen | undefined
  /** When it last answered; milliseconds since 1970. */
  readonly lastSeen: () => number | undefined
  /** Whether slices of its own Services are of any use. At first they are not. */
  readonly watchSlices: (wanted: boolean) => void
  /** What it should hold from now on. Nothing = what it holds. */
  readonly want: (desired: Desired | undefined) => void
  /** Whether it was found to hold what was last wanted. */
  readonly isAsWanted: () => boolean
  readonly stop: () => Promise<void>
}

export interface Seen {
  readonly observed: Observed
  /** The access by which it was. */
  readonly access: Access
  /** Which API server it is: uid of namespace kube-system, as soon as that has one. */
  readonly apiServer?: string
}

interface Way {
  readonly access: Access
  readonly link: Link
  readonly tell: Teller
}

export function startMember(options: MemberOptions): Member {
  const { name, times, mayWrite, metrics, onChange } = options
  const log = options.log.child({ cluster: name })
  const passes = startPasses(reconcile, {
    quietMs: 2,
    mostMs: 50,
    everyMs: 20_000,
    retry: { firstMs: 500, mostMs: times.mostRetryMs },
    onError: (err) => log.error({ err }, 'a pass failed'),
  })
  /** What API servers made of what was written: they may say the same in other words. */
  const accepted = new Map<string, { readonly content: string; readonly hash: string }>()
  const plan = createPlanner()
  const stopping: Promise<void>[] = []

  let current: Way | undefined
  /** A newer access, tried beside the current one. */
  let next: Way | undefined
  let seen: Seen | undefined
  let lastSeen: number | undefined
  let slicesWanted = false
  let desired: Desired | undefined
  let fulfilled: Desired | undefined
  /** Kinds of action of the last pass. */
  let tried: ReadonlySet<Action['do']> = new Set()

  function open(access: Access): Way {
    const { connection, namespace } = access
    const link = startLink({
      connection,
      namespace,
      times,
      onContact: () => {
        lastSeen = Date.now()
        metrics.lastContact.set({ cluster: name }, lastSeen / 1_000)
      },
      onChange: changed,
      observe: informerLog(metrics.informerEvents, log),
    })
    link.watchSlices(slicesWanted)
    return { access, link, tell: createTeller({ client: link.client, instance: options.instance, log }) }
  }

  function close(way: Way | undefined) {
    if (way !== undefined) stopping.push(way.link.stop())
  }

  function changed() {
    if (passes.isStopped()) return
    if (next !== undefined) {
      const { trouble } = next.link.health()
      if (next.link.observed() !== undefined || (trouble !== undefined && isDefinite(trouble.code))) {
        close(current)
        current = next
        next = undefined
      }
    }
    passes.touch()
    onChange()
  }

  /** Not at each change: a member that is filled has very many of them. */
  function look(): Observed | undefined {
    const observed = current?.link.observed()
    if (current === undefined || observed === undefined) return undefined
    const apiServer = observed.namespaces.get('kube-system')?.metadata.uid
    seen = { observed, access: current.access, ...(apiServer === undefined ? {} : { apiServer }) }
    return observed
  }

  async function reconcile(): Promise<number> {
    const way = current
    const wanted = desired
    const observed = look()
    if (way === undefined || wanted === undefined || observed === undefined || !mayWrite()) return 0
    const acceptedFor = (key: string, content: string) => {
      const known = accepted.get(key)
      return known?.content === content ? known.hash : undefined
    }
    const planned = plan(wanted, observed, acceptedFor, new Date().toISOString().replace(/\.\d+/, ''))
    const before = fulfilled
    way.tell.issues(planned.issues)
    const kinds = new Set(planned.actions.map((action) => action.do))
    for (const kind of tried) if (!kinds.has(kind)) way.link.wrote(kind, undefined)
    tried = kinds
    const failed = await carryOut(planned.actions, {
      client: way.link.client,
      // What is no longer wanted is not worth waiting for.
      mayWrite: () => mayWrite() && isStillWanted(wanted) && current === way && !passes.isStopped(),
      onDone: (action, written) => {
        if (written !== undefined) way.link.written(written)
        if (action.do === 'applyImport' && written !== undefined) rememberImport(action, written as ServiceImport)
        if (action.do === 'applySlice' && written !== undefined) rememberSlice(action, written as EndpointSlice)
        if (action.do === 'removeImport') accepted.delete(`${action.namespace}/${action.name}`)
        if (action.do === 'removeSlice') accepted.delete(sliceKey(action))
        if (action.do === 'applyStatus') way.tell.status(action)
        way.link.wrote(action.do, undefined)
        metrics.writes.inc({ cluster: name, action: action.do, result: 'ok' })
        log.info({ action: action.do, ...describeAction(action) }, 'written')
      },
      onFailure: (action, failure) => failing(way, action, failure),
    })
    if (planned.actions.length === 0) fulfilled = wanted
    if (planned.actions.length > 0 || fulfilled !== before) onChange()
    return failed
  }

  /** What is to be said of exports changes with every import anywhere: all the same it is said, or it never would be. */
  const isStillWanted = (wanted: Desired): boolean =>
    desired !== undefined && (desired === wanted || differInStatusesAlone(desired, wanted))

  function rememberImport(
    { import: { namespace, name, content } }: Extract<Action, { do: 'applyImport' }>,
    written: ServiceImport,
  ) {
    remember(`${namespace}/${name}`, content, observeImport(written).hash)
  }

  function rememberSlice({ slice }: Extract<Action, { do: 'applySlice' }>, written: EndpointSlice) {
    remember(sliceKey(slice), slice.hash, observeCopy(written).hash)
  }

  function remember(key: string, content: string, hash: string) {
    if (hash === content) accepted.delete(key)
    else accepted.set(key, { content, hash })
  }

  function failing(way: Way, action: Action, failure: Failure) {
    way.link.wrote(action.do, failure)
    metrics.writes.inc({ cluster: name, action: action.do, result: failure.reason })
    log.warn({ action: action.do, ...describeAction(action), reason: failure.reason }, failure.message)
  }

  return {
    connect: (access) => {
      if (access?.text === (next ?? current)?.access.text && access?.namespace === (next ?? current)?.access.namespace)
        return
      close(next)
      next = undefined
      if (access === undefined) {
        close(current)
        current = undefined
      } else if (current?.link.observed() !== undefined && current.link.health().trouble === undefined)
        next = open(access)
      else {
        close(current)
        current = open(access)
      }
    },
    health: () => (next ?? current)?.link.health(),
    seen: () => {
      look()
      return seen
    },
    lastSeen: () => lastSeen,
    watchSlices: (wanted) => {
      if (slicesWanted === wanted) return
      slicesWanted = wanted
      for (const way of [current, next]) way?.link.watchSlices(wanted)
    },
    want: (wanted) => {
      if (desired === wanted) return
      desired = wanted
      passes.touch()
    },
    isAsWanted: () => desired !== undefined && fulfilled === desired,
    stop: async () => {
      const rest = passes.stop()
      close(next)
      close(current)
      metrics.lastContact.remove({ cluster: name })
      await rest
      await Promise.all(stopping)
    },
  }
}
