import type { ServicePort } from '../api/core.ts'
import type { Code } from '../api/diagnostics.ts'
import type { GlobalTrafficPolicy } from '../api/global-traffic-policy.ts'
import type { Issue } from '../api/issue.ts'
import type { ServiceImport } from '../api/service-import.ts'
import { parseVipRange } from '../api/vip-range.ts'
import { addressOf, backendsOf, type ImportPort, localBackend, type Remote, remoteBackends } from './backends.ts'
import { accountsNamed, withCallers, workloadAt } from './callers.ts'
import { isHeadless } from './dns-names.ts'
import { keyOf } from './keys.ts'
import { LastAnswers } from './memo.ts'
import { compare } from './order.ts'
import { type Plan, planOf } from './plan.ts'
import { isStream, type Spoken, spokenAt } from './protocol.ts'
import { shortKey } from './render-envoy.ts'
import type { ServiceRoute } from './tables.ts'
import { type TargetState, targetStates } from './targets.ts'
import { isExported, isExternalName, isTcp, tcpPorts, type World } from './world.ts'

export interface RoutedImport {
  /** Whether the plain name `name.namespace` leads to the proxy. */
  readonly routed: boolean
  readonly localService: boolean
  /** Whether the plain name is the cluster's own business, also where the cluster has no such Service. */
  readonly keepsPlain: boolean
  /** Callers go to the addresses of pods. */
  readonly headless: boolean
  /** Sorted by port. Also those of an import that no policy routes: `clusterset.local` names reach them. */
  readonly routes: readonly ServiceRoute[]
  readonly targets: readonly TargetState[]
  readonly issues: readonly Issue<Code>[]
}

interface Port {
  readonly number: number
  readonly imported: ImportPort | undefined
  readonly served: ServicePort | undefined
}

/** The import's ports and the local Service's: a name that leads to the proxy must go on working for all of them. */
const portsOf = (imported: ServiceImport, served: readonly ServicePort[]): readonly Port[] => {
  const tcp = imported.spec.ports.filter(isTcp)
  const numbers = [...new Set([...tcp.map((port) => port.port), ...served.map((port) => port.port)])]
  return numbers
    .sort((a, b) => a - b)
    .map((number) => ({
      number,
      imported: tcp.find((port) => port.port === number),
      served: served.find((port) => port.port === number),
    }))
}

/** What the import says, which is the same in all clusters; of a port that nobody imports, what the Service says. */
const saidOf = ({ imported, served }: Port): Spoken => imported ?? served ?? {}

const servedHere = (world: World, imported: ServiceImport): readonly ServicePort[] => {
  const service = world.services.get(keyOf(imported))
  return service && !isExternalName(service) ? tcpPorts(service) : []
}

/** Whether connections to an import's address must be taken as streams, as a proxy would wait for HTTP in vain. */
export const carriesStreams = (world: World, imported: ServiceImport): boolean =>
  portsOf(imported, servedHere(world, imported)).some((port) => isStream(saidOf(port)))

/** What is decided for one import, here and now. */
export const planFor = (
  world: World,
  imported: ServiceImport | undefined,
  policy: GlobalTrafficPolicy | undefined,
): Plan => {
  const service = imported && keyOf(imported)
  return planOf(policy, world.mesh.clusterKey, {
    imported,
    own: service === undefined ? undefined : world.globals.get(service),
    exported: service !== undefined && isExported(world, service),
  })
}

/** Whether only the clusterset's name leads to the proxy. */
const acrossOnly = ({ spread, keepsPlain }: Plan): boolean => keepsPlain || spread?.decided === 'ClusterSet'

const answers = new LastAnswers<ServiceImport, RoutedImport>()

/**
 * Policy semantics for one import. `vip` is absent when the range is used up: then nothing is routed.
 * An import whose world has not changed gets the very same answer again.
 */
export const routeImport = (
  world: World,
  imported: ServiceImport,
  policy: GlobalTrafficPolicy | undefined,
  vip: string | undefined,
): RoutedImport => {
  const service = keyOf(imported)
  const { mesh, trust, grants, globals } = world
  const parts = [
    ...[mesh.clusterKey, trust, grants, policy, vip, globals.get(service), isExported(world, service)],
    ...[world.services.get(service), ...(world.slices.get(service) ?? [])],
  ]
  return answers.get(imported, parts, () => routed(world, imported, policy, vip))
}

