/** Laws of what a cluster makes of services that no policy routes, whatever door they come through. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { globalService } from '../../api/global-service.ts'
import { compile } from '../../compiler/compile.ts'
import { keyOf } from '../../compiler/keys.ts'
import type { Snapshot } from '../../compiler/snapshot.ts'
import type { ServiceRoute, Tables } from '../../compiler/tables.ts'
import { tcpPorts } from '../../compiler/world.ts'
import { clusterKey } from './build.ts'
import { offered } from './worlds.ts'

const OWN = clusterKey('west')

const law = (name: string, holds: (snapshot: Snapshot, tables: Tables) => void): void =>
  test(name, () =>
    fc.assert(
      fc.property(offered, (snapshot) => holds(snapshot, compile(snapshot))),
      { numRuns: 300 },
    ),
  )

const routesOf = (tables: Tables): readonly ServiceRoute[] => tables.sidecars[0]?.routes ?? []
const importOf = ({ imports }: Snapshot, { service }: ServiceRoute) => imports.find((each) => keyOf(each) === service)
const serviceOf = ({ services }: Snapshot, { service }: ServiceRoute) =>
  services.find((each) => keyOf(each) === service)

/** Pods that are ready at a port, by cluster; as many as an exporter says at most, one where it does not say. */
const readyAt = (snapshot: Snapshot, route: ServiceRoute): ReadonlyMap<string, number> => {
  const port = importOf(snapshot, route)?.spec.ports.find((each) => each.port === route.port)
  const counts = new Map<string, number>()
  for (const { clusterKey: key, backends } of port?.endpoints ?? []) {
    if (key === OWN || backends === undefined) continue
    counts.set(key, Math.max(counts.get(key) ?? 0, backends))
  }
  return counts
}

describe('without a policy', () => {
  law('a name is routed as somebody decided, and only then', (snapshot, tables) => {
    for (const route of routesOf(tables)) {
      const { service, decided, acrossOnly, policy } = route
      const doors = importOf(snapshot, route)?.spec.doors ?? ['ServiceExport']
      const said = serviceOf(snapshot, route)
      const isGlobal = snapshot.globalServices === true && said !== undefined && globalService(said)?.global === true
      const hasPolicy = snapshot.policies.some((each) => keyOf(each) === service)
      const byAnnotation = isGlobal && doors.includes('GlobalService')
      expect(decided).toBe(
        hasPolicy ? undefined : byAnnotation ? 'GlobalService' : doors.includes('MCS') ? 'ClusterSet' : undefined,
      )
      if (decided === undefined && !hasPolicy) expect(policy).toBe('Locality')
      const [name, namespace] = service.split('/').reverse()
      const plain = tables.dns.find((each) => each.name === `${name}.${namespace}.svc.cluster.local`)?.address
      if (acrossOnly && (decided !== 'ClusterSet' || !doors.includes('ServiceExport'))) expect(plain).toBeUndefined()
      const imported = importOf(snapshot, route)?.spec.ports.length
      if (decided === 'GlobalService') expect(plain).toBe(imported === 0 ? undefined : route.vip)
      if (decided === 'ClusterSet') expect(plain).not.toBe(route.vip)
    }
  })

  law('every ready pod gets as many calls as any other of its turn', (snapshot, tables) => {
    for (const route of routesOf(tables)) {
      if (route.decided === undefined) continue
      const ready = readyAt(snapshot, route)
      for (const { clusterKey: key, local, weight } of route.backends)
        if (!local) expect(weight).toBe(Math.max(1, ready.get(key) ?? 1))
    }
  })

  law('whoever can be called is in the table, so that nothing disappears', (snapshot, tables) => {
    for (const route of routesOf(tables)) {
      if (route.decided === undefined) continue
      const port = importOf(snapshot, route)?.spec.ports.find((each) => each.port === route.port)
      const exporters = new Set(
        (port?.endpoints ?? []).map((each) => each.clusterKey).filter((key) => key !== OWN && !needsTls(route, key)),
      )
      expect(new Set(route.backends.filter(({ local }) => !local).map((each) => each.clusterKey))).toEqual(exporters)
    }

    function needsTls({ tcp }: ServiceRoute, key: string) {
      return tcp === true && snapshot.trust?.clusters[key] === undefined
    }
  })

  law('nobody without a ready pod is called before one who has some', (snapshot, tables) => {
    for (const route of routesOf(tables)) {
      if (route.decided === undefined) continue
      const ready = readyAt(snapshot, route)
      const others = route.backends.filter(({ local }) => !local)
      const last = others.filter(({ clusterKey: key }) => ready.get(key) === 0).map(({ priority }) => priority)
      const first = others.filter(({ clusterKey: key }) => ready.get(key) !== 0).map(({ priority }) => priority)
      if (last.length > 0 && first.length > 0) expect(Math.min(...last)).toBeGreaterThan(Math.max(...first))
    }
  })

  law('affinity says whose turn it is, and no affinity that it is everybody’s', (_, tables) => {
    for (const { decided, affinity, backends } of routesOf(tables)) {
      if (decided !== 'GlobalService') continue
      const [first] = backends
      const turns = (local: boolean) => backends.filter((each) => each.local === local).map((each) => each.priority)
      if (affinity !== undefined && first !== undefined && turns(true).length > 0 && turns(false).length > 0)
        expect(turns(true).some((turn) => turns(false).includes(turn))).toBe(false)
      if (affinity === undefined) expect(new Set(backends.map((each) => each.priority)).size).toBeLessThanOrEqual(2)
    }
  })

  law('pods of the own Service answer the clusterset’s name only if it is exported', (snapshot, tables) => {
    for (const route of routesOf(tables)) {
      if (route.decided !== 'ClusterSet') continue
      const said = serviceOf(snapshot, route)
      const isShared = snapshot.globalServices === true && said !== undefined && globalService(said)?.shared === true
      const isExported =
        isShared || [...snapshot.exports, ...(snapshot.mcsExports ?? [])].some((each) => keyOf(each) === route.service)
      const serves = said !== undefined && tcpPorts(said).some((each) => each.port === route.port)
      if (!isExported || !serves) expect(route.backends.some(({ local }) => local)).toBe(false)
      else if (said.spec.type !== 'ExternalName' && said.spec.clusterIP !== 'None')
        expect(route.backends.some(({ local }) => local)).toBe(true)
    }
  })

  law('the order of objects changes nothing', (snapshot, tables) => {
    const reversed: Snapshot = {
      ...snapshot,
      services: snapshot.services.toReversed(),
      endpointSlices: snapshot.endpointSlices.toReversed(),
      imports: snapshot.imports.toReversed(),
      exports: snapshot.exports.toReversed(),
      mcsExports: (snapshot.mcsExports ?? []).toReversed(),
      policies: snapshot.policies.toReversed(),
    }
    expect(compile(structuredClone(reversed))).toEqual(tables)
  })
})
