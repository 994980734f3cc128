/** Which exports gateways serve when not all fit into their ConfigMap: nobody's may be kept out, or frozen, by those of another namespace. */
import type { Code } from '../api/diagnostics.ts'
import type { Issue } from '../api/issue.ts'
import { gatewayFiles, tableFile } from './files.ts'
import { by } from './order.ts'
import { gatewayCds, gatewayRds } from './render-gateway.ts'
import { bytesOf, SIZE_LIMIT_KB } from './size.ts'
import type { GatewayTable } from './tables.ts'
import { tableVersion } from './version.ts'

interface Place {
  readonly namespace: string
  readonly clusterKey: string
}

export interface Fitted {
  readonly table: GatewayTable
  /** Why exports are left out, by `namespace/name`. */
  readonly leftOut: ReadonlyMap<string, Issue<Code>>
}

const namespaceOf = (service: string): string => service.slice(0, service.indexOf('/'))

const keeping = ({ routes, tcp, ...table }: GatewayTable, keeps: (service: string) => boolean): GatewayTable => {
  const kept = { routes: routes.filter((each) => keeps(each.service)), tcp: tcp.filter((each) => keeps(each.service)) }
  return { ...table, ...kept, version: tableVersion([...kept.routes, ...kept.tcp], table.trust) }
}

/**
 * The table without what it has no room for. First goes what is served on although nobody asks for it any more; then, from
 * the namespace that takes most, the largest export, and so on: who exports little is never left out for those who export much.
 */
export const gatewayThatFits = (table: GatewayTable, place: Place, limitKb: number = SIZE_LIMIT_KB): Fitted => {
  const sizeOf = (each: GatewayTable) => bytesOf(gatewayFiles(each, undefined, place).files)
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
  const dropped = excess(sizes, whole - limit)
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

/** Those to leave out, the first that goes first. @param sizes bytes by service @param over at least so many bytes have to go */
const excess = (sizes: ReadonlyMap<string, number>, over: number): readonly string[] => {
  const largestFirst = [...sizes].toSorted(
    by(
      ([, bytes]) => -bytes,
      ([service]) => service,
    ),
  )
  const queues = Map.groupBy(largestFirst, ([service]) => namespaceOf(service))
  const taken = new Map([...queues].map(([namespace, all]) => [namespace, sum(all)]))
  const gone: string[] = []
  // Commas between, which go as well, are not counted: what is left out is never too little.
  for (let left = over; left > 0; ) {
    const [namespace = ''] =
      [...taken].toSorted(
        by(
          ([, bytes]) => -bytes,
          ([name]) => name,
        ),
      )[0] ?? []
    const next = queues.get(namespace)?.shift()
    if (next === undefined) return gone
    const [service, bytes] = next
    gone.push(service)
    left -= bytes
    taken.set(namespace, (taken.get(namespace) ?? 0) - bytes)
  }
  return gone
}

const sum = (parts: readonly (readonly [string, number])[]): number => parts.reduce((all, [, bytes]) => all + bytes, 0)
