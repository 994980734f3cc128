/** The golden cases of compilation: manifests in, tables and Envoy files out. The file's name is the case's. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseAllDocuments } from 'yaml'
import type { KubeObject } from '../../api/meta.ts'
import { compile } from '../../compiler/compile.ts'
import { type MeshSettings, type Snapshot, snapshotOf } from '../../compiler/snapshot.ts'
import type { Tables, Trust } from '../../compiler/tables.ts'
import { mesh } from './build.ts'

export const GOLDEN = join(import.meta.dirname, '../golden/compile')

/** An optional document of a case: settings that differ, and the objects of the compilation before. */
interface Settings extends Partial<MeshSettings> {
  readonly kind: 'Settings'
  readonly before?: readonly KubeObject[]
  readonly trust?: Trust
  /** Until when gateways serve on what they served in the compilation before. */
  readonly until?: string
}

export interface Case {
  readonly name: string
  readonly snapshot: Snapshot
  readonly previous: Tables | undefined
  readonly tables: Tables
}

const read = (file: string): Case => {
  const documents = parseAllDocuments(readFileSync(join(GOLDEN, file), 'utf8')).map(
    (document) => document.toJS() as KubeObject | Settings,
  )
  const isSettings = (document: KubeObject | Settings): document is Settings => document.kind === 'Settings'
  const { kind: _, before, until, trust, ...settings } = documents.find(isSettings) ?? { kind: 'Settings' }
  const objects = documents.filter((document): document is KubeObject => !isSettings(document))
  const now = { ...snapshotOf({ ...mesh, ...settings }, objects), ...(trust ? { trust } : {}) }
  const previous = before && compile({ ...now, ...snapshotOf(now.mesh, before) })
  const served = until === undefined ? [] : (previous?.gateway.routes ?? []).map((route) => ({ ...route, until }))
  const snapshot = { ...now, served }
  return { name: file.replace('.in.yaml', ''), snapshot, previous, tables: compile(snapshot, previous) }
}

export const cases: readonly Case[] = readdirSync(GOLDEN)
  .filter((file) => file.endsWith('.in.yaml'))
  .sort()
  .map(read)
