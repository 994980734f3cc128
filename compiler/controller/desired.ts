import { type Code, formatProblem } from '../../api/diagnostics.ts'
import type { Issue } from '../../api/issue.ts'
import type { Condition } from '../../api/meta.ts'
import { PROGRAMMED } from '../conditions.ts'
import {
  dnsFiles,
  egressFiles,
  type FileSet,
  gatewayFiles,
  newcomers,
  type Readers,
  sidecarFiles,
  tableFile,
} from '../files.ts'
import { LastAnswers } from '../memo.ts'
import type { EgressTable, GatewayTable, ObjectStatus, SidecarTable, Tables } from '../tables.ts'
import { hashesOf, type Observed, type ObservedTable } from './observed.ts'
import type { Desired, DesiredTable } from './plan.ts'
import type { Verdict } from './programmed.ts'

export interface Place {
  /** Portolan's own. */
  readonly namespace: string
  readonly clusterKey: string
}

/** Files of one table, with their hashes. */
type Rendered = FileSet & { readonly hashes: DesiredTable['hashes'] }

/** Renders tables, and remembers: most changes leave most tables alone, and namespaces of equal scope have equal clusters. */
export interface Renderer {
  readonly sidecar: (table: SidecarTable, readers?: Readers) => Rendered
  readonly keepOnly: (tables: readonly SidecarTable[]) => void
}

export function createRenderer({ clusterKey }: Place): Renderer {
  const byNamespace = new Map<string, { readonly content: string; readonly rendered: Rendered }>()
  const byContent = new Map<string, Rendered>()

  function render(table: SidecarTable, readers: Readers, content: string): Rendered {
    const twin = byContent.get(content)
    if (twin === undefined) {
      const set = sidecarFiles(table, clusterKey, readers)
      const rendered = { ...set, hashes: hashesOf(set.files) }
      byContent.set(content, rendered)
      return rendered
    }
    const own = { 'table.json': tableFile(table) }
    const { name, files, hashes, refusal } = twin
    const object = refusal && { ...refusal.object, namespace: table.namespace }
    return {
      name,
      files: { ...files, ...own },
      hashes: { ...hashes, ...hashesOf(own) },
      ...(refusal && object ? { refusal: { ...refusal, object } } : {}),
    }
  }

  return {
    sidecar: (table, readers = newcomers(table)) => {
      const content = JSON.stringify([table.version, readers.plain, readers.mtls])
      const known = byNamespace.get(table.namespace)
      if (known?.content === content) return known.rendered
      const rendered = render(table, readers, content)
      byNamespace.set(table.namespace, { content, rendered })
      return rendered
    },
    keepOnly: (tables) => {
      const namespaces = new Set(tables.map(({ namespace }) => namespace))
      const versions = new Set(tables.map(({ version }) => version))
      for (const key of byNamespace.keys()) if (!namespaces.has(key)) byNamespace.delete(key)
      for (const key of byContent.keys()) if (!versions.has(JSON.parse(key)[0])) byContent.delete(key)
    },
  }
}

export interface Situation {
  readonly tables: Tables
  readonly observed: Observed
  readonly place: Place
  readonly renderer: Renderer
  /** Gateway tables of the last moments: a gateway may still run any of them. */
  readonly recentGateways: readonly GatewayTable[]
  /** For whom the table of a namespace is written. */
  readonly readersOf: (table: SidecarTable) => Readers
  /** What proxies say about the routes of a service, `ns/name`. */
  readonly judge: (service: string) => Verdict | undefined
}

/** What the cluster should hold, and which tables must not be written as they are. */
export function desire(situation: Situation): { readonly desired: Desired; readonly refusals: readonly Issue<Code>[] } {
  const { tables, place, renderer, readersOf } = situation
  renderer.keepOnly(tables.sidecars)
  const sidecars = tables.sidecars.map((table) => ({ table, set: sidecarThatFits(table, readersOf(table), renderer) }))
  const gateway = renderGateway(tables.gateway, situation)
  const egress = tables.egress && renderEgress(tables.egress, place)
  const dns = hashed(dnsFiles(tables, place.namespace))

  const all = [
    ...sidecars.map(({ table, set }) => ({ namespace: table.namespace, set })),
    ...[gateway, egress].flatMap((set) => (set === undefined ? [] : [{ namespace: place.namespace, set }])),
    { namespace: place.namespace, set: dns },
  ]
  const refused = all.filter(({ set }) => set.refusal !== undefined)
  const tooLarge = new Map<string, Issue<Code>>()
  for (const { table, set } of sidecars)
    if (set.refusal !== undefined)
      for (const { service } of table.routes) tooLarge.set(`GlobalTrafficPolicy ${service}`, set.refusal)
  if (gateway?.refusal !== undefined)
    for (const { service } of [...tables.gateway.routes, ...tables.gateway.tcp])
      tooLarge.set(`ServiceExport ${service}`, gateway.refusal)

  return {
    desired: {
      tables: all
        .filter(({ set }) => set.refusal === undefined)
        .map(({ namespace, set }) => ({ namespace, name: set.name, data: set.files, hashes: set.hashes })),
      kept: new Set(refused.map(({ namespace, set }) => `${namespace}/${set.name}`)),
      addresses: tables.vips,
      objects: tables.objects,
      statuses: tables.statuses.map((status) => withProgrammed(status, situation, tooLarge)),
    },
    refusals: refused.flatMap(({ set }) => (set.refusal === undefined ? [] : [set.refusal])),
  }
}

