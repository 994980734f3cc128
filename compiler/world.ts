import { isIP } from 'node:net'
import type { EndpointSlice, Service, ServicePort } from '../api/core.ts'
import type { Code } from '../api/diagnostics.ts'
import { type GlobalService, globalService, globalServiceIssues } from '../api/global-service.ts'
import type { GlobalTrafficPolicy } from '../api/global-traffic-policy.ts'
import type { Issue } from '../api/issue.ts'
import type { ServiceImport } from '../api/service-import.ts'
import { type DeclaredExport, declaredExports } from './doors.ts'
import { byKey, keyOf, oldestFirst } from './keys.ts'
import { perObject } from './memo.ts'
import { by, unique } from './order.ts'
import type { MeshSettings, Snapshot } from './snapshot.ts'
import type { Trust } from './tables.ts'
import { type Grants, grantsOf } from './traffic-targets.ts'

export interface Address {
  readonly host: string
  readonly port: number
}

/** A snapshot put in order and made easy to ask. */
export interface World {
  readonly mesh: MeshSettings
  readonly trust?: Trust
  /** Absent while everybody may call everything. */
  readonly grants?: Grants
  /** By age, the oldest first; of the same second by namespace and name. */
  readonly imports: readonly ServiceImport[]
  /** By age, as imports are. */
  readonly exports: readonly DeclaredExport[]
  readonly policies: ReadonlyMap<string, GlobalTrafficPolicy>
  readonly services: ReadonlyMap<string, Service>
  readonly slices: ReadonlyMap<string, readonly EndpointSlice[]>
  /** What annotations say of Services, where these are shared by them; without those that say nothing. */
  readonly globals: ReadonlyMap<string, GlobalService>
}

export const worldOf = (snapshot: Snapshot): World => {
  const slices = new Map<string, EndpointSlice[]>()
  for (const slice of [...snapshot.endpointSlices].sort(by(keyOf))) {
    const service = slice.metadata.labels?.['kubernetes.io/service-name']
    if (service === undefined) continue
    const key = `${slice.metadata.namespace ?? 'default'}/${service}`
    const known = slices.get(key)
    if (known) known.push(slice)
    else slices.set(key, [slice])
  }
  return {
    mesh: snapshot.mesh,
    ...(snapshot.trust ? { trust: snapshot.trust } : {}),
    ...(snapshot.access ? { grants: grantsOf(snapshot.access) } : {}),
    imports: oldestFirst(snapshot.imports),
    exports: oldestFirst(declaredExports(snapshot)),
    policies: byKey(snapshot.policies),
    services: byKey(snapshot.services),
    slices,
    globals: snapshot.globalServices ? globalsOf(snapshot.services) : new Map(),
  }
}

/** Of one Service always the very same value. */
const said = perObject(globalService)

const globalsOf = (services: readonly Service[]): World['globals'] =>
  new Map(
    services.flatMap((service) => {
      const found = said(service)
      return found === undefined ? [] : [[keyOf(service), found] as const]
    }),
  )

const issuesOf = perObject(globalServiceIssues)

/** What is to be said about the annotations of Services. */
export const globalIssues = ({ services, globals }: World): readonly Issue<Code>[] =>
  [...globals.keys()].flatMap((key) => {
    const service = services.get(key)
    return service ? issuesOf(service) : []
  })

const exportsByKey = perObject((exports: World['exports']) => byKey(exports))

/** Whether this cluster offers a service to others, by whatever door. @param service namespace/name */
export const isExported = ({ exports }: World, service: string): boolean => exportsByKey(exports).has(service)

const isPort = (port: number): boolean => Number.isInteger(port) && port >= 1 && port <= 65_535

/** Pods that are ready to answer on one port of a Service: sorted, each once. */
export const readyEndpoints = (world: World, service: string, port: ServicePort): readonly Address[] => {
  const addresses: Address[] = []
  for (const slice of world.slices.get(service) ?? []) {
    if (slice.addressType === 'FQDN') continue
    const open = slice.ports?.find((candidate) => (candidate.name ?? '') === (port.name ?? ''))?.port
    if (open === undefined || !isPort(open)) continue
    for (const endpoint of slice.endpoints ?? []) {
      const host = endpoint.addresses?.[0]
      // Kubernetes asks consumers to take an unknown readiness for ready.
      if (host !== undefined && isIP(host) !== 0 && endpoint.conditions?.ready !== false)
        addresses.push({ host, port: open })
    }
  }
  const name = (address: Address): string => `${address.host} ${address.port}`
  return unique(
    addresses.sort(
      by(
        (address) => address.host,
        (address) => address.port,
      ),
    ),
    name,
  )
}

export const isExternalName = (service: Service): boolean => service.spec.type === 'ExternalName'

/** The Service's own address, which kube-proxy spreads over its pods. None for a headless Service or an ExternalName. */
export const clusterAddress = (service: Service): string | undefined => {
  if (isExternalName(service)) return undefined
  const candidates = [service.spec.clusterIP, ...(service.spec.clusterIPs ?? [])]
  return candidates.find((address) => isIP(address ?? '') !== 0)
}

/** Of any protocol; only those that an API server would have taken. */
export const portsOf = (service: Service): readonly ServicePort[] =>
  (service.spec.ports ?? []).filter(({ port }) => isPort(port))

export const tcpPorts = (service: Service): readonly ServicePort[] =>
  portsOf(service)
    .filter(isTcp)
    .sort(by((port) => port.port))

export const isTcp = ({ protocol = 'TCP' }: Pick<ServicePort, 'protocol'>): boolean => protocol === 'TCP'
