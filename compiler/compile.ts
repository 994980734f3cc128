import type { Code } from '../api/diagnostics.ts'
import type { Issue } from '../api/issue.ts'
import type { ServiceImport } from '../api/service-import.ts'
import { clusterProperties } from './cluster-properties.ts'
import { dnsRecords } from './dns.ts'
import { clustersetNames, isHeadless } from './dns-names.ts'
import { egressOf } from './egress.ts'
import { hasIpv6 } from './families.ts'
import { gatewayRoutes, gatewayTcp, serveExports } from './gateway.ts'
import { gatewayThatFits } from './gateway-room.ts'
import { keyOf } from './keys.ts'
import { standardImports } from './mcs-import.ts'
import { importNames } from './names.ts'
import { by } from './order.ts'
import { carriesStreams, routeImport } from './routes.ts'
import { type Scope, scopesOf } from './scope.ts'
import { leftOutOf, sidecarsThatFit } from './sidecar-room.ts'
import type { Snapshot } from './snapshot.ts'
import { exportStatuses, importStatus, notProgrammed, policyIssues, policyStatus } from './status.ts'
import type { ServiceRoute, SidecarTable, Tables, VipAssignment } from './tables.ts'
import { tableVersion } from './version.ts'
import { tcpRangeOf, vipsFrom } from './vips.ts'
import { globalIssues, type World, worldOf } from './world.ts'

/**
 * Decides everything that one cluster's proxies, DNS and statuses should say. Pure and total: any snapshot has tables,
 * and the order of its objects changes no byte of them.
 *
 * @param previous the tables before; only addresses are taken from it, for imports that do not carry theirs yet
 * @throws when a mesh setting is malformed, which is a mistake of installation
 */
