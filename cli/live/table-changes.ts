import { isDeepStrictEqual } from 'node:util'
import { by, compare } from '../../compiler/order.ts'
import type { Backend, GatewayRoute, ObjectStatus, ServiceRoute, Tables } from '../../compiler/tables.ts'

/** One thing that differs. Absent `before` = it appears, absent `after` = it vanishes. */
interface Difference<T> {
  readonly before?: T
  readonly after?: T
}

/** What would be different in a cluster's tables. Empty lists all over = nothing. */
export interface TableChanges {
  /** Namespaces that get a table, or lose theirs; sorted. */
  readonly namespaces: readonly (Difference<number> & { readonly namespace: string })[]
  /** Calls of pods, by service and port. */
  readonly calls: readonly CallChange[]
  /** Paths of the gateway. */
  readonly paths: readonly (Difference<GatewayRoute> & { readonly path: string })[]
  /** Names that mesh DNS answers. */
  readonly names: readonly (Difference<string> & { readonly name: string })[]
  /** Verdicts on objects. */
  readonly verdicts: readonly (Difference<Verdict> & { readonly object: string; readonly type: string })[]
}

export interface CallChange extends Difference<ServiceRoute> {
  /** namespace/name */
  readonly service: string
  readonly port: number
  /** Namespaces of the mesh for whose pods it changes so; sorted. */
  readonly namespaces: readonly string[]
  /** Where calls go, cluster by cluster, as far as it differs. */
  readonly backends: readonly BackendChange[]
}

export type BackendChange = Difference<PlacedBackend> & { readonly clusterKey: string }

/** A backend with its part of the calls that go to its priority, 0..1. */
export interface PlacedBackend extends Backend {
  readonly share: number
}

interface Verdict {
  readonly status: string
  readonly reason: string
}

export function changesBetween(before: Tables, after: Tables): TableChanges {
  return {
    namespaces: differences(
      new Map(before.sidecars.map(({ namespace, routes }) => [namespace, routes.length])),
      new Map(after.sidecars.map(({ namespace, routes }) => [namespace, routes.length])),
    )
      // How many services a namespace knows is told by the services.
      .filter((each) => each.before === undefined || each.after === undefined)
      .map(({ key, ...rest }) => ({ namespace: key, ...rest })),
    calls: callChanges(before, after),
    paths: differences(pathsOf(before), pathsOf(after)).map(({ key, ...rest }) => ({
      path: key.slice(key.indexOf(' ') + 1),
      ...rest,
    })),
    names: differences(
      new Map(before.dns.map(({ name, address }) => [name, address])),
      new Map(after.dns.map(({ name, address }) => [name, address])),
    ).map(({ key, ...rest }) => ({ name: key, ...rest })),
    verdicts: differences(verdictsOf(before.statuses), verdictsOf(after.statuses)).map(({ key, ...rest }) => {
      const [object = '', type = ''] = key.split('\n')
      return { object, type, ...rest }
    }),
  }
}

/** Whether applying would change anything that proxies, mesh DNS or people see. */
export function isEmpty(changes: TableChanges): boolean {
  return Object.values(changes).every((list) => list.length === 0)
}

/** Of both maps, sorted by key; what is equal in both is left out. */
function differences<T>(
  before: ReadonlyMap<string, T>,
  after: ReadonlyMap<string, T>,
): readonly (Difference<T> & { readonly key: string })[] {
  const keys = [...new Set([...before.keys(), ...after.keys()])].sort(compare)
  return keys.flatMap((key) => {
    const [was, is] = [before.get(key), after.get(key)]
    if (isDeepStrictEqual(was, is)) return []
    return [{ key, ...(was === undefined ? {} : { before: was }), ...(is === undefined ? {} : { after: is }) }]
  })
}

/** Namespaces for which the same changes are told once. Those that join or leave as a whole are told elsewhere. */
function callChanges(before: Tables, after: Tables): readonly CallChange[] {
  const afterOf = new Map(after.sidecars.map((sidecar) => [sidecar.namespace, sidecar]))
  const all = before.sidecars.flatMap(({ namespace, routes }) => {
    const now = afterOf.get(namespace)
    if (now === undefined) return []
    return differences(routesOf(routes), routesOf(now.routes)).map(({ key: _, ...rest }) => ({ namespace, ...rest }))
  })
  const groups = Map.groupBy(all, ({ before: was, after: is }) => JSON.stringify([was, is]))
  return [...groups.values()]
    .flatMap((same): readonly CallChange[] => {
      const [first] = same
      const route = first?.after ?? first?.before
      if (first === undefined || route === undefined) return []
      const { namespace: _, ...change } = first
      return [
        {
          service: route.service,
          port: route.port,
          namespaces: same.map(({ namespace }) => namespace),
          ...change,
          backends: differences(backendsOf(change.before), backendsOf(change.after)).map(({ key, ...rest }) => ({
            clusterKey: key.split(' ')[0] ?? '',
            ...rest,
          })),
        },
      ]
    })
    .sort(
      by(
        ({ service }) => service,
        ({ port }) => port,
        ({ namespaces }) => namespaces.join(' '),
      ),
    )
}

const routesOf = (routes: readonly ServiceRoute[]): ReadonlyMap<string, ServiceRoute> =>
  new Map(routes.map((route) => [`${route.service} ${route.port}`, route]))

/** By clusterKey; a cluster that is there more than once, in different places, is numbered. */
function backendsOf(route: ServiceRoute | undefined): ReadonlyMap<string, PlacedBackend> {
  const placed = new Map<string, PlacedBackend>()
  for (const backend of route?.backends ?? []) {
    const { clusterKey, priority, weight } = backend
    const peers = (route?.backends ?? []).filter((other) => other.priority === priority)
    const share = weight / peers.reduce((sum, peer) => sum + peer.weight, 0)
    let key = clusterKey
    for (let number = 2; placed.has(key); number++) key = `${clusterKey} ${number}`
    placed.set(key, { ...backend, share })
  }
  return placed
}

const pathsOf = ({ gateway }: Tables): ReadonlyMap<string, GatewayRoute> =>
  new Map(gateway.routes.map((route) => [`${route.pathType} ${route.path}`, route]))

/** What is said of objects, by reason: the sentences that go with new reasons are findings of their own. */
function verdictsOf(statuses: readonly ObjectStatus[]): ReadonlyMap<string, Verdict> {
  return new Map(
    statuses.flatMap(({ object, conditions }) =>
      conditions.map(({ type, status, reason }) => [
        `${object.kind} ${object.namespace}/${object.name}\n${type}`,
        { status, reason },
      ]),
    ),
  )
}
