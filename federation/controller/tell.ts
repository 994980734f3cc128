import type { Logger } from 'pino'
import type { Cluster } from '../../api/cluster.ts'
import { type Code, format, formatProblem } from '../../api/diagnostics.ts'
import type { Issue } from '../../api/issue.ts'
import type { Condition } from '../../api/meta.ts'
import { API_VERSION } from '../../api/names.ts'
import type { KubeClient } from '../../kube/client.ts'
import { createRecorder, type Recorder } from '../../kube/events.ts'
import type { Found } from './access.ts'
import type { Action } from './action.ts'
import { trustNews } from './cluster-trust.ts'

export interface TellerOptions {
  readonly client: KubeClient
  readonly instance: string
  readonly log: Logger
}

/** Tells the people of one cluster, by Events there, what the hub found. */
export interface Teller {
  /** All that stands in the way now; each is told once for as long as it stands. */
  readonly issues: (issues: readonly Issue<Code>[]) => void
  /** A status that has been written. */
  readonly status: (action: Extract<Action, { do: 'applyStatus' }>) => void
}

/** Who asks for an Event knows that it is news: only what comes in showers is held back. */
const REPEAT_MS = 5_000

const createHubRecorder = ({ client, instance, log }: TellerOptions): Recorder =>
  createRecorder({
    repeatMs: REPEAT_MS,
    client,
    controller: 'flomesh.io/portolan-federation',
    instance,
    // API servers take Events about objects without a namespace nowhere else.
    defaultNamespace: 'default',
    onFailure: ({ reason, message }) => log.warn({ reason }, message),
  })

export function createTeller(options: TellerOptions): Teller {
  const recorder = createHubRecorder(options)
  let told: ReadonlySet<string> = new Set()
  return {
    issues: (issues) => {
      for (const issue of issues.filter((each) => !told.has(JSON.stringify(each)))) {
        options.log.warn({ code: issue.code }, format(issue))
        const { kind } = issue.object
        const regarding = { apiVersion: kind === 'ServiceImport' ? API_VERSION : 'v1', ...issue.object }
        const note = formatProblem(issue)
        void recorder.record({ regarding, type: 'Warning', reason: issue.code, note, action: 'Import' })
      }
      told = new Set(issues.map((issue) => JSON.stringify(issue)))
    },
    status: ({ apiVersion, namespace, name, uid, before, status, remarks }) => {
      const regarding = { apiVersion, kind: 'ServiceExport', namespace, name, uid }
      for (const { type, reason, note } of newsOf(before as ExportStatus | undefined, status as ExportStatus, remarks))
        void recorder.record({ regarding, type, reason, note, action: 'Export' })
    },
  }
}

interface ExportStatus {
  readonly conditions?: readonly Condition[]
  readonly clusters?: readonly { readonly cluster: string }[]
}

interface News {
  readonly type: 'Normal' | 'Warning'
  readonly reason: string
  readonly note: string
}

/** States that every cluster goes through, or that its owner has chosen; roots are told one by one. */
const UNREMARKABLE: ReadonlySet<string> = new Set<Code>([
  'Connecting',
  'IdentityMissing',
  'TrustDomainPending',
  'RootsKnown',
])

/**
 * What a person would want to know of a change of an export's status: conflicts that begin and end, importers that come
 * and go, and what `Exported` says of it that it did not say before.
 * @param remarks that may be among the latter
 */
export function newsOf(
  before: ExportStatus | undefined,
  after: ExportStatus,
  remarks: readonly Issue<Code>[],
): readonly News[] {
  const find = (status: ExportStatus | undefined, type: string) =>
    status?.conditions?.find((each) => each.type === type)
  const was = find(before, 'Conflict')
  const is = find(after, 'Conflict')
  const [known, now] = [importersOf(before), importersOf(after)]
  const fresh = now.filter((cluster) => !known.includes(cluster))
  const gone = known.filter((cluster) => !now.includes(cluster))
  const [said, says] = [before, after].map((status) => find(status, 'Exported')?.message ?? '')
  return [
    ...(is?.status === 'True' && (was?.status !== 'True' || was.message !== is.message)
      ? [{ type: 'Warning' as const, reason: firstOf(is.reason), note: is.message }]
      : []),
    ...(is !== undefined && is.status !== 'True' && was?.status === 'True'
      ? [{ type: 'Normal' as const, reason: is.reason, note: is.message }]
      : []),
    ...(fresh.length > 0
      ? [{ type: 'Normal' as const, reason: 'Exported', note: `now imported by ${fresh.join(', ')}` }]
      : []),
    ...(gone.length > 0
      ? [{ type: 'Normal' as const, reason: 'Exported', note: `no longer imported by ${gone.join(', ')}` }]
      : []),
    ...remarks
      .map((issue) => ({ type: 'Warning' as const, reason: issue.code, note: formatProblem(issue) }))
      .filter(({ note }) => says?.includes(note) && !said?.includes(note)),
  ]
}

