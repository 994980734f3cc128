import { isDeepStrictEqual } from 'node:util'
import { format, levelOf } from '../../api/diagnostics.ts'
import type { Issue } from '../../api/issue.ts'
import { GATEWAY_CONFIGMAP } from '../../api/names.ts'
import type { ServiceImport } from '../../api/service-import.ts'
import type { Recorder } from '../../kube/events.ts'
import { informerLog } from '../../kube/informer-log.ts'
import { startPasses } from '../../kube/passes.ts'
import { compile } from '../compile.ts'
import { scopesOf } from '../scope.ts'
import type { MeshSettings } from '../snapshot.ts'
import type { GatewayTable, Tables, Trust } from '../tables.ts'
import { auditMesh, auditSidecars } from './audit.ts'
import { carryOut, describeAction } from './carry-out.ts'
import { createRenderer, desire } from './desired.ts'
import { explicitNamespaces } from './explicit.ts'
import { firstEnd, servedUntil } from './linger.ts'
import { type Components, isComponent, mountsIn, staleNudges } from './nudge.ts'
import { type NudgerOptions, startNudger } from './nudger.ts'
import { takenNames } from './objects.ts'
import { nextWord, type Patient, withPatience } from './patience.ts'
import { type Action, plan, tableHolders } from './plan.ts'
import { isOver, type MeshPod } from './pods.ts'
import { watchProxies } from './proxies.ts'
import { readersIn, withoutIdentity } from './readers.ts'
import { createReporter, type Finding } from './report.ts'
import { startSources } from './sources.ts'
import { type Withdrawn, withdrawnSince } from './withdrawn.ts'

export interface ControllerOptions extends NudgerOptions {
  readonly mesh: MeshSettings
  /** Portolan's own. */
  readonly namespace: string
  readonly meshConfig: { readonly namespace: string; readonly name: string }
  readonly recorder: Recorder
  readonly components?: Components
  /** Proxies have an identity: the words about it are read. */
  readonly mtls?: boolean
  /** How long gateways serve on what nobody asks for any more, and sidecars the addresses of imports that are gone; default 30. */
  readonly gatewayLingerSeconds?: number
  /** How long an export may be without ready pods before it is told; default 30. */
  readonly patienceSeconds?: number
  readonly auditMs?: number
  /** Where sidecars answer /stats. */
  readonly statsPort?: number
}

export interface Controller {
  /** Names of what has not been listed yet; empty = ready. */
  readonly missing: () => readonly string[]
  /** Something outside the cluster's objects changed, as leadership does. */
  readonly touch: () => void
  readonly stop: () => Promise<void>
}

/** Longer than any gateway takes to read what was written. */
const GATEWAY_MEMORY_MS = 120_000
const GATEWAY_MEMORY = 32

/** Those of `names` that are not among `members`, sorted, each once. */
function outside(members: readonly string[], names: readonly string[]): readonly string[] {
  const inside = new Set(members)
  return [...new Set(names)].filter((name) => !inside.has(name)).toSorted()
}

/** When something has been served on for long enough, in milliseconds since 1970. */
const nextEndOf = ({ routes }: GatewayTable, withdrawn: readonly Withdrawn[]): number =>
  Math.min(firstEnd(routes) ?? Number.POSITIVE_INFINITY, ...withdrawn.map(({ until }) => until))

