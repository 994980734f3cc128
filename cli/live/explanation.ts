import { levelOf } from '../../api/diagnostics.ts'
import type { Affinity } from '../../api/global-service.ts'
import { steeringOf } from '../../api/global-traffic-policy.ts'
import type { Issue } from '../../api/issue.ts'
import type { Condition } from '../../api/meta.ts'
import { CLUSTERSET_DOMAIN } from '../../api/names.ts'
import type { Door, ServiceImport } from '../../api/service-import.ts'
import { hostAndPort } from '../../api/vip-range.ts'
import { remoteBackends } from '../../compiler/backends.ts'
import { isForAll } from '../../compiler/dns-names.ts'
import { clientsListed } from '../../compiler/in-a-line.ts'
import { byKey } from '../../compiler/keys.ts'
import { by } from '../../compiler/order.ts'
import { planFor } from '../../compiler/routes.ts'
import type { Snapshot } from '../../compiler/snapshot.ts'
import type { ClustersetName, ServiceRoute, Tables } from '../../compiler/tables.ts'
import type { TargetState } from '../../compiler/targets.ts'
import { type Answer, refuses, whereTo } from '../../compiler/where-to.ts'
import { isExternalName, readyEndpoints, tcpPorts, type World, worldOf } from '../../compiler/world.ts'
import type { CallerAnswer } from './caller.ts'
import type { Settled } from './settled.ts'
import { type WithoutSidecar, withoutSidecar } from './without-sidecar.ts'

/** What becomes of calls to one service, and by whose doing. */
export interface Explanation {
  /** namespace/name */
  readonly service: string
  readonly cluster: { readonly name: string; readonly key: string }
  /** This cluster's own Service; absent when it has none. */
  readonly local?: LocalService
  /** This cluster's export of it. */
  readonly exported?: OwnExport
  /** Whether the cluster imports it at all. */
  readonly imported: boolean
  /** Other clusters that export it, as far as the import says; sorted by clusterKey. */
  readonly exporters: readonly Exporter[]
  /** What the hub decided; absent when no hub was asked. */
  readonly settled?: Settled
  readonly policy: Policy
  /** What its names resolve to in pods that ask mesh DNS. */
  readonly names: readonly NameMeaning[]
  /** What the clusterset's name resolves to in all other pods, where that differs; and pods of a headless service. */
  readonly forOthers?: ClustersetName
  /** Namespaces of the mesh whose sidecars do not know the service, by their own choice. */
  readonly outOfScope: readonly string[]
  /** Namespace of the caller whose calls are answered; absent when the mesh has none, or the caller no sidecar. */
  readonly callsFrom?: string
  readonly calls: readonly NamedCall[]
  readonly caller?: CallerAnswer
  /** Absent where there is no egress. */
  readonly withoutSidecar?: WithoutSidecar
  /** What compilation has against objects of this name. */
  readonly issues: readonly Issue[]
}

export interface LocalService {
  readonly type: 'ordinary' | 'headless' | 'ExternalName'
  readonly ports: readonly { readonly port: number; readonly readyPods: number }[]
}

export interface OwnExport {
  /** In the order of DOORS. */
  readonly doors: readonly Door[]
  readonly conditions: readonly Condition[]
  /** Of the standard's export beside one of ours. */
  readonly standard?: readonly Condition[]
  /** What the gateway serves; `until` on what it serves on although no export asks for it any more. */
  readonly paths: readonly { readonly path: string; readonly port: number; readonly until?: string }[]
  /** Whom alone it lets in, in words. */
  readonly clients?: string
  /** Keys of the clusters that import it, as the hub saw. */
  readonly importers: readonly string[]
}

export interface Exporter {
  readonly clusterKey: string
  readonly ports: readonly { readonly port: number; readonly urls: readonly string[] }[]
}