export const compile = (snapshot: Snapshot, previous?: Tables): Tables => {
  const world = worldOf(snapshot)
  const there = new Set(world.imports.map(keyOf))
  const withdrawn = (snapshot.withdrawn ?? []).filter((object) => !there.has(keyOf(object)))
  const { vips: given, issues: vipIssues } = vipsFrom(snapshot.mesh.vipRange).allocate(
    [...withdrawn, ...world.imports].filter((object) => !isHeadless(object)),
    previous?.vips ?? [],
    (object) => carriesStreams(world, object),
  )
  const isThere = ({ namespace, name }: VipAssignment): boolean => there.has(`${namespace}/${name}`)
  const vips = [...given.filter(isThere), ...world.imports.filter(isHeadless).map(withoutAddress)].sort(
    by(
      (vip) => vip.namespace,
      (vip) => vip.name,
    ),
  )
  const tcpRange = tcpRangeOf(snapshot.mesh.vipRange)
  const vipOf = new Map(vips.map((vip) => [`${vip.namespace}/${vip.name}`, vip.ips[0]]))

  const routedImports = [...world.imports].sort(by(keyOf)).map((object) => {
    const key = keyOf(object)
    const vip = vipOf.get(key)
    const addressIssues = vipIssues.filter((issue) => keyOfIssue(issue) === key)
    const routed = routeImport(world, object, world.policies.get(key), vip)
    return { key, object, vip, routed: { ...routed, issues: [...addressIssues, ...routed.issues] } }
  })
  const egress = egressOf(
    world,
    snapshot.namespaces,
    routedImports.map(({ object, routed: { routes } }) => ({ object, routes })),
    previous?.egress,
  )
  const imports = routedImports.map(({ routed, ...rest }) => {
    const issues = egress?.issues.filter((issue) => keyOfIssue(issue) === rest.key) ?? []
    return { ...rest, routed: issues.length === 0 ? routed : { ...routed, issues: [...routed.issues, ...issues] } }
  })
  const routedOf = new Map(imports.map((each) => [each.key, each.routed]))
  const policies = [...world.policies.values()].sort(by(keyOf))

  const scopes = scopesOf(snapshot)
  const ipv6 = hasIpv6(snapshot.mesh.vipRange, snapshot.services) ? ({ ipv6: true } as const) : {}
  const trust = snapshot.trust ? { trust: snapshot.trust } : {}
  const explicit = new Set(snapshot.explicit)
  const named = imports.map(({ object, vip, routed }) => ({
    namespace: object.metadata.namespace ?? 'default',
    name: object.metadata.name,
    vip,
    routed: routed.routed,
    localService: routed.localService || routed.keepsPlain,
  }))
  const everyName = { domain: snapshot.mesh.clusterDomain, imports: importNames(named) }
  const namesFor = (includes: Scope['includes']) =>
    includes ? { ...everyName, imports: everyName.imports.filter(({ service }) => includes(service)) } : everyName
  // One list for all who know everything, so that whatever is made of it is made once.
  const everything = [
    ...imports.flatMap(({ routed }) => routed.routes),
    ...withdrawn.flatMap((object) => heldRoutes(world, object, given)),
  ].sort(
    by(
      (route) => route.service,
      (route) => route.port,
    ),
  )
  const { clusterKey } = snapshot.mesh
  const tables = scopes.map(({ namespace, includes }): SidecarTable => {
    const routes = includes ? everything.filter(({ service }) => includes(service)) : everything
    const names = explicit.has(namespace) ? { names: namesFor(includes) } : {}
    const version = tableVersion(routes, snapshot.trust, names.names)
    return { namespace, version, ...ipv6, ...trust, ...names, tcpRange, routes }
  })
  const sidecars = sidecarsThatFit(tables, clusterKey, (service) => there.has(service))
  const uncalled = leftOutOf(sidecars)

  const served = serveExports(world)
  const routes = gatewayRoutes(world, served, snapshot.served ?? [])
  const tcp = gatewayTcp(served)
  const version = tableVersion([...routes, ...tcp], snapshot.trust)
  const gateway = gatewayThatFits({ version, ...ipv6, ...trust, routes, tcp }, clusterKey)

  const issues: readonly Issue<Code>[] = [
    ...served.flatMap((each) => [...each.faults, ...each.remarks]),
    // What the policy lacks is said of the policy.
    ...imports.flatMap(({ key, routed }) =>
      routed.issues.filter((issue) => !world.policies.has(key) || !ABOUT_POLICY.has(issue.code)),
    ),
    ...globalIssues(world),
    ...policies.flatMap((policy) => policyIssues(policy, routedOf.get(keyOf(policy)))),
    ...scopes.flatMap((scope) => scope.issues),
    ...(world.grants?.issues ?? []),
    ...gateway.leftOut.values(),
    ...uncalled.values(),
  ]

  return {
    cluster: { key: clusterKey, domain: snapshot.mesh.clusterDomain },
    sidecars: sidecars.map(({ table }) => table),
    gateway: gateway.table,
    ...(egress ? { egress: egress.table } : {}),
    dns: dnsRecords(named, snapshot.mesh),
    clusterset: clustersetNames({
      imports,
      services: world.services,
      endpointSlices: snapshot.endpointSlices,
      egress: snapshot.mesh.egressNamespace !== undefined,
    }),
    vips,
    objects: [
      ...(egress?.objects ?? []),
      ...standardImports(snapshot, world, imports),
      ...clusterProperties(clusterKey, snapshot.membership),
    ].sort(
      by(
        ({ kind }) => kind,
        ({ namespace = '' }) => namespace,
        ({ name }) => name,
      ),
    ),
    statuses: [
      ...served.flatMap(exportStatuses).map((status) => notProgrammed(status, gateway.leftOut)),
      ...[
        ...imports.map(({ object, routed }) => importStatus(object, routed, clusterKey)),
        ...policies.map((policy) => policyStatus(policy, routedOf.get(keyOf(policy)))),
      ].map((status) => notProgrammed(status, uncalled)),
    ].sort(
      by(
        ({ object }) => object.kind,
        ({ object }) => object.namespace ?? '',
        ({ object }) => object.name,
        ({ object }) => object.group ?? '',
      ),
    ),
    issues: [...issues].sort(
      by(
        ({ object }) => object.kind,
        ({ object }) => object.namespace ?? '',
        ({ object }) => object.name,
        (issue) => issue.path,
        (issue) => issue.code,
        (issue) => JSON.stringify(issue),
      ),
    ),
  }
}

const withoutAddress = ({ metadata: { namespace = 'default', name } }: ServiceImport): VipAssignment => ({
  namespace,
  name,
  ips: [],
})

/** Where calls go that are still made to the address of an import that is gone: to whom its name means now. */
const heldRoutes = (world: World, object: ServiceImport, given: readonly VipAssignment[]): readonly ServiceRoute[] => {
  const vip = given.find(({ namespace, name }) => `${namespace}/${name}` === keyOf(object))?.ips[0]
  return routeImport(world, object, undefined, vip).routes.filter(({ backends }) => backends.length > 0)
}

const ABOUT_POLICY: ReadonlySet<Code> = new Set(['NoBackend', 'NothingToRoute'])

const keyOfIssue = ({ object }: Issue): string => `${object.namespace}/${object.name}`
