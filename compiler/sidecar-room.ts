/** Which imports the sidecars of a namespace know when not all fit into its ConfigMap. */
import type { Code } from '../api/diagnostics.ts'
import type { Issue } from '../api/issue.ts'
import { sidecarFiles, tableFile } from './files.ts'
import { listed } from './in-a-line.ts'
import { perObject } from './memo.ts'
import { sidecarCds } from './render-sidecar.ts'
import { leavesRoom, namespaceOf } from './room.ts'
import { bytesOf, SIZE_LIMIT_KB } from './size.ts'
import type { ServiceRoute, SidecarTable } from './tables.ts'
import { tableVersion } from './version.ts'

export interface FittedSidecar {
  readonly table: SidecarTable
  /** Services that are left out, `namespace/name`, sorted. */
  readonly leftOut: readonly string[]
}

const textBytes = (routes: readonly ServiceRoute[]): number => {
  const table = { namespace: '', version: '', tcpRange: '', routes }
  return bytesOf({ cds: sidecarCds(table), table: tableFile(table) })
}
const NO_ROUTES_BYTES = textBytes([])

/** What a route takes of the files, without the commas around it. */
const routeBytes = perObject((route: ServiceRoute) => textBytes([route]) - NO_ROUTES_BYTES)
const COMMAS = 2
const bytesOfRoutes = (routes: readonly ServiceRoute[]): number =>
  routes.reduce((sum, route) => sum + routeBytes(route), 0)

/** No less than all else takes: bootstraps, roots, and what is said of each name. */
const OTHERS_BYTES = 150_000
const NAME_BYTES = 600

/** No less than the files take, without making them. */
export const mostBytes = ({ trust, names, routes }: SidecarTable): number =>
  OTHERS_BYTES +
  (trust ? 4 * trust.bundle.length + 1_000 * Object.keys(trust.clusters).length : 0) +
  (names ? NAME_BYTES * names.imports.length : 0) +
  COMMAS * routes.length +
  bytesOfRoutes(routes)

const keeping = (table: SidecarTable, keeps: (service: string) => boolean): SidecarTable => {
  const routes = table.routes.filter(({ service }) => keeps(service))
  return { ...table, routes, version: tableVersion(routes, table.trust, table.names) }
}

/** As long as a namespace's name can be, so that one answer is good for all namespaces. */
const LONGEST_NAME = 'n'.repeat(63)

/**
 * The table without what it has no room for, for the sidecars that are made now. First go addresses of imports that are
 * gone, which are held for callers who know them still; then as {@link leavesRoom} says.
 *
 * @param isThere whether a service is imported
 */
export const sidecarThatFits = (
  table: SidecarTable,
  clusterKey: string,
  isThere: (service: string) => boolean,
  limitKb: number = SIZE_LIMIT_KB,
): FittedSidecar => {
  const limit = limitKb * 1000
  const sizeOf = (each: SidecarTable) => bytesOf(sidecarFiles({ ...each, namespace: LONGEST_NAME }, clusterKey).files)
  if (mostBytes(table) <= limit || sizeOf(table) <= limit) return { table, leftOut: [] }
  const wanted = keeping(table, isThere)
  const over = sizeOf(wanted) - limit
  if (over <= 0) return { table: wanted, leftOut: [] }
  const byService = Map.groupBy(wanted.routes, ({ service }) => service)
  const sizes = new Map([...byService].map(([service, routes]) => [service, bytesOfRoutes(routes)]))
  const gone = new Set(leavesRoom(sizes, over))
  return { table: keeping(wanted, (service) => !gone.has(service)), leftOut: [...gone].sort() }
}

/** The same for the tables of one cluster: those who know the same routes lack the same, and it is worked out once. */
export const sidecarsThatFit = (
  tables: readonly SidecarTable[],
  clusterKey: string,
  isThere: (service: string) => boolean,
): readonly FittedSidecar[] => {
  const known = new Map<readonly ServiceRoute[], Map<boolean, FittedSidecar>>()
  return tables.map((table) => {
    const answers = known.get(table.routes) ?? new Map<boolean, FittedSidecar>()
    known.set(table.routes, answers)
    const isExplicit = table.names !== undefined
    const fitted = answers.get(isExplicit) ?? sidecarThatFits(table, clusterKey, isThere)
    answers.set(isExplicit, fitted)
    const { routes, version } = fitted.table
    return { ...fitted, table: { ...table, routes, version } }
  })
}

/** What imports, by `namespace/name`, are told that the sidecars of some namespaces have no room for. Sorted by service. */
export const leftOutOf = (fitted: readonly FittedSidecar[]): ReadonlyMap<string, Issue<Code>> => {
  const pairs = fitted.flatMap(({ table, leftOut }) => leftOut.map((service) => ({ service, caller: table.namespace })))
  return new Map(
    [...Map.groupBy(pairs, ({ service }) => service)].toSorted().map(([service, each]): [string, Issue<Code>] => {
      const [namespace, name] = [namespaceOf(service), service.slice(service.indexOf('/') + 1)]
      const params = { callers: listed(each.map(({ caller }) => caller)), limit: SIZE_LIMIT_KB, namespace }
      return [service, { code: 'SidecarsFull', object: { kind: 'ServiceImport', namespace, name }, path: '', params }]
    }),
  )
}
