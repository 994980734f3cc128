/** Which exports gateways serve when not all fit into their ConfigMap. */
import type { Code } from '../api/diagnostics.ts'
import type { Issue } from '../api/issue.ts'
import { gatewayFiles, tableFile } from './files.ts'
import { gatewayCds, gatewayRds } from './render-gateway.ts'
import { leavesRoom } from './room.ts'
import { bytesOf, SIZE_LIMIT_KB } from './size.ts'
import type { GatewayTable } from './tables.ts'
import { tableVersion } from './version.ts'

export interface Fitted {
  readonly table: GatewayTable
  /** Why exports are left out, by `namespace/name`. */
  readonly leftOut: ReadonlyMap<string, Issue<Code>>
}

const keeping = ({ routes, tcp, ...table }: GatewayTable, keeps: (service: string) => boolean): GatewayTable => {
  const kept = { routes: routes.filter((each) => keeps(each.service)), tcp: tcp.filter((each) => keeps(each.service)) }
  return { ...table, ...kept, version: tableVersion([...kept.routes, ...kept.tcp], table.trust) }
}

/**
 * The table without what it has no room for. First goes what is served on although nobody asks for it any more, then as
 * {@link leavesRoom} says.
 */
export const gatewayThatFits = (table: GatewayTable, clusterKey: string, limitKb: number = SIZE_LIMIT_KB): Fitted => {
  const sizeOf = (each: GatewayTable) => bytesOf(gatewayFiles(each, undefined, { namespace: '', clusterKey }).files)
  const limit = limitKb * 1000
  if (sizeOf(table) <= limit) return { table, leftOut: new Map() }
  const routes = table.routes.filter(({ until }) => until === undefined)
  const wanted = { ...table, routes, version: tableVersion([...routes, ...table.tcp], table.trust) }
  const whole = sizeOf(wanted)
  if (whole <= limit) return { table: wanted, leftOut: new Map() }

  const services = new Set([...wanted.routes, ...wanted.tcp].map(({ service }) => service))
  const nothing = textBytes(keeping(wanted, () => false))
  const sizes = new Map(
    [...services].map((service) => [service, textBytes(keeping(wanted, (each) => each === service)) - nothing]),
  )
  const dropped = leavesRoom(sizes, whole - limit)
  const leftOut = new Map(
    dropped.map((service): [string, Issue<Code>] => {
      const [namespace = '', name = ''] = service.split('/')
      const size = Math.ceil((sizes.get(service) ?? 0) / 1000)
      const object = { kind: 'ServiceExport', namespace, name }
      return [service, { code: 'GatewayFull', object, path: '', params: { limit: limitKb, namespace, size } }]
    }),
  )
  return { table: keeping(wanted, (service) => !leftOut.has(service)), leftOut }
}

const textBytes = (table: GatewayTable): number =>
  bytesOf({ cds: gatewayCds(table), rds: gatewayRds(table), table: tableFile(table) })