export interface Policy {
  readonly type: ServiceRoute['policy'] | 'none' | 'unset'
  /** Locality for a policy that cannot work. */
  readonly inForce: ServiceRoute['policy']
  /** Who decides in the absence of a policy. */
  readonly decided?: ServiceRoute['decided']
  /** Whose pods come first, where annotations decide. */
  readonly affinity?: Affinity
  readonly targets: readonly TargetState[]
  /** Whether the proxies run it, as they said themselves. */
  readonly programmed?: Condition
}

export interface NameMeaning {
  readonly name: string
  /** Absent where mesh DNS leaves the answer to the cluster's own DNS. */
  readonly address?: string
}

/** One call by one of the service's names. */
export interface NamedCall {
  readonly to: string
  readonly port: number
  readonly answer: Answer
}

export interface ExplainFacts {
  /** What people call it. */
  readonly cluster: string
  /** namespace/name */
  readonly service: string
  readonly snapshot: Snapshot
  /** Compiled from the snapshot. */
  readonly tables: Tables
  readonly settled?: Settled
  readonly caller?: CallerAnswer
}

/** Puts together what is known of one service. Every decision is the compiler's or the hub's own. */
export function explanationOf(facts: ExplainFacts): Explanation {
  const { cluster, service, snapshot, tables, settled, caller } = facts
  const [namespace = '', name = ''] = service.split('/')
  const world = worldOf(snapshot)
  const imported = byKey(world.imports).get(service)
  const knows = ({ routes }: Tables['sidecars'][number]) => routes.some((route) => route.service === service)
  const someoneKnows = tables.sidecars.some(knows)
  // Without a sidecar a pod's calls are none of ours.
  const someone = (tables.sidecars.find(knows) ?? tables.sidecars[0])?.namespace
  const callsFrom = caller === undefined ? someone : caller.sidecar ? caller.namespace : undefined
  const local = localOf(world, service)
  const unaided = imported && withoutSidecar(world, tables, imported)
  return {
    service,
    cluster: { name: cluster, key: tables.cluster.key },
    ...(local === undefined ? {} : { local }),
    ...exportOf(world, tables, service),
    imported: imported !== undefined,
    exporters: exportersOf(imported?.spec.ports ?? [], tables.cluster.key),
    ...(settled === undefined ? {} : { settled }),
    policy: policyOf(world, imported, tables, service),
    names: imported === undefined && local === undefined ? [] : namesOf(tables, namespace, name),
    ...forOthers(tables, namespace, name),
    outOfScope: someoneKnows ? tables.sidecars.filter((each) => !knows(each)).map((each) => each.namespace) : [],
    ...(callsFrom === undefined ? {} : { callsFrom }),
    calls:
      callsFrom === undefined ? [] : callsOf(tables, callsFrom, namespace, name, portsOf(imported?.spec.ports, local)),
    ...(caller === undefined ? {} : { caller }),
    ...(unaided === undefined ? {} : { withoutSidecar: unaided }),
    issues: tables.issues.filter(({ object }) => object.namespace === namespace && object.name === name),
  }
}

/** Whether anything has the name, here or at the hub. */
export function isKnown({ local, exported, imported, policy, settled }: Explanation): boolean {
  return local !== undefined || exported !== undefined || imported || policy.type !== 'none' || settled !== undefined
}

/** Whether something about it has to be mended. */
export function hasErrors({ issues }: Explanation): boolean {
  return issues.some((issue) => levelOf(issue) === 'error')
}

function localOf(world: World, service: string): LocalService | undefined {
  const object = world.services.get(service)
  if (object === undefined) return undefined
  if (isExternalName(object)) return { type: 'ExternalName', ports: [] }
  return {
    type: object.spec.clusterIP === 'None' ? 'headless' : 'ordinary',
    ports: tcpPorts(object).map((port) => ({
      port: port.port,
      readyPods: readyEndpoints(world, service, port).length,
    })),
  }
}

