import { isDeepStrictEqual } from 'node:util'
import { compare } from '../../compiler/order.ts'
import { comparable, type ProxyState, type RunningEndpoint } from './proxy-state.ts'

/** What a proxy runs, held against what was compiled. */
export interface ProxyReport {
  readonly versions: {
    /** What compiling now gives. */
    readonly compiled: string
    /** What the ConfigMap holds; absent when there is none. */
    readonly written?: string
    /** Absent before the proxy took anything. */
    readonly running?: string
  }
  /** Updates that the proxy has refused since it started. */
  readonly refusals: number
  /** Of the whole. */
  readonly state: RowState
  /** Sorted by service and port, or by path. */
  readonly rows: readonly ReportRow[]
  /** Of a gateway: whether it goes by the routes that were compiled. */
  readonly routes?: 'same' | 'behind'
}

/**
 * `refused`: it was given something else and did not take it. `behind`: it runs something else and may not have been
 * given the new. `warming`: it waits for names to resolve. `leaving`: it keeps what nobody routes to any more.
 */
export type RowState = 'same' | 'behind' | 'refused' | 'warming' | 'leaving'

export interface ReportRow {
  /** `namespace/name` of the service. */
  readonly service: string
  readonly port: number
  /** Gateway path; absent at sidecars. */
  readonly path?: string
  readonly state: RowState
  readonly endpoints: readonly RunningEndpoint[]
}

/** A file that proxies load, as far as it is read here. */
export interface ClusterFile {
  readonly version_info: string
  readonly resources: readonly NamedCluster[]
}

interface NamedCluster {
  readonly name: string
  readonly alt_stat_name?: string
}

export interface RouteFile {
  readonly resources: readonly { readonly name: string }[]
}

export interface ReportFacts {
  readonly running: ProxyState
  readonly compiled: ClusterFile
  readonly written?: ClusterFile
  /** Compiled, of a gateway. */
  readonly routes?: RouteFile
  /** Whether clusters are named by gateway paths. */
  readonly isGateway: boolean
}

export function proxyReport({ running, compiled, written, routes, isGateway }: ReportFacts): ProxyReport {
  const wanted = new Map(compiled.resources.map((cluster) => [cluster.name, cluster]))
  const given = new Map(written?.resources.map((cluster) => [cluster.name, cluster]))
  const refuses = running.refusals > 0 && written !== undefined && running.version !== written.version_info
  const names = [...new Set([...wanted.keys(), ...running.clusters.keys()])].sort(compare)
  const rows = names.map((name): ReportRow => {
    const known = wanted.get(name) ?? given.get(name) ?? (running.clusters.get(name)?.config as NamedCluster)
    const [, service = '', port = ''] = known?.alt_stat_name?.split('|') ?? []
    return {
      service,
      port: Number(port),
      ...(isGateway ? { path: name } : {}),
      state: stateOf(running, name, wanted.get(name), given.get(name), refuses),
      endpoints: running.clusters.get(name)?.endpoints ?? [],
    }
  })
  const stale = routes?.resources.some((each) => !same(running.routes.get(each.name), each))
  const states = new Set(rows.map(({ state }) => state))
  return {
    versions: {
      compiled: compiled.version_info,
      ...(written === undefined ? {} : { written: written.version_info }),
      ...(running.version === undefined ? {} : { running: running.version }),
    },
    refusals: running.refusals,
    state:
      (['refused', 'behind', 'warming'] as const).find((state) => states.has(state)) ?? (stale ? 'behind' : 'same'),
    rows: rows.toSorted(
      (a, b) => compare(a.service, b.service) || a.port - b.port || compare(a.path ?? '', b.path ?? ''),
    ),
    ...(stale === undefined ? {} : { routes: stale ? 'behind' : 'same' }),
  }
}

function stateOf(
  running: ProxyState,
  name: string,
  wanted: NamedCluster | undefined,
  given: NamedCluster | undefined,
  refuses: boolean,
): RowState {
  const runs = running.clusters.get(name)?.config
  // A gateway keeps clusters for one generation: written, but not compiled anew.
  if (wanted === undefined) return given === undefined ? 'behind' : 'leaving'
  if (same(runs, wanted)) return 'same'
  if (running.warming.has(name)) return 'warming'
  return refuses ? 'refused' : 'behind'
}

const same = (running: unknown, written: unknown): boolean =>
  isDeepStrictEqual(comparable(running), comparable(written))
