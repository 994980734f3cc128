import type { Code } from '../api/diagnostics.ts'
import type { Issue } from '../api/issue.ts'
import {
  DNS_CONFIGMAP,
  GATEWAY_CONFIGMAP,
  GATEWAY_MOUNT,
  MTLS_BOOTSTRAP,
  MTLS_CLUSTERS,
  ROUTES_CONFIGMAP,
  ROUTES_MOUNT,
} from '../api/names.ts'
import { perObject } from './memo.ts'
import { gatewayBootstrap, gatewayCds, gatewayRds, gatewaySettings } from './render-gateway.ts'
import { hostsFile } from './render-hosts.ts'
import { sidecarBootstrap, sidecarCds, sidecarSettings } from './render-sidecar.ts'
import { tlsFiles } from './render-tls.ts'
import { type Part, tooLarge } from './size.ts'
import type { DnsRecord, GatewayTable, SidecarTable } from './tables.ts'

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

const routeText = perObject((route: object) => JSON.stringify(route))
const routeTexts = perObject((routes: readonly object[]) => routes.map(routeText).join(','))

/** The neutral table as a file. Roots have one of their own. */
export const tableFile = ({ routes, trust, ...rest }: SidecarTable | GatewayTable): string => {
  const head = JSON.stringify(trust ? { ...rest, trustDomain: trust.trustDomain } : rest)
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

/** What sidecars of one namespace read. */
export const sidecarFiles = (table: SidecarTable, clusterKey: string): FileSet =>
  fileSet(
    ROUTES_CONFIGMAP,
    table.namespace,
    {
      'bootstrap.json': JSON.stringify(sidecarBootstrap(sidecarSettings(clusterKey))),
      [table.trust ? MTLS_CLUSTERS : 'cds.json']: sidecarCds(table),
      ...(table.trust ? tlsFiles(table.trust.bundle, ROUTES_MOUNT) : {}),
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
      'bootstrap.json': JSON.stringify(gatewayBootstrap(gatewaySettings(place.clusterKey))),
      ...(table.trust
        ? { [MTLS_BOOTSTRAP]: JSON.stringify(gatewayBootstrap({ ...gatewaySettings(place.clusterKey), mtls: true })) }
        : {}),
      'cds.json': gatewayCds(table, previous),
      'rds.json': gatewayRds(table),
      ...(table.trust ? tlsFiles(table.trust.bundle, GATEWAY_MOUNT) : {}),
      'table.json': tableFile(table),
    },
    sizes(table.routes, (route) => route.service),
  )

/** What mesh DNS reads. */
export const dnsFiles = (records: readonly DnsRecord[], namespace: string): FileSet =>
  fileSet(
    DNS_CONFIGMAP,
    namespace,
    { hosts: hostsFile(records) },
    sizes(records, (record) => record.name.split('.').slice(0, 2).reverse().join('/')),
  )
