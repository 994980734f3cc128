/** Which imports pods without a sidecar may call, and by what: a Service of ours that leads to the egress. */
import type { Namespace } from '../api/core.ts'
import type { Code } from '../api/diagnostics.ts'
import type { Issue } from '../api/issue.ts'
import { EGRESS_SERVICE } from '../api/names.ts'
import type { ServiceImport } from '../api/service-import.ts'
import { referenceOf } from './conditions.ts'
import { derivedFrom, derivedName } from './derived.ts'
import { derivedObjects } from './derived-objects.ts'
import { egressPorts } from './egress-ports.ts'
import { type EgressEntry, egressThatFits } from './egress-room.ts'
import { hasIpv6 } from './families.ts'
import { keyOf } from './keys.ts'
import type { WantedObject } from './objects.ts'
import { SIZE_LIMIT_KB } from './size.ts'
import type { EgressListener, EgressTable, ServiceRoute } from './tables.ts'
import { tableVersion } from './version.ts'
import { tcpPorts, type World } from './world.ts'

/** An import with what was decided of it. */
export interface EgressImport {
  readonly object: ServiceImport
  /** Sorted by port. */
  readonly routes: readonly ServiceRoute[]
}

export interface Egress {
  readonly table: EgressTable
  readonly objects: readonly WantedObject[]
  /** About ServiceImports. */
  readonly issues: readonly Issue<Code>[]
}

const portKey = (service: string, port: number): string => `${service} ${port}`

/**
 * What the egress is to do. Nothing where there is none.
 *
 * @param imports sorted by namespace and name
 * @param previous the table before: ports are taken from it that no Service tells yet
 */
export const egressOf = (
  world: World,
  namespaces: readonly Namespace[],
  imports: readonly EgressImport[],
  previous: EgressTable | undefined,
): Egress | undefined => {
  const { egressNamespace, vipRange } = world.mesh
  if (egressNamespace === undefined) return undefined
  const ending = new Set(
    namespaces.filter(({ metadata }) => metadata.deletionTimestamp !== undefined).map(({ metadata }) => metadata.name),
  )
  const reachable = imports.filter(
    ({ object, routes }) =>
      object.spec.type !== 'Headless' && routes.length > 0 && !ending.has(object.metadata.namespace ?? 'default'),
  )
  const strangers = reachable.filter(({ object }) => isTaken(world, object))
  const served = reachable.filter((each) => !strangers.includes(each))
  const ports = portsOf(world, served, previous)

  const withPorts = served.map(({ object, routes: all }) => {
    const key = keyOf(object)
    const listeners = all.flatMap(({ service, port, tcp }): readonly EgressListener[] => {
      const at = ports.get(portKey(key, port))
      return at === undefined ? [] : [{ at, service, port, ...(tcp ? { tcp } : {}) }]
    })
    const routes = all.filter(({ port }) => listeners.some((listener) => listener.port === port))
    const lacking = all.filter((route) => !routes.includes(route))
    return { object, routes, lacking, listeners, wanted: world.policies.get(key)?.spec.requireSidecar !== true }
  })
  const { trust } = world
  const tableOf = (entries: readonly EgressEntry[]): EgressTable => {
    const routes = entries.flatMap((each) => each.routes)
    const listeners = entries.flatMap((each) => each.listeners)
    return {
      version: tableVersion(routes, trust, listeners),
      ...(hasIpv6(vipRange, [...world.services.values()]) ? { ipv6: true } : {}),
      ...(trust ? { trust } : {}),
      routes,
      listeners,
    }
  }
  const wanted = withPorts.filter((each) => each.wanted)
  const place = { namespace: egressNamespace, clusterKey: world.mesh.clusterKey }
  const open = egressThatFits(byAge(world, wanted), tableOf([]), place)
  const pods = egressPods(world, egressNamespace)
  return {
    table: tableOf(wanted.filter((each) => open.has(each))),
    objects: withPorts.flatMap((each) =>
      each.listeners.length > 0 ? derivedObjects(each.object, each.listeners, open.has(each) ? pods : NOBODY) : [],
    ),
    issues: [
      ...strangers.map(
        ({ object }): Issue<Code> => ({
          code: 'DerivedServiceForeign',
          object: referenceOf(object),
          path: '',
          params: { name: derivedName(keyOf(object)) },
        }),
      ),
      ...wanted
        .filter((each) => !open.has(each))
        .map(
          ({ object }): Issue<Code> => ({
            code: 'EgressFull',
            object: referenceOf(object),
            path: '',
            params: { limit: SIZE_LIMIT_KB },
          }),
        ),
      ...withPorts.flatMap(({ object, lacking }) =>
        lacking.map(
          ({ port }): Issue<Code> => ({
            code: 'EgressPortsExhausted',
            object: referenceOf(object),
            path: 'spec.ports',
            params: { port },
          }),
        ),
      ),
    ],
  }
}

const derivedService = (world: World, object: ServiceImport) =>
  world.services.get(`${object.metadata.namespace ?? 'default'}/${derivedName(keyOf(object))}`)

/** Whether somebody else has a Service of the name. */
const isTaken = (world: World, object: ServiceImport): boolean => {
  const there = derivedService(world, object)
  return there !== undefined && derivedFrom(there) !== keyOf(object)
}

/** The oldest first. */
const byAge = <T extends Pick<EgressImport, 'object'>>({ imports }: World, all: readonly T[]): readonly T[] => {
  const age = new Map(imports.map((object, index) => [object, index]))
  return all.toSorted((a, b) => (age.get(a.object) ?? 0) - (age.get(b.object) ?? 0))
}

const portsOf = (
  world: World,
  imports: readonly EgressImport[],
  previous: EgressTable | undefined,
): ReadonlyMap<string, number> => {
  const remembered = new Map(previous?.listeners.map(({ service, port, at }) => [portKey(service, port), at]))
  return egressPorts(
    byAge(world, imports).flatMap(({ object, routes }) => {
      const there = derivedService(world, object)
      const written = new Map(there && tcpPorts(there).map(({ port, targetPort }) => [port, Number(targetPort)]))
      return routes.map(({ service, port }) => {
        const key = portKey(service, port)
        return { key, written: written.get(port), remembered: remembered.get(key) }
      })
    }),
  )
}

/** Addresses that take calls, by family; each sorted. */
export type EgressPods = Readonly<Record<'IPv4' | 'IPv6', readonly string[]>>

const NOBODY: EgressPods = { IPv4: [], IPv6: [] }

const egressPods = (world: World, namespace: string): EgressPods => {
  const slices = world.slices.get(`${namespace}/${EGRESS_SERVICE}`) ?? []
  const ready = (family: keyof EgressPods) =>
    slices
      .filter(({ addressType }) => addressType === family)
      .flatMap(({ endpoints = [] }) => endpoints)
      .flatMap(({ addresses, conditions }) => (conditions?.ready === false ? [] : (addresses?.[0] ?? [])))
  return { IPv4: [...new Set(ready('IPv4'))].sort(), IPv6: [...new Set(ready('IPv6'))].sort() }
}
