import type { Logger } from 'pino'
import { type Code, format, formatProblem } from '../../api/diagnostics.ts'
import type { Issue } from '../../api/issue.ts'
import { DNS_CONFIGMAP, GATEWAY_CONFIGMAP, ROUTES_VERSION_ANNOTATION } from '../../api/names.ts'
import { PODS } from '../../api/resources.ts'
import { backoff } from '../../kube/backoff.ts'
import type { KubeClient } from '../../kube/client.ts'
import type { Recorder } from '../../kube/events.ts'
import type { InformerEvent } from '../../kube/informer.ts'
import type { Mesh } from '../../webhook/decision.ts'
import { compile } from '../compile.ts'
import { scopesOf } from '../scope.ts'
import type { MeshSettings } from '../snapshot.ts'
import type { GatewayTable, Tables } from '../tables.ts'
import { auditSidecars } from './audit.ts'
import { carryOut, describeAction } from './carry-out.ts'
import { createRenderer, desire } from './desired.ts'
import type { Metrics } from './metrics.ts'
import { mountOf, type Nudge, staleNudges } from './nudge.ts'
import type { Observed } from './observed.ts'
import { plan } from './plan.ts'
import { hasSidecar, isOver, type MeshPod } from './pods.ts'
import { afterJudging, afterWriting, groupProxies, judge, NOTHING_PROGRAMMED } from './programmed.ts'
import { afterQuiet } from './quiet.ts'
import { startSampler } from './sampler.ts'
import { startSources } from './sources.ts'
import { fullBucket, takeToken } from './tokens.ts'