const importersOf = (status: ExportStatus | undefined): readonly string[] =>
  (status?.clusters ?? []).map(({ cluster }) => cluster)

/** The standard joins reasons by commas, to more than an Event's may be long. */
const firstOf = (reason: string): string => reason.split(',')[0] ?? reason

/** Tells the people of the hub about its clusters, by Events there. */
export interface ClusterTeller {
  /** A status that has been written. */
  readonly status: (before: Cluster, after: Cluster) => void
  readonly expiry: (cluster: Cluster, found: Found | undefined) => void
  /** Another API server answers than before. */
  readonly replaced: (name: string) => void
  /** A Cluster of the name is registered. */
  readonly joined: (name: string) => void
  readonly left: (name: string) => void
  readonly leftBehind: (name: string, why: string, secret: string) => void
}

const SOON_MS = 7 * 24 * 3_600_000

export function createClusterTeller(options: TellerOptions): ClusterTeller {
  const recorder = createHubRecorder(options)
  const told = new Map<string, string>()

  function tell(
    regarding: { readonly name: string; readonly uid?: string | undefined },
    issue: Issue<Code>,
    type: News['type'],
  ) {
    const { name, uid } = regarding
    const about = { apiVersion: API_VERSION, kind: 'Cluster', name, ...(uid === undefined ? {} : { uid }) }
    options.log[type === 'Warning' ? 'warn' : 'info']({ code: issue.code }, format(issue))
    void recorder.record({ regarding: about, type, reason: issue.code, note: formatProblem(issue), action: 'Federate' })
  }

  /** Each only once for as long as it stands. */
  function once(
    key: string,
    issue: Issue<Code>,
    regarding: { readonly name: string; readonly uid?: string | undefined },
  ) {
    const text = format(issue)
    if (told.get(key) === text) return
    told.set(key, text)
    tell(regarding, issue, 'Warning')
  }

  const issueOf = (name: string, code: Code, params: NonNullable<Issue['params']> = {}): Issue<Code> => ({
    code,
    object: { kind: 'Cluster', name },
    path: '',
    params,
  })

  return {
    status: (before, { metadata, status }) => {
      for (const about of ['Managed', 'Trusted']) {
        const find = (of: Cluster['status']) => of?.conditions?.find(({ type }) => type === about)
        const was = find(before.status)
        const is = find(status)
        if (is === undefined || UNREMARKABLE.has(is.reason) || (was?.status === is.status && was.reason === is.reason))
          continue
        const { name, uid } = metadata
        const type = is.status === 'True' ? 'Normal' : 'Warning'
        options.log[type === 'Normal' ? 'info' : 'warn']({ cluster: name, reason: is.reason }, is.message)
        const regarding = { apiVersion: API_VERSION, kind: 'Cluster', name, ...(uid === undefined ? {} : { uid }) }
        void recorder.record({ regarding, type, reason: is.reason, note: is.message, action: 'Federate' })
      }
      for (const { code, params } of trustNews(before.status, status))
        tell(metadata, issueOf(metadata.name, code, params), 'Normal')
    },
    expiry: ({ metadata }, found) => {
      const at = found?.ok === true ? found.credentialsExpire : undefined
      if (at === undefined || Date.parse(at) - Date.now() > SOON_MS) return
      once(`expiry ${metadata.name}`, issueOf(metadata.name, 'CredentialsExpire', { at }), metadata)
    },
    replaced: (name) => tell({ name }, issueOf(name, 'ServerReplaced'), 'Warning'),
    joined: (name) => void told.delete(`left ${name}`),
    left: (name) => tell({ name }, issueOf(name, 'ClusterLeft'), 'Normal'),
    leftBehind: (name, why, secret) => once(`left ${name}`, issueOf(name, 'LeftBehind', { why, secret }), { name }),
  }
}
