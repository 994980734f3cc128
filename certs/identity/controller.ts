import { X509Certificate } from 'node:crypto'
import type { Logger } from 'pino'
import { format, formatProblem } from '../../api/diagnostics.ts'
import { BUNDLE_KEY, identityKeys } from '../../api/identity.ts'
import type { Issue } from '../../api/issue.ts'
import { CA_SECRET, FIELD_MANAGER, IDENTITY_CONFIGMAP, IDENTITY_SECRET, MANAGED_BY } from '../../api/names.ts'
import { CONFIGMAPS, type ConfigMap, SECRETS, type Secret } from '../../api/resources.ts'
import type { KubeClient } from '../../kube/client.ts'
import type { Recorder } from '../../kube/events.ts'
import type { Failure, Result } from '../../kube/failure.ts'
import { informerLog } from '../../kube/informer-log.ts'
import type { KubeObject } from '../../kube/object.ts'
import { startPasses } from '../../kube/passes.ts'
import { inParallel } from '../../kube/pool.ts'
import { issueIdentity, issueRoot } from '../issue.ts'
import { type DomainRecord, planDomain } from './domain.ts'
import { lackingIn } from './held.ts'
import { type Demand, type LeafAction, type LeafFact, planLeaves } from './leaves.ts'
import type { Metrics } from './metrics.ts'
import { FORCE_ANNOTATION, publication, publishedRoots, ROLL_ANNOTATION, SOURCE_KEY, toldPhases } from './published.ts'
import { type RootState, readRoots, rootOf, type StoredRoot, writeRoots } from './root-secret.ts'
import { after, candidateOf, lostPhase, planRoots, type RootAction, signerOf } from './roots.ts'
import { readOffered } from './source.ts'
import { startSources } from './sources.ts'

export interface ControllerOptions {
  readonly client: KubeClient
  /** Portolan's own. */
  readonly namespace: string
  readonly meshName: string
  readonly clusterKey: string
  /** Counts where the hub says nothing. */
  readonly trustDomain: string
  /** Name of the Secret that the roots come from, in `namespace`; absent = they are made here. */
  readonly caSecret?: string
  readonly lives: IdentityLives
  readonly isLeader: () => boolean
  readonly recorder: Recorder
  readonly metrics: Metrics
  readonly log: Logger
  /** Milliseconds since the epoch. */
  readonly now: () => number
}

export interface IdentityLives {
  readonly rootMs: number
  readonly leafMs: number
  /** How long others are given to read what is new. */
  readonly settleMs: number
}

export interface Controller {
  /** Names of what has not been listed yet; empty = ready. */
  readonly missing: () => readonly string[]
  readonly touch: () => void
  readonly stop: () => Promise<void>
}

/** After so many steps in a row something is wrong; go on at the next pass. */
const MOST_STEPS = 16
/** Timers cannot wait longer. */
const LONGEST_WAIT_MS = 86_400_000
const LEAST_WAIT_MS = 100
const NAMESPACES_AT_ONCE = 4

