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

const NO_ROUTES: readonly ServiceRoute[] = []

const textBytes = (table: SidecarTable): number => bytesOf({ cds: sidecarCds(table), table: tableFile(table) })

/** No less than it takes of the files. */
const routeBytes = perObject((route: ServiceRoute) => {
  const table = { namespace: '', version: '', tcpRange: '', routes: [route] }
  return textBytes(table)
})

/** No less than all else takes: bootstraps, roots, and what is said of each name. */
const OTHERS_BYTES = 150_000
const NAME_BYTES = 600
const most = ({ trust, names, routes }: SidecarTable): number =>
  OTHERS_BYTES +
  (trust ? 4 * trust.bundle.length + 1_000 * Object.keys(trust.clusters).length : 0) +
  (names ? NAME_BYTES * names.imports.length : 0) +
  routes.reduce((sum, route) => sum + routeBytes(route), 0)

const keeping = (table: SidecarTable, keeps: (service: string) => boolean): SidecarTable => {
  const routes = table.routes.filter(({ service }) => keeps(service))
  return { ...table, routes, version: tableVersion(routes, table.trust, table.names) }
}

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
  const sizeOf = (each: SidecarTable) => bytesOf(sidecarFiles(each, clusterKey).files)
  if (most(table) <= limit || sizeOf(table) <= limit) return { table, leftOut: [] }
  const wanted = keeping(table, isThere)
  const whole = sizeOf(wanted)
  if (whole <= limit) return { table: wanted, leftOut: [] }
  const nothing = textBytes({ ...wanted, routes: NO_ROUTES })
  const sizes = new Map(
    [...Map.groupBy(wanted.routes, ({ service }) => service)].map(([service, routes]) => [
      service,
      textBytes({ ...wanted, routes }) - nothing,
    ]),
  )
  const gone = new Set(leavesRoom(sizes, whole - limit))
  return { table: keeping(wanted, (service) => !gone.has(service)), leftOut: [...gone].sort() }
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