function exportOf(world: World, { gateway }: Tables, service: string): Pick<Explanation, 'exported'> {
  const object = byKey(world.exports).get(service)
  if (object === undefined) return {}
  const routes = gateway.routes.filter((route) => route.service === service)
  return {
    exported: {
      doors: object.doors,
      conditions: object.status?.conditions ?? [],
      ...(object.standard && object.doors[0] !== 'MCS' ? { standard: object.standard.status?.conditions ?? [] } : {}),
      paths: [
        ...routes.map(({ path, port, until }) => ({ path, port, ...(until === undefined ? {} : { until }) })),
        ...gateway.tcp.filter((each) => each.service === service).map(({ port }) => ({ path: `${port}/TCP`, port })),
      ],
      ...(object.spec.allowedClients ? { clients: clientsListed(object.spec.allowedClients) } : {}),
      importers: (object.status?.clusters ?? []).map(({ cluster }) => cluster),
    },
  }
}

function exportersOf(ports: readonly Parameters<typeof remoteBackends>[0][], ownKey: string): readonly Exporter[] {
  const rows = ports.flatMap((port) =>
    remoteBackends(port, ownKey).map(({ clusterKey, addresses, pathPrefix }) => ({
      clusterKey,
      port: port?.port ?? 0,
      urls: addresses.map((each) => `http://${hostAndPort(each.host, each.port)}${pathPrefix}`),
    })),
  )
  return [...Map.groupBy(rows, ({ clusterKey }) => clusterKey)]
    .map(([clusterKey, own]) => ({ clusterKey, ports: own.map(({ port, urls }) => ({ port, urls })) }))
    .sort(by(({ clusterKey }) => clusterKey))
}

function policyOf(world: World, imported: ServiceImport | undefined, { statuses }: Tables, service: string): Policy {
  const object = world.policies.get(service)
  const status = statuses.find(
    (each) => each.object.kind === 'GlobalTrafficPolicy' && `${each.object.namespace}/${each.object.name}` === service,
  )
  const programmed = object?.status?.conditions?.find(({ type }) => type === 'Programmed')
  const { type, spread } = planFor(world, imported, object)
  return {
    type: object === undefined ? 'none' : (steeringOf(object.spec) ?? 'unset'),
    inForce: type,
    ...(spread ? { decided: spread.decided } : {}),
    ...(spread?.decided === 'GlobalService' ? { affinity: spread.affinity } : {}),
    targets: (status?.extra?.['targets'] ?? []) as readonly TargetState[],
    ...(programmed === undefined ? {} : { programmed }),
  }
}

function namesOf({ dns, cluster }: Tables, namespace: string, name: string): readonly NameMeaning[] {
  return [cluster.domain, CLUSTERSET_DOMAIN].flatMap((domain): readonly NameMeaning[] => {
    const full = `${name}.${namespace}.svc.${domain}`
    const record = dns.find((each) => each.name === full)
    if (record !== undefined) return [record]
    return domain === cluster.domain ? [{ name: full }] : []
  })
}

function forOthers({ clusterset }: Tables, namespace: string, name: string): Pick<Explanation, 'forOthers'> {
  const found = clusterset.find((each) => each.namespace === namespace && each.name === name)
  return found === undefined || !isForAll(found) ? {} : { forOthers: found }
}

/** The clusterset's name is called too where the plain one leads to no proxy. */
function callsOf(
  tables: Tables,
  fromNamespace: string,
  namespace: string,
  name: string,
  ports: readonly number[],
): readonly NamedCall[] {
  const [plain, across] = namesOf(tables, namespace, name)
  const routed = plain?.address !== undefined && !refuses(tables, plain.address)
  const short = `${name}.${namespace}`
  const called = routed || across === undefined ? [short] : [short, `${short}.svc.${CLUSTERSET_DOMAIN}`]
  return called.flatMap((to) =>
    ports.map((port) => ({ to, port, answer: whereTo(tables, { fromNamespace, to, port }) })),
  )
}

function portsOf(imported: readonly { readonly port: number }[] = [], local: LocalService | undefined) {
  const numbers = new Set([...imported, ...(local?.ports ?? [])].map(({ port }) => port))
  return [...numbers].sort((a, b) => a - b)
}