/** Keeps roots, their publication and the leaves of all service accounts as the plans say, for as long as it leads. */
export function startController(options: ControllerOptions): Controller {
  const { client, namespace, caSecret, lives, isLeader, recorder, metrics, log, now } = options
  const caRef = { namespace, name: CA_SECRET }
  const publishedRef = { namespace, name: IDENTITY_CONFIGMAP }
  const passes = startPasses(reconcile, {
    quietMs: 50,
    mostMs: 250,
    restedMs: 500,
    everyMs: 60_000,
    retry: { firstMs: 500, mostMs: 30_000 },
    onError: (err) => log.error({ err }, 'a pass failed'),
  })
  const sources = startSources({
    ...options,
    observe: informerLog(metrics.informerEvents, log),
    onChange: passes.touch,
  })
  const signers = new WeakMap<LeafFact, string>()
  let timer: NodeJS.Timeout | undefined
  let told: ReadonlySet<string> = new Set()

  async function reconcile(): Promise<number> {
    if (!isLeader()) {
      rest()
      return 0
    }
    if (sources.missing().length > 0) return 0
    const demands = sources.demands()
    if (demands === undefined) return 0

    const state = await settleRoots()
    if (state === undefined) return 1
    const { actions, until } = planLeaves({
      now: now(),
      trustDomain: state.domain.issued,
      demands,
      secrets: sources.identities(),
      signer: signerOf(state.roots, now()),
      rootOf: signerAmong(state.roots),
    })
    const failures = await writeLeaves(actions, state.roots)
    report(state, demands)
    wake(Math.min(until, state.until))
    return failures
  }

  /** Takes roots and their publication as far as they go now. Returns nothing when a write failed. */
  async function settleRoots() {
    for (let step = 0; step < MOST_STEPS; step++) {
      const secret = sources.ca()
      const { roots: stored, domain: before } = readRoots(secret, now())
      const roots = [...stored, ...orphans(stored)]
      const domain = planDomain(now(), before, sources.cluster().trustDomain, strangers(before), lives.settleMs)
      const lacking = lackingIn(sources.trust(), sources.cluster().clusterKey)
      if (roots.length > 0 && !(await publish(roots, domain, lacking))) return undefined

      const annotations = sources.published()?.metadata.annotations
      const source = offered()
      const action = planRoots(now(), roots, {
        published: new Set(publishedRoots(sources.published()).map(({ fingerprint }) => fingerprint)),
        inUse: inUse(roots),
        lacking,
        rollAfter: annotations?.[ROLL_ANNOTATION],
        force: annotations?.[FORCE_ANNOTATION],
        ...(caSecret === undefined ? {} : { offered: { id: source?.id } }),
        settleMs: lives.settleMs,
      })
      const isDone = action.do === 'wait'
      const following = isDone ? roots : await performed(action, roots, source)
      const state = { roots: following, domain }
      const isSame = isDone && roots.length === stored.length && JSON.stringify(before) === JSON.stringify(domain)
      if (!isSame && !(await keep(secret, state))) return undefined
      if (isDone) return { ...state, until: Math.min(action.until, domainDue(domain)) }
      log.info(action.do === 'add' ? { do: 'add', id: following.at(-1)?.id } : action, 'roots')
    }
    log.error('the plan for the roots does not come to rest')
    return undefined
  }

  const domainDue = ({ since }: DomainRecord): number =>
    since === undefined ? Number.POSITIVE_INFINITY : since + lives.settleMs

  async function performed(
    action: Exclude<RootAction, { do: 'wait' }>,
    roots: readonly StoredRoot[],
    source: StoredRoot | undefined,
  ): Promise<readonly StoredRoot[]> {
    if (action.do === 'add') {
      if (source !== undefined) return [...roots, source]
      const commonName = sources.cluster().trustDomain.slice(0, 64)
      return [...roots, rootOf(await issueRoot({ commonName, now: now(), lifeMs: lives.rootMs }), now())]
    }
    return after(roots, action, now()) as readonly StoredRoot[]
  }

  /** The root that somebody else has made for us. */
  function offered(): StoredRoot | undefined {
    if (caSecret === undefined) return undefined
    const read = readOffered(sources.offered())
    return read.ok ? rootOf(read.pair, now()) : undefined
  }

  const next = (roots: readonly StoredRoot[]) =>
    candidateOf(roots, now(), caSecret === undefined ? undefined : { id: offered()?.id })

  /** Roots whose key is lost, but which leaves that are about still need: others must go on to trust them. */
  function orphans(stored: readonly StoredRoot[]): readonly StoredRoot[] {
    const known = new Set(stored.map(({ id }) => id))
    const lost = publishedRoots(sources.published())
      .map(({ der }) => rootOf({ cert: pemOf(der) }, now()))
      .filter(({ id, notAfter }) => !known.has(id) && notAfter > now())
    if (lost.length === 0) return []
    const used = inUse(lost)
    const told = toldPhases(sources.published())
    return lost.flatMap((root) => {
      const phase = lostPhase(told.get(root.id), used.has(root.id), now(), lives.settleMs)
      return phase === undefined ? [] : [{ ...root, ...phase }]
    })
  }

  const leaves = (): readonly LeafFact[] =>
    [...sources.identities().values()].flatMap(({ ours, leaves }) => (ours ? [...leaves.values()] : []))

  /** The root that has signed a leaf, remembered as long as the leaf. */
  const signerAmong = (roots: readonly StoredRoot[]) => {
    const byId = new Map(roots.map((root) => [root.id, root]))
    return (leaf: LeafFact): string | undefined => {
      const known = signers.get(leaf)
      if (known !== undefined) return byId.has(known) ? known : undefined
      const found = roots.find(({ cert }) => isSignedBy(leaf.certificate, cert))?.id
      if (found !== undefined) signers.set(leaf, found)
      return found
    }
  }

  function inUse(roots: readonly StoredRoot[]): ReadonlySet<string> {
    const signer = signerAmong(roots)
    return new Set(
      leaves()
        .filter(({ notAfter }) => notAfter > now())
        .flatMap((leaf) => signer(leaf) ?? []),
    )
  }

  const strangers = (domain: DomainRecord | undefined): boolean =>
    domain !== undefined && leaves().some(({ id }) => !id.startsWith(`spiffe://${domain.issued}/`))

  /** Whoever writes first wins; the other reads what is there and plans anew. */
  async function keep(before: Secret | undefined, state: RootState): Promise<boolean> {
    const data = writeRoots(state)
    return wrote(
      'keepRoots',
      before === undefined
        ? await client.create(SECRETS, { metadata: { ...caRef, labels: MANAGED_BY }, type: 'Opaque', data })
        : await client.replace(SECRETS, { ...before, data }),
    )
  }

  async function publish(
    roots: readonly StoredRoot[],
    domain: DomainRecord,
    lacking: (id: string) => readonly string[],
  ): Promise<boolean> {
    const there = sources.published()
    const candidate = next(roots)
    const signsFrom =
      candidate?.phase === 'trusted' ? { signsFrom: new Date(candidate.since + lives.settleMs).toISOString() } : {}
    const data = publication(
      domain.published,
      roots,
      ({ id }) => (id === candidate?.id && roots.length > 1 ? { waitingFor: lacking(id), ...signsFrom } : {}),
      there,
      caSecret,
    )
    const keys = [...Object.keys(data), SOURCE_KEY]
    if (there !== undefined && keys.every((key) => there.data?.[key] === data[key])) return true
    const object = { metadata: { ...publishedRef, labels: MANAGED_BY }, data }
    const written = await client.apply<ConfigMap>(CONFIGMAPS, object, { manager: FIELD_MANAGER.identity })
    if (written.ok) log.info({ number: JSON.parse(data[BUNDLE_KEY] ?? '{}').sequence_number }, 'roots published')
    return wrote('publish', written)
  }

  async function writeLeaves(actions: readonly LeafAction[], roots: readonly StoredRoot[]): Promise<number> {
    const signer = roots.find(({ id }) => id === signerOf(roots, now())?.id)
    const done = await inParallel(
      actions,
      NAMESPACES_AT_ONCE,
      async (action) => !isLeader() || (await writeNamespace(action, signer)),
    )
    return done.filter((isWritten) => !isWritten).length
  }

  async function writeNamespace(action: LeafAction, signer: StoredRoot | undefined): Promise<boolean> {
    const { namespace: where, issue, remove, all } = action
    const secret = sources.identities().get(where)
    const ref = { namespace: where, name: IDENTITY_SECRET }
    const uid = secret?.metadata.uid ?? ''
    if (all) {
      log.info({ namespace: where }, 'identities removed')
      const gone = await client.delete(SECRETS, ref, { uid })
      return wrote('removeLeaves', gone.ok ? { ok: true, value: undefined } : gone)
    }
    const data: Record<string, string | null> = Object.fromEntries(remove.map((key) => [key, null]))
    for (const { serviceAccount, id } of issue) {
      if (signer?.key === undefined) return false
      const root = { cert: signer.cert, key: signer.key }
      const pair = await issueIdentity({ root, id, now: now(), lifeMs: lives.leafMs })
      const keys = identityKeys(serviceAccount)
      data[keys.cert] = Buffer.from(pair.cert).toString('base64')
      data[keys.key] = Buffer.from(pair.key).toString('base64')
    }
    const manager = FIELD_MANAGER.identity
    const written = wrote(
      'writeLeaves',
      secret === undefined
        ? await client.apply<KubeObject>(
            SECRETS,
            { metadata: { ...ref, labels: MANAGED_BY }, type: 'Opaque', data } as never,
            { manager },
          )
        : await client.patch<KubeObject>(SECRETS, ref, { type: 'merge', body: { metadata: { uid }, data }, manager }),
    )
    if (!written) return false
    for (const { why } of issue) metrics.issued.inc({ why })
    const whys = Object.fromEntries(issue.map(({ serviceAccount, why }) => [serviceAccount, why]))
    log.info({ namespace: where, issued: whys, removed: remove.filter((key) => key.endsWith('.crt')) }, 'identities')
    return true
  }

  /** Counts and tells how a write went. */
  function wrote(action: string, result: Result<KubeObject | undefined>): boolean {
    metrics.writes.inc({ action, result: result.ok ? 'ok' : result.failure.reason })
    if (result.ok) {
      if (result.value !== undefined) sources.written(result.value)
      return true
    }
    const { reason, message } = result.failure
    // Somebody was faster, or the namespace is going: the informers will tell.
    const isExpected = (['Conflict', 'AlreadyExists', 'NotFound'] satisfies Failure['reason'][]).some(
      (each) => each === reason,
    )
    log[isExpected ? 'debug' : 'warn']({ action, reason }, message)
    return false
  }

  function report(state: RootState, demands: readonly Demand[]) {
    const { roots } = state
    metrics.roots.reset()
    for (const { phase } of roots) metrics.roots.inc({ phase })
    const signing = roots.find(({ phase }) => phase === 'signing')
    if (signing !== undefined) metrics.rootExpiry.set(Math.floor(signing.notAfter / 1_000))
    const candidate = next(roots)
    const lacking = lackingIn(sources.trust(), sources.cluster().clusterKey)
    metrics.waitingFor.set(candidate === undefined || roots.length < 2 ? 0 : lacking(candidate.id).length)
    const secrets = sources.identities()
    metrics.leaves.set([...secrets.values()].reduce((total, { ours, leaves }) => total + (ours ? leaves.size : 0), 0))

    const findings = demands.flatMap(
      ({ namespace: where, wanted }): readonly (Issue & { uid: string | undefined })[] => {
        const secret = secrets.get(where)
        if (secret === undefined || secret.ours || wanted.size === 0) return []
        const object = { kind: 'Secret', namespace: where, name: IDENTITY_SECRET }
        return [{ code: 'IdentitySecretForeign', object, path: 'metadata.labels', uid: secret.metadata.uid }]
      },
    )
    metrics.issues.reset()
    for (const { uid, ...issue } of [...findings, ...sourceFindings()]) {
      metrics.issues.inc({ code: issue.code })
      if (!told.has(format(issue))) log.error({ code: issue.code }, format(issue))
      void recorder.record({
        regarding: { apiVersion: 'v1', ...issue.object, ...(uid === undefined ? {} : { uid }) },
        type: 'Warning',
        reason: issue.code,
        note: formatProblem(issue),
        action: 'Issue',
      })
    }
    told = new Set([...findings, ...sourceFindings()].map(({ uid: _, ...issue }) => format(issue)))
  }

  function sourceFindings(): readonly (Issue & { readonly uid: string | undefined })[] {
    if (caSecret === undefined) return []
    const secret = sources.offered()
    const read = readOffered(secret)
    if (read.ok) return []
    const object = { kind: 'Secret', namespace, name: caSecret }
    return [{ code: 'CaSecretUnusable', object, path: 'data', params: { why: read.why }, uid: secret?.metadata.uid }]
  }

  function rest() {
    for (const gauge of [metrics.roots, metrics.leaves, metrics.issues, metrics.waitingFor]) gauge.reset()
    told = new Set()
  }

  function wake(at: number) {
    clearTimeout(timer)
    const forMs = Math.min(Math.max(at - now(), LEAST_WAIT_MS), LONGEST_WAIT_MS)
    timer = setTimeout(passes.touch, forMs)
  }

  return {
    missing: sources.missing,
    touch: passes.touch,
    stop: async () => {
      await passes.stop()
      clearTimeout(timer)
      await sources.stop()
    },
  }
}

const pemOf = (der: string): string => new X509Certificate(Buffer.from(der, 'base64')).toString()

const isSignedBy = (certificate: LeafFact['certificate'], pem: string): boolean => {
  try {
    return certificate.verify(new X509Certificate(pem).publicKey)
  } catch {
    return false
  }
}