const routed = (
  world: World,
  imported: ServiceImport,
  policy: GlobalTrafficPolicy | undefined,
  vip: string | undefined,
): RoutedImport => {
  const ownKey = world.mesh.clusterKey
  const service = keyOf(imported)
  const object = {
    kind: 'ServiceImport',
    namespace: imported.metadata.namespace ?? 'default',
    name: imported.metadata.name,
  }
  const plan = planFor(world, imported, policy)
  const { spread } = plan
  const sticky = imported.spec.sessionSticky === true
  const localObject = world.services.get(service)
  // What is called by the clusterset's name alone has the clusterset's ports.
  const ports = portsOf(imported, spread?.decided === 'ClusterSet' ? [] : servedHere(world, imported))
  const amongTcp = vip !== undefined && parseVipRange(world.mesh.vipRange).upper.has(vip)

  const issues: Issue<Code>[] = []
  const routes: ServiceRoute[] = []
  const exporting = new Map<string, number>()
  /** Exporting clusters that get no calls to some port, as nobody can tell who answers. */
  const nameless = new Set<string>()
  const isIdentityRequired = world.trust !== undefined && world.mesh.requireIdentity === true
  const deciding: Pick<ServiceRoute, 'decided' | 'affinity' | 'acrossOnly'> = {
    ...(spread ? { decided: spread.decided } : {}),
    ...(spread && spread.affinity !== 'none' ? { affinity: spread.affinity } : {}),
    ...(acrossOnly(plan) ? { acrossOnly: true } : {}),
  }
  let localReady: number | undefined
  /** Whether any port is routed that other clusters may serve, so that the name is worth the proxy. */
  let imports = false

  imported.spec.ports.forEach((port, p) => {
    port.endpoints?.forEach((endpoint, e) => {
      if (addressOf(endpoint) === undefined) {
        const path = `spec.ports[${p}].endpoints[${e}].target`
        issues.push({ code: 'EndpointWithoutAddress', object, path, value: endpoint.clusterKey })
      }
    })
    if (!isTcp(port) && plan.type !== 'Locality') {
      const params = { port: port.port }
      issues.push({ code: 'PortNotRouted', object, path: `spec.ports[${p}].protocol`, value: port.protocol, params })
    }
  })

  for (const port of ports) {
    const said = saidOf(port)
    const stream = isStream(said)
    const exporters = remoteBackends(port.imported, ownKey, world.trust)
    const { able: remotes, unable } = apart(exporters, stream || isIdentityRequired)
    for (const { clusterKey } of unable) nameless.add(clusterKey)
    if (plan.type !== 'Locality' && stream) {
      for (const { clusterKey } of unable) {
        const params = { port: port.number, spoken: spokenAt(said) }
        issues.push({ code: 'ExporterWithoutIdentity', object, path: 'spec.ports', value: clusterKey, params })
      }
    }
    for (const { clusterKey, addresses } of exporters) {
      exporting.set(clusterKey, Math.max(exporting.get(clusterKey) ?? 0, addresses.length))
    }
    const local = localBackend(world, service, port.number, sticky && !stream)
    if (local) localReady = Math.max(localReady ?? 0, local.ready)
    const shared = backendsOf(plan, ownKey, local, remotes)
    // Of a connection that is not HTTP a sidecar does not tell who makes it: the exporter does.
    const backends = stream ? shared : withCallers(world, imported, shared)
    for (const { clusterKey, callers } of backends) {
      if (callers === undefined || callers.length > 0 || plan.type === 'Locality') continue
      const { namespace } = object
      const account = accountsNamed(workloadAt(world, imported, clusterKey))
      const params = { port: port.number, cluster: shortKey(clusterKey), account, namespace }
      issues.push({ code: 'NobodyMayCall', object, path: 'spec.serviceAccountName', params })
    }
    const kind: Pick<ServiceRoute, 'tcp' | 'amongTcp' | 'sticky'> = stream
      ? { tcp: true }
      : { ...(amongTcp ? { amongTcp } : {}), ...(sticky ? { sticky } : {}) }
    if (vip !== undefined)
      routes.push({ service, vip, port: port.number, policy: plan.type, ...deciding, ...kind, backends })
    imports ||= port.imported !== undefined
    if (backends.length === 0 && plan.type !== 'Locality') {
      issues.push({ code: 'NoBackend', object, path: 'spec.ports', params: { port: port.number } })
    }
  }

  if (plan.type !== 'Locality' && isIdentityRequired) {
    for (const value of [...nameless].sort(compare)) {
      issues.push({ code: 'IdentityRequired', object, path: 'spec.ports', value })
    }
  }

  const members = Object.keys(world.trust?.clusters ?? {})
  const leadsHere = plan.type !== 'Locality' && !acrossOnly(plan) && imports && vip !== undefined
  if (plan.type !== 'Locality' && !imports) {
    issues.push({ code: spread ? 'NothingShared' : 'NothingToRoute', object, path: 'spec.ports' })
  }
  return {
    routed: leadsHere,
    localService: localObject !== undefined,
    keepsPlain: plan.keepsPlain,
    headless: isHeadless(imported),
    routes,
    targets: policy ? targetStates(plan, policy, ownKey, routes, exporting, nameless, members, localReady) : [],
    issues,
  }
}

/** Who can be called. A stream is known to a gateway by its TLS handshake alone, so that it needs an identity in any case. */
const apart = (remotes: readonly Remote[], needsIdentity: boolean) => ({
  able: remotes.filter(({ tls }) => !needsIdentity || tls !== undefined),
  unable: remotes.filter(({ tls }) => needsIdentity && tls === undefined),
})