const hashed = (set: FileSet): Rendered => ({ ...set, hashes: hashesOf(set.files) })

/** Sidecars of before must not keep out those of now: they go on with what they have. */
function sidecarThatFits(table: SidecarTable, readers: Readers, renderer: Renderer): Rendered {
  const set = renderer.sidecar(table, readers)
  return set.refusal === undefined ? set : renderer.sidecar(table, newcomers(table))
}

const egresses = new LastAnswers<EgressTable, Rendered>()

const renderEgress = (table: EgressTable, place: Place): Rendered =>
  egresses.get(table, [place.namespace, place.clusterKey], () => hashed(egressFiles(table, place)))

/** Nothing when the gateway's files are fine as they are, although they may hold clusters of one generation ago. */
function renderGateway(gateway: GatewayTable, { observed, place, recentGateways }: Situation): Rendered | undefined {
  const fresh = hashed(gatewayFiles(gateway, undefined, place))
  const there = observed.tables.get(`${place.namespace}/${fresh.name}`)
  if (there !== undefined && serves(there, fresh)) return undefined
  const last = there?.gateway?.table.routes ?? []
  const recent = recentGateways.toReversed().flatMap((table) => table.routes)
  // What gateways may still route to is kept as far as it fits.
  for (const routes of [[...last, ...recent], last]) {
    const set = gatewayFiles(gateway, { version: 'recent', routes, tcp: [] }, place)
    if (set.refusal === undefined) return hashed(set)
  }
  return fresh
}

function serves(there: ObservedTable, fresh: Rendered): boolean {
  const differing = Object.keys(fresh.hashes).filter((key) => there.hashes[key] !== fresh.hashes[key])
  if (differing.length === 0) return true
  if (differing.length > 1 || differing[0] !== 'cds.json') return false
  const clusters = new Set(clustersOf(there.gateway?.cds ?? ''))
  return clustersOf(fresh.files['cds.json'] ?? '').every((cluster) => clusters.has(cluster))
}

function clustersOf(cds: string): readonly string[] {
  try {
    const { resources } = JSON.parse(cds) as { readonly resources: readonly unknown[] }
    return resources.map((cluster) => JSON.stringify(cluster))
  } catch {
    return []
  }
}

/** Policies also tell whether proxies run them: never from what was written, always from what proxies say. */
function withProgrammed(
  status: ObjectStatus,
  { observed, judge }: Situation,
  tooLarge: ReadonlyMap<string, Issue<Code>>,
): ObjectStatus {
  if (status.conditions.some(({ type }) => type === PROGRAMMED)) return status
  const { kind, namespace = '', name } = status.object
  const key = `${namespace}/${name}`
  const refusal = tooLarge.get(`${kind} ${key}`)
  if (refusal !== undefined) return withCondition(status, 'False', refusal)
  if (kind !== 'GlobalTrafficPolicy') return status
  const verdict = judge(key)
  if (verdict === undefined) return status
  const before = observed.policies.get(key)?.status?.conditions?.find(({ type }) => type === PROGRAMMED)
  if (verdict.unasked && before !== undefined && before.observedGeneration === status.generation) {
    const { lastTransitionTime: _, ...condition } = before
    return { ...status, conditions: [...status.conditions, condition] }
  }
  return withCondition(status, verdict.status, {
    code: verdict.code,
    object: status.object,
    path: '',
    params: verdict.params,
  })
}

const withCondition = (status: ObjectStatus, value: Condition['status'], issue: Issue<Code>): ObjectStatus => ({
  ...status,
  conditions: [
    ...status.conditions,
    {
      type: PROGRAMMED,
      status: value,
      reason: issue.code,
      message: formatProblem(issue),
      observedGeneration: status.generation,
    },
  ],
})