export interface ControllerOptions {
  readonly client: KubeClient
  readonly mesh: MeshSettings
  /** Portolan's own. */
  readonly namespace: string
  readonly meshConfig: { readonly namespace: string; readonly name: string }
  readonly isLeader: () => boolean
  readonly recorder: Recorder
  readonly metrics: Metrics
  readonly log: Logger
  /** Pods touched per second, and at most at once; absent = pods are not touched. */
  readonly nudge?: { readonly perSecond: number; readonly burst: number }
  /** Label values of Portolan's own pods under `app.kubernetes.io/component`. */
  readonly components?: { readonly gateway: string; readonly dns: string }
  readonly quietMs?: number
  readonly mostMs?: number
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

const COMPONENT = 'app.kubernetes.io/component'
/** Longer than any gateway takes to read what was written. */
const GATEWAY_MEMORY_MS = 120_000
const GATEWAY_MEMORY = 32

/** Keeps what the compiler writes equal to what it decides, for as long as it leads. */
export function startController(options: ControllerOptions): Controller {
  const { client, mesh, namespace, isLeader, recorder, metrics, log } = options
  const { components = { gateway: 'gateway', dns: 'dns' }, auditMs = 20_000 } = options
  const place = { namespace, clusterKey: mesh.clusterKey }
  const renderer = createRenderer(place)
  const soon = afterQuiet(() => void pass(), { quietMs: options.quietMs ?? 50, mostMs: options.mostMs ?? 250 })

  let tables: Tables | undefined
  /** What `tables` were compiled from has changed since. */
  let stale = true
  let programming = NOTHING_PROGRAMMED
  let recentGateways: readonly { readonly table: GatewayTable; readonly at: number }[] = []
  let running: Promise<void> | undefined
  let again = false
  let stopped = false
  let failures = 0
  let retry: NodeJS.Timeout | undefined
  const said = new Set<string>()

  const sources = startSources({
    client,
    mesh,
    namespace,
    meshConfig: options.meshConfig,
    observe: observeInformer,
    onInput: () => {
      stale = true
      soon.touch()
    },
    onOther: soon.touch,
  })
  const sampler = startSampler({
    onChange: soon.touch,
    ...(options.statsPort === undefined ? {} : { port: options.statsPort }),
    onFailure: (ip, cause) => log.debug({ ip, err: cause }, 'a sidecar did not say what it runs'),
  })
  const nudger = startNudger(options)
  // Deadlines pass without an event: what waits for them is looked at now and then.
  const clockwork = setInterval(soon.touch, auditMs)

  /** One pass at a time; what comes meanwhile makes one more. */
  async function pass(): Promise<void> {
    if (running !== undefined) {
      again = true
      return
    }
    running = reconcile()
      .catch((err: unknown) => {
        log.error({ err }, 'a pass failed')
        return 1
      })
      .then((failed) => {
        running = undefined
        if (stopped) return
        failures = failed > 0 ? failures + 1 : 0
        clearTimeout(retry)
        if (failed > 0)
          retry = setTimeout(soon.touch, backoff(failures, Math.random(), { firstMs: 500, mostMs: 30_000 }))
        if (again) soon.touch()
        again = false
      })
    await running
  }

  async function reconcile(): Promise<number> {
    const waiting = sources.missing()
    sources.followPods(
      scopesOf({ mesh, namespaces: [...sources.namespaces().values()] }).map((scope) => scope.namespace),
    )
    if (!isLeader() || waiting.length > 0) return 0

    const started = performance.now()
    const observed = sources.observed()
    if (tables === undefined || stale) {
      stale = false
      tables = compile(sources.snapshot(), tables)
    }
    const pods = sources.pods().filter((pod) => !isOver(pod))
    followProxies(tables, pods)
    const judgement = judging(pods)
    const { desired, refusals } = desire({
      tables,
      observed,
      place,
      renderer,
      recentGateways: recentGateways.map(({ table }) => table),
      judge: judgement.judge,
    })
    programming = afterJudging(programming, judgement.reached)
    const actions = plan(desired, observed, new Date().toISOString().replace(/\.\d+/, ''))
    metrics.compileSeconds.observe((performance.now() - started) / 1_000)

    const failed = await carryOut(actions, {
      client,
      mayWrite: isLeader,
      onDone: (action, written) => {
        if (written !== undefined) sources.written(written)
        metrics.writes.inc({ action: action.do, result: 'ok' })
        log.info({ action: action.do, ...describeAction(action) }, 'written')
      },
      onFailure: (action, failure) => {
        metrics.writes.inc({ action: action.do, result: failure.reason })
        log.warn({ action: action.do, ...describeAction(action), reason: failure.reason }, failure.message)
      },
    })
    rememberGateway(tables.gateway)
    report(tables, refusals)
    audit(pods)
    nudger.set(isLeader() ? staleNudges(pods, mountedIn(sources.observed())) : [])
    return failed
  }

  function followProxies({ sidecars }: Tables, pods: readonly MeshPod[]) {
    const now = performance.now()
    programming = afterWriting(programming, sidecars, now)
    const wanted = new Map(sidecars.map(({ namespace, version }) => [namespace, version]))
    sampler.retarget(
      pods.flatMap(({ metadata, ip, ready, ...pod }) => {
        const version = wanted.get(metadata.namespace ?? '')
        const asks = version !== undefined && ip !== undefined && ready && hasSidecar({ ...pod, metadata, ready })
        return asks ? [{ uid: metadata.uid ?? '', ip, wanted: version }] : []
      }),
    )
  }

  function judging(pods: readonly MeshPod[]) {
    const proxies = groupProxies(
      pods
        .filter((pod) => pod.ready && hasSidecar(pod))
        .map(({ metadata }) => {
          const sample = sampler.sampleOf(metadata.uid ?? '')
          const proxy = { namespace: metadata.namespace ?? '', name: metadata.name }
          return sample === undefined ? proxy : { ...proxy, sample }
        }),
    )
    const now = performance.now()
    const reached = new Set<string>()
    return {
      reached,
      judge: (service: string) => {
        const verdict = judge(service, programming, proxies, now)
        if (verdict?.status === 'True') reached.add(service)
        return verdict
      },
    }
  }

  /** Which ConfigMap a pod mounts, as it is now. */
  function mountedIn(observed: Observed) {
    const own = ({ metadata }: MeshPod) => {
      if (metadata.namespace !== namespace) return undefined
      const component = metadata.labels?.[COMPONENT]
      if (component === components.gateway) return `${namespace}/${GATEWAY_CONFIGMAP}`
      return component === components.dns ? `${namespace}/${DNS_CONFIGMAP}` : undefined
    }
    return (pod: MeshPod) => {
      const key = mountOf(pod, own)
      return key === undefined ? undefined : observed.tables.get(key)
    }
  }

  function rememberGateway(table: GatewayTable) {
    const now = performance.now()
    const fresh = recentGateways.filter(({ at }) => now - at < GATEWAY_MEMORY_MS)
    const others = fresh.filter((recent) => recent.table.version !== table.version)
    recentGateways = [...others, { table, at: now }].slice(-GATEWAY_MEMORY)
  }

  function report({ issues, sidecars }: Tables, refusals: readonly Issue<Code>[]) {
    metrics.issues.reset()
    for (const { code } of [...issues, ...refusals]) metrics.issues.inc({ code })
    metrics.routes.reset()
    for (const { namespace, routes } of sidecars) metrics.routes.set({ namespace }, routes.length)
    for (const refusal of refusals) {
      once(refusal, () => log.error({ code: refusal.code }, format(refusal)))
      const { kind, name, namespace } = refusal.object
      void recorder.record({
        regarding: { apiVersion: 'v1', kind, name, ...(namespace === undefined ? {} : { namespace }) },
        type: 'Warning',
        reason: refusal.code,
        note: formatProblem(refusal),
        action: 'WriteTable',
      })
    }
  }

  function audit(pods: readonly MeshPod[]) {
    const missing = auditSidecars(pods, sources.namespaces(), meshForAudit())
    metrics.sidecarsMissing.reset()
    for (const { pod, issue } of missing) {
      const { name, namespace = '', uid } = pod.metadata
      metrics.sidecarsMissing.inc({ namespace })
      once(issue, () => log.warn({ code: issue.code }, format(issue)))
      void recorder.record({
        regarding: { apiVersion: 'v1', kind: 'Pod', namespace, name, ...(uid === undefined ? {} : { uid }) },
        type: 'Warning',
        reason: issue.code,
        note: formatProblem(issue),
        action: 'Audit',
      })
    }
  }

  function once(issue: Issue, say: () => void) {
    const key = JSON.stringify([issue.code, issue.object, issue.params])
    if (said.has(key)) return
    said.add(key)
    say()
  }

  /** What the webhook decides by. What it would put into the pod plays no part. */
  function meshForAudit(): Mesh {
    const { namespace: inNamespace, name } = options.meshConfig
    return {
      name: mesh.meshName,
      ownNamespace: namespace,
      config: sources.meshConfig()?.spec ?? {},
      configRef: { kind: 'MeshConfig', namespace: inNamespace, name },
      proxyImage: '',
      initImage: '',
      imagePullPolicy: 'IfNotPresent',
      vipRange: mesh.vipRange,
      dns: { nameserver: '', clusterDomain: mesh.clusterDomain, extraSearches: [] },
    }
  }

  function observeInformer(resource: string, event: InformerEvent) {
    const kind = resource.split('/')[0] ?? resource
    metrics.informerEvents.inc({ resource: kind, event: event.type })
    if (event.type !== 'failed') return log.debug({ resource, event: event.type }, 'informer')
    const { failure, attempt, retryMs } = event
    // What goes on failing is repeated ever more rarely.
    const level = Number.isInteger(Math.log2(attempt)) ? 'warn' : 'debug'
    log[level]({ resource, reason: failure.reason, attempt, retryMs }, failure.message)
  }

  return {
    missing: sources.missing,
    touch: soon.touch,
    stop: async () => {
      stopped = true
      soon.cancel()
      clearInterval(clockwork)
      clearTimeout(retry)
      await running
      await Promise.all([nudger.stop(), sampler.stop(), sources.stop()])
    },
  }
}

/** Touches pods one by one, at the pace of a token bucket. */
function startNudger({ client, isLeader, metrics, log, nudge }: ControllerOptions) {
  let queue: readonly Nudge[] = []
  let bucket = fullBucket(nudge?.perSecond ?? 1, nudge?.burst ?? 1, performance.now())
  let timer: NodeJS.Timeout | undefined
  let touching: Promise<void> | undefined
  /** Versions written, until the informer shows them. */
  const told = new Map<string, string>()

  async function step(): Promise<void> {
    const [first, ...rest] = queue
    if (first === undefined || !isLeader()) return
    const { bucket: after, waitMs } = takeToken(bucket, performance.now())
    if (waitMs > 0) {
      timer = setTimeout(work, waitMs)
      return
    }
    bucket = after
    queue = rest
    metrics.nudgesWaiting.set(queue.length)
    await touch(first)
    return step()
  }

  function work() {
    timer = undefined
    touching ??= step().finally(() => {
      touching = undefined
      if (queue.length > 0 && timer === undefined && isLeader()) timer = setTimeout(work, 0)
    })
  }

  async function touch({ namespace, name, uid, version }: Nudge) {
    told.set(uid, version)
    const body = { metadata: { uid, annotations: { [ROUTES_VERSION_ANNOTATION]: version } } }
    const done = await client.patch(PODS, { namespace, name }, { type: 'merge', body })
    if (done.ok) return metrics.nudges.inc()
    told.delete(uid)
    if (done.failure.reason !== 'NotFound' && done.failure.reason !== 'Conflict')
      log.warn({ pod: `${namespace}/${name}`, reason: done.failure.reason }, done.failure.message)
  }

  return {
    set: (stale: readonly Nudge[]) => {
      if (nudge === undefined) return
      const present = new Set(stale.map(({ uid }) => uid))
      for (const uid of told.keys()) if (!present.has(uid)) told.delete(uid)
      queue = stale.filter(({ uid, version }) => told.get(uid) !== version)
      metrics.nudgesWaiting.set(queue.length)
      if (timer === undefined) work()
    },
    stop: async () => {
      queue = []
      clearTimeout(timer)
      await touching
    },
  }
}