/** Keeps what the compiler writes equal to what it decides, for as long as it leads. */
export function startController(options: ControllerOptions): Controller {
  const { client, mesh, namespace, isLeader, metrics, log } = options
  const {
    components = { gateway: 'gateway', egress: 'egress', dns: 'dns' },
    auditMs = 20_000,
    gatewayLingerSeconds = 30,
    patienceSeconds = 30,
  } = options
  const passes = startPasses(reconcile, {
    quietMs: 50,
    mostMs: 250,
    restedMs: 500,
    everyMs: auditMs,
    retry: { firstMs: 500, mostMs: 30_000 },
    onError: (err) => log.error({ err }, 'a pass failed'),
  })

  let place = { namespace, clusterKey: mesh.clusterKey }
  let renderer = createRenderer(place)
  let tables: Tables | undefined
  /** The last that could be read. */
  let trusted: Trust | undefined
  /** What `tables` were compiled from has changed since. */
  let stale = true
  /** Namespaces that have left the mesh, sidecars in them not yet. */
  let leaving: readonly string[] = []
  /** Namespaces where sidecars are asked by name. */
  let explicit: readonly string[] = []
  let recentGateways: readonly { readonly table: GatewayTable; readonly at: number }[] = []
  let nextEnd: NodeJS.Timeout | undefined
  let imports: readonly ServiceImport[] = []
  let withdrawn: readonly Withdrawn[] = []
  let untold: Patient['since'] = new Map()
  let nextTelling: NodeJS.Timeout | undefined

  const sources = startSources({
    client,
    mesh,
    namespace,
    meshConfig: options.meshConfig,
    mtls: options.mtls ?? false,
    observe: informerLog(metrics.informerEvents, log),
    onInput: () => {
      stale = true
      passes.touch()
    },
    onOther: passes.touch,
  })
  const { statsPort } = options
  const proxies = watchProxies({ onChange: passes.touch, log, ...(statsPort === undefined ? {} : { statsPort }) })
  const roleOf = (pod: MeshPod) =>
    (['gateway', 'egress'] as const).find((role) => isComponent(pod, namespace, components[role]))
  const reporter = createReporter(options)
  const nudger = startNudger(options)

  async function reconcile(): Promise<number> {
    const members = scopesOf({ mesh, namespaces: [...sources.namespaces().values()] }).map(({ namespace }) => namespace)
    const observed = sources.observed()
    const left = outside(members, [...leaving, ...tableHolders(observed)])
    sources.followPods([...members, ...left])
    const waiting = sources.missing()
    if (!isLeader()) {
      proxies.rest()
      nudger.set([])
      reporter.rest()
      return 0
    }
    if (waiting.length > 0) return 0

    const started = performance.now()
    const stay = left.filter(sources.mayHaveSidecars)
    if (!isDeepStrictEqual(stay, leaving)) {
      leaving = stay
      stale = true
    }
    const told = explicitNamespaces(sources.namespaces().values(), sources.meshConfig()?.spec, sources.pods())
    if (!isDeepStrictEqual(told, explicit)) {
      explicit = told
      stale = true
    }
    const identity = sources.identity()
    if (identity.clusterKey !== place.clusterKey) {
      log.info({ clusterKey: identity.clusterKey, before: place.clusterKey }, 'this cluster has another key now')
      place = { namespace, clusterKey: identity.clusterKey }
      renderer = createRenderer(place)
    }
    const { trust, issues: doubts } = sources.trust(trusted)
    trusted = trust
    if (trust === undefined && doubts.length > 0) {
      // Without it, calls that are authenticated now would be made in plain HTTP.
      for (const issue of doubts) log.error({ code: issue.code }, format(issue))
      return 0
    }
    const now = Date.now()
    if (tables === undefined || stale || nextEndOf(tables.gateway, withdrawn) <= now) {
      // What gateways read counts, whoever wrote it: it knows of withdrawals before this process began.
      const gateway = observed.tables.get(`${namespace}/${GATEWAY_CONFIGMAP}`)?.gateway?.table ?? tables?.gateway
      const served = servedUntil(gateway?.routes ?? [], now, gatewayLingerSeconds)
      const snapshot = sources.snapshot()
      withdrawn = withdrawnSince({ imports, withdrawn }, snapshot.imports, now, gatewayLingerSeconds)
      imports = snapshot.imports
      const held = withdrawn.map(({ object }) => object)
      tables = compile({ ...snapshot, explicit, ...(trust ? { trust } : {}), leaving, served, withdrawn: held }, tables)
      stale = false
      nextEnd = waitFor(nextEnd, nextEndOf(tables.gateway, withdrawn), now)
    }
    const pods = sources.pods().filter((pod) => !isOver(pod))
    const { statuses, since } = withPatience(tables.statuses, observed, untold, now, patienceSeconds)
    untold = since
    nextTelling = waitFor(nextTelling, nextWord(untold, patienceSeconds), now)
    const { desired, refusals } = desire({
      tables: { ...tables, statuses },
      observed,
      place,
      renderer,
      recentGateways: recentGateways.map(({ table }) => table),
      readersOf: readersIn(pods, sources.knowsPods),
      judge: proxies.judge(tables, pods, roleOf),
    })
    const actions = plan(desired, observed, new Date().toISOString().replace(/\.\d+/, ''))
    metrics.compileSeconds.observe((performance.now() - started) / 1_000)

    const isStatus = (action: Action) => action.do === 'applyStatus'
    const failedTables = await write(actions.filter((action) => !isStatus(action)))
    rememberGateway(tables.gateway)
    // Traffic waits for tables, not for what is said about them.
    nudger.set(staleNudges(pods, mountsIn(sources.observed().tables, { namespace, ...components }), proxies.triesOf))
    const failedStatuses = await write(actions.filter(isStatus))
    const uidOfService = ({ object }: Issue) =>
      observed.objects.Service?.get(`${object.namespace}/${object.name}`)?.metadata.uid
    const uidOf = ({ object }: Issue) => observed.tables.get(`${object.namespace}/${object.name}`)?.metadata.uid
    reporter.report(tables, desired, [
      ...(identity.issue === undefined ? [] : [{ issue: identity.issue, uid: identity.uid }]),
      ...tables.issues
        .filter(({ object }) => object.kind === 'TrafficTarget')
        .map((issue) => ({ issue, uid: sources.uidOfTarget(issue.object) })),
      ...tables.issues.filter(isOfService).map((issue) => ({ issue, uid: uidOfService(issue) })),
      ...[...doubts, ...sources.accessIssues()].map((issue) => ({ issue, uid: undefined })),
      ...refusals.map((issue) => ({ issue, uid: uidOf(issue) })),
      ...takenNames(desired.objects, observed),
      ...audit(pods),
      ...(trust ? withoutIdentity(pods).map(({ pod, issue }) => ({ issue, uid: pod.metadata.uid })) : []),
    ])
    return failedTables + failedStatuses
  }

  /** A Service has no status of ours that could say it. */
  const isOfService = (issue: Issue) => issue.object.kind === 'Service' && levelOf(issue) !== 'info'

  const write = (actions: readonly Action[]): Promise<number> =>
    carryOut(actions, {
      client,
      mayWrite: isLeader,
      onDone: (action, written) => {
        if (written !== undefined) sources.written(written)
        if (action.do === 'applyStatus') reporter.status(action)
        metrics.writes.inc({ action: action.do, result: 'ok' })
        log.info({ action: action.do, ...describeAction(action) }, 'written')
      },
      onFailure: (action, failure) => {
        metrics.writes.inc({ action: action.do, result: failure.reason })
        log.warn({ action: action.do, ...describeAction(action), reason: failure.reason }, failure.message)
      },
    })

  function waitFor(before: NodeJS.Timeout | undefined, end: number, now: number) {
    clearTimeout(before)
    return Number.isFinite(end) ? setTimeout(passes.touch, end - now) : undefined
  }

  function rememberGateway(table: GatewayTable) {
    const now = performance.now()
    const fresh = recentGateways.filter(({ at }) => now - at < GATEWAY_MEMORY_MS)
    const others = fresh.filter((recent) => recent.table.version !== table.version)
    recentGateways = [...others, { table, at: now }].slice(-GATEWAY_MEMORY)
  }

  function audit(pods: readonly MeshPod[]): readonly Finding[] {
    const missing = auditSidecars(pods, sources.namespaces(), auditMesh(mesh, namespace, sources.meshConfig()))
    metrics.sidecarsMissing.reset()
    for (const { pod } of missing) metrics.sidecarsMissing.inc({ namespace: pod.metadata.namespace ?? '' })
    return missing.map(({ pod, issue }) => ({ issue, uid: pod.metadata.uid }))
  }

  return {
    missing: sources.missing,
    touch: passes.touch,
    stop: async () => {
      await passes.stop()
      for (const timer of [nextEnd, nextTelling]) clearTimeout(timer)
      await Promise.all([nudger.stop(), proxies.stop(), sources.stop()])
    },
  }
}
