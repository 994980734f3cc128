import type { Code } from '../api/diagnostics.ts'
import type { Issue } from '../api/issue.ts'
import {
  CLUSTER_ZONE,
  DNS_CONFIGMAP,
  EGRESS_CONFIGMAP,
  EXPLICIT_BOOTSTRAP,
  EXPLICIT_MTLS_BOOTSTRAP,
  EXPLICIT_NAMES,
  GATEWAY_CONFIGMAP,
  MTLS_BOOTSTRAP,
  MTLS_CLUSTERS,
  ROUTES_CONFIGMAP,
  SIDECARS_ZONE,
} from '../api/names.ts'
import { egressBootstraps } from './egress-bootstrap.ts'
import { gatewayBootstraps } from './gateway-bootstraps.ts'
import { perObject } from './memo.ts'
import { egressCds, egressLds } from './render-egress.ts'
import { explicitBootstrap, explicitNames, explicitSettings } from './render-explicit.ts'
import { gatewayCds, gatewayRds } from './render-gateway.ts'
import { hostsFile } from './render-hosts.ts'
import { plainSidecarCds, sidecarBootstrap, sidecarCds, sidecarSettings } from './render-sidecar.ts'
import { gatewayTlsFiles, sidecarTlsFiles } from './render-tls.ts'
import { zoneFile } from './render-zone.ts'
import { type Part, tooLarge } from './size.ts'
import type { EgressTable, GatewayTable, SidecarTable, Tables } from './tables.ts'

/** The data of one ConfigMap, and why it must not be written, if so. */
export interface FileSet {
  readonly name: string
  readonly files: Readonly<Record<string, string>>
  readonly refusal?: Issue<Code>
}

const fileSet = (name: string, namespace: string, files: FileSet['files'], parts: () => readonly Part[]): FileSet => {
  const refusal = tooLarge({ kind: 'ConfigMap', namespace, name }, files, parts)
  return { name, files, ...(refusal ? { refusal } : {}) }
}

/** Who a peer is stands once in the table, and not at each of its backends. */
const routeText = perObject((route: object) => JSON.stringify(route, (key, value) => (key === 'tls' ? true : value)))
const routeTexts = perObject((routes: readonly object[]) => routes.map(routeText).join(','))

/** The neutral table as a file. Roots and names have ones of their own. */
export const tableFile = ({ routes, trust, ...others }: SidecarTable | GatewayTable | EgressTable): string => {
  const { names: _, ...rest } = others as Omit<SidecarTable, 'routes' | 'trust'>
  const { trustDomain, clusters: peers } = trust ?? {}
  const head = JSON.stringify({ ...rest, trustDomain, peers })
  return `${head.slice(0, -1)},"routes":[${routeTexts(routes)}]}`
}

const sizes =
  <T extends object>(items: readonly T[], nameOf: (item: T) => string) =>
  (): readonly Part[] => {
    const bytes = new Map<string, number>()
    for (const item of items) {
      bytes.set(nameOf(item), (bytes.get(nameOf(item)) ?? 0) + Buffer.byteLength(routeText(item)))
    }
    return [...bytes].map(([name, total]) => ({ name, bytes: total }))
  }

/** For which sidecars a table is: those whose pod was made without an identity, with one, or both. */
export interface Readers {
  readonly plain: boolean
  readonly mtls: boolean
}

/** Those who are made now. */
export const newcomers = ({ trust }: SidecarTable): Readers => ({ plain: !trust, mtls: trust !== undefined })

const explicitFile = (table: SidecarTable, clusterKey: string, mtls: boolean): string =>
  JSON.stringify(explicitBootstrap(explicitSettings(sidecarSettings(clusterKey, table, mtls))))

const plainFiles = (table: SidecarTable, clusterKey: string): FileSet['files'] => ({
  'bootstrap.json': JSON.stringify(sidecarBootstrap(sidecarSettings(clusterKey, table))),
  'cds.json': plainSidecarCds(table),
  ...(table.names ? { [EXPLICIT_BOOTSTRAP]: explicitFile(table, clusterKey, false) } : {}),
})

const mtlsFiles = (table: SidecarTable, clusterKey: string): FileSet['files'] => ({
  [MTLS_BOOTSTRAP]: JSON.stringify(sidecarBootstrap(sidecarSettings(clusterKey, table, true))),
  [MTLS_CLUSTERS]: sidecarCds(table),
  ...(table.trust ? sidecarTlsFiles(table.trust) : {}),
  ...(table.names ? { [EXPLICIT_MTLS_BOOTSTRAP]: explicitFile(table, clusterKey, true) } : {}),
})

/** What sidecars of one namespace read. */
export const sidecarFiles = (table: SidecarTable, clusterKey: string, readers = newcomers(table)): FileSet =>
  fileSet(
    ROUTES_CONFIGMAP,
    table.namespace,
    {
      ...(readers.plain ? plainFiles(table, clusterKey) : {}),
      ...(readers.mtls ? mtlsFiles(table, clusterKey) : {}),
      ...(table.names ? { [EXPLICIT_NAMES]: explicitNames(table.version, table.names) } : {}),
      'table.json': tableFile(table),
    },
    sizes(table.routes, (route) => route.service),
  )

/** What gateways read. `previous` is the table they read now. */
export const gatewayFiles = (
  table: GatewayTable,
  previous: GatewayTable | undefined,
  place: { readonly namespace: string; readonly clusterKey: string },
): FileSet =>
  fileSet(
    GATEWAY_CONFIGMAP,
    place.namespace,
    {
      ...gatewayBootstraps(place.clusterKey, table.ipv6),
      'cds.json': gatewayCds(table, previous),
      'rds.json': gatewayRds(table),
      ...(table.trust ? gatewayTlsFiles(table.trust) : {}),
      'table.json': tableFile(table),
    },
    sizes([...table.routes, ...table.tcp], (route) => route.service),
  )

/** What the proxies read that call for pods without a sidecar. */
export const egressFiles = (
  table: EgressTable,
  place: { readonly namespace: string; readonly clusterKey: string },
): FileSet =>
  fileSet(
    EGRESS_CONFIGMAP,
    place.namespace,
    {
      ...egressBootstraps(place.clusterKey, table.ipv6),
      'cds.json': egressCds(table),
      'lds.json': egressLds(table),
      ...(table.trust ? sidecarTlsFiles(table.trust) : {}),
      // What it says of routes stands in the clusters; room is scarce here.
      'table.json': tableFile({ ...table, routes: [] }),
    },
    sizes(table.routes, (route) => route.service),
  )

/** What mesh DNS reads. */
export const dnsFiles = (tables: Pick<Tables, 'cluster' | 'dns' | 'clusterset'>, namespace: string): FileSet =>
  fileSet(
    DNS_CONFIGMAP,
    namespace,
    {
      hosts: hostsFile(tables),
      [SIDECARS_ZONE]: zoneFile(tables.clusterset, 'captured'),
      [CLUSTER_ZONE]: zoneFile(tables.clusterset, 'direct'),
    },
    sizes(tables.clusterset, ({ namespace: of, name }) => `${of}/${name}`),
  )
