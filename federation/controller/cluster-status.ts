import type { Cluster, GlobalServicesDecision } from '../../api/cluster.ts'
import type { Code } from '../../api/diagnostics.ts'
import type { Issue } from '../../api/issue.ts'
import { hostAndPort } from '../../api/vip-range.ts'
import { verdict } from '../../compiler/conditions.ts'
import type { WantedStatus } from '../../kube/status.ts'
import type { Found } from './access.ts'
import { type KnownTrust, trustStatus } from './cluster-trust.ts'
import type { Health } from './link.ts'

/** What the hub knows of one Cluster. */
export interface Known {
  readonly access: Found | undefined
  readonly health: Health | undefined
  /** Name of an older Cluster with the same API server. */
  readonly twin?: string
  /** `ns/name` of the ConfigMap there in which another hub says that the member is its own. */
  readonly elsewhere?: string
  /** When the API server last answered; RFC 3339. */
  readonly lastSeen?: string
  readonly exports?: number
  readonly imports?: number
  /** Absent while nothing is known of it, and when it takes no part. */
  readonly globalServices?: GlobalServicesDecision
  /** Absent when it takes no part. */
  readonly trust?: KnownTrust
  /** Names of other Clusters with the same gateway. */
  readonly sameGateway?: readonly string[]
}

/** How much `lastSeen` may lag behind while all is well: each step is a write. */
const LAG_MS = 60_000

/** What to say of a Cluster. What is not known (yet) stays as it was said before. */
export function clusterStatus(cluster: Cluster, known: Known): WantedStatus {
  const { status: before = {}, metadata } = cluster
  const lastSeen = later(before.lastSeen, known)
  const said = managed(known, lastSeen)
  const old = before.conditions?.find(({ type }) => type === 'Managed')
  const generation = metadata.generation ?? 0
  // Asking takes a moment: what was true before the hub started is not taken back for that.
  const kept = said === undefined && old !== undefined
  const { lastTransitionTime: _, ...oldVerdict } = old ?? { lastTransitionTime: '' }
  const issue: Issue<Code> = {
    path: '',
    ...(said ?? { code: 'Connecting' }),
    object: { kind: 'Cluster', name: metadata.name },
  }
  const remarks = (known.sameGateway ?? []).map(
    (other): Issue<Code> => ({
      code: 'GatewayShared',
      object: issue.object,
      path: 'spec.gatewayHost',
      params: { other, gateway: hostAndPort(cluster.spec.gatewayHost, cluster.spec.gatewayPort) },
    }),
  )
  const fresh = verdict('Managed', said?.code === 'Connected' ? 'True' : 'False', [issue, ...remarks])
  const condition = kept
    ? { ...oldVerdict, type: 'Managed', status: old.status }
    : { ...fresh, observedGeneration: generation }
  const version = known.health?.version ?? before.version
  const exports = known.exports ?? before.exports
  const imports = known.imports ?? before.imports
  const globalServices = known.globalServices ?? before.globalServices
  const expire =
    known.access?.ok === true ? known.access.credentialsExpire : known.access ? undefined : before.credentialsExpire
  const trust = known.trust && (trustStatus(cluster, known.trust) ?? trustAsBefore(cluster))
  return {
    conditions: [condition, ...(trust?.conditions ?? [])],
    extra: {
      ...trust?.extra,
      ...(lastSeen === undefined ? {} : { lastSeen }),
      ...(version === undefined ? {} : { version }),
      ...(exports === undefined ? {} : { exports }),
      ...(imports === undefined ? {} : { imports }),
      ...(globalServices === undefined ? {} : { globalServices }),
      ...(expire === undefined ? {} : { credentialsExpire: expire }),
    },
  }
}

function trustAsBefore({ status: { conditions = [], trustDomain, roots } = {} }: Cluster): WantedStatus {
  return {
    conditions: conditions
      .filter(({ type }) => type === 'Trusted')
      .map(({ lastTransitionTime: _, ...condition }) => condition),
    extra: { ...(trustDomain === undefined ? {} : { trustDomain }), ...(roots === undefined ? {} : { roots }) },
  }
}

/** Nothing while the first question is under way. */
function managed(
  { access, health, twin, elsewhere }: Known,
  lastSeen: string | undefined,
): Pick<Issue<Code>, 'code' | 'params'> | undefined {
  if (access === undefined) return undefined
  if (!access.ok) return access.problem
  const { server } = access.access.connection
  if (twin !== undefined) return { code: 'DuplicateCluster', params: { other: twin } }
  if (elsewhere !== undefined) return { code: 'ManagedElsewhere', params: { identity: elsewhere } }
  if (health?.trouble !== undefined) {
    const { code, failure } = health.trouble
    return { code, params: { server, why: failure.message, since: lastSeen ?? 'it was registered' } }
  }
  return health?.listed === true ? { code: 'Connected', params: { server } } : undefined
}

function later(before: string | undefined, { lastSeen, health }: Known): string | undefined {
  if (lastSeen === undefined || before === undefined) return lastSeen ?? before
  const lag = health?.trouble?.code === 'Unreachable' ? 0 : LAG_MS
  return Date.parse(lastSeen) - Date.parse(before) > lag ? lastSeen : before
}
