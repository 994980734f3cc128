import { createHash } from 'node:crypto'
import type { GlobalTrafficPolicy } from '../../api/global-traffic-policy.ts'
import type { McsExport } from '../../api/mcs.ts'
import type { KubeObject } from '../../api/meta.ts'
import { FIELD_MANAGER, GATEWAY_CONFIGMAP } from '../../api/names.ts'
import type { ConfigMap } from '../../api/resources.ts'
import type { ServiceExport } from '../../api/service-export.ts'
import type { ServiceImport } from '../../api/service-import.ts'
import { lastApplied, ownedUnder } from '../../kube/owned.ts'
import type { GatewayTable } from '../tables.ts'
import type { ObservedObjects } from './objects.ts'
import { readGatewayTable, readTable } from './read-table.ts'

/** A ConfigMap of ours as it is in the cluster. Contents by their hash: a mesh of many namespaces has many megabytes of them. */
export interface ObservedTable extends KubeObject {
  /** Content hash by key. */
  readonly hashes: Readonly<Record<string, string>>
  /** Keys that the compiler wrote. */
  readonly owned: readonly string[]
  /** Of the neutral table where there is one, else of all content. */
  readonly version: string
  /** When the compiler last changed it, RFC 3339. */
  readonly changedAt?: string
  /** Kept of the gateway alone: its next files depend on them. */
  readonly gateway?: { readonly table: GatewayTable; readonly cds: string }
}

export const hashOf = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 16)

export const hashesOf = (data: Readonly<Record<string, string>>): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(data).map(([key, text]) => [key, hashOf(text)]))

export function observeTable(object: ConfigMap): ObservedTable {
  const { managedFields: _, ...metadata } = object.metadata
  const data = object.data ?? {}
  const hashes = hashesOf(data)
  const version = readTable(data['table.json'])?.version
  const changedAt = lastApplied(object, FIELD_MANAGER.compiler)
  const table = metadata.name === GATEWAY_CONFIGMAP ? readGatewayTable(data['table.json']) : undefined
  return {
    apiVersion: object.apiVersion,
    kind: object.kind,
    metadata,
    hashes,
    owned: ownedUnder(object, FIELD_MANAGER.compiler, ['data']),
    version: version ?? hashOf(JSON.stringify(Object.entries(hashes).toSorted())),
    ...(changedAt === undefined ? {} : { changedAt }),
    ...(table === undefined ? {} : { gateway: { table, cds: data['cds.json'] ?? '' } }),
  }
}

/** Objects whose status the compiler writes. Of managedFields they carry the compiler's own. */
export type Reported = ServiceExport | McsExport | ServiceImport | GlobalTrafficPolicy

/** What the cluster holds of what the compiler writes. */
export interface Observed {
  /** By ns/name. */
  readonly tables: ReadonlyMap<string, ObservedTable>
  readonly imports: ReadonlyMap<string, ServiceImport>
  readonly exports: ReadonlyMap<string, ServiceExport>
  readonly mcsExports: ReadonlyMap<string, McsExport>
  readonly policies: ReadonlyMap<string, GlobalTrafficPolicy>
  readonly objects: ObservedObjects
  /** Namespaces being deleted: nothing can be created there. */
  readonly terminating: ReadonlySet<string>
}
