import type { EndpointSlice } from '../api/core.ts'
import { applyDefaults } from '../api/defaults.ts'
import type { ManifestCode } from '../api/diagnostics/manifests.ts'
import type { KubeObject } from '../api/meta.ts'
import { MANAGED_BY } from '../api/names.ts'
import { byKey } from '../compiler/keys.ts'
import type { Backends } from '../federation/constituent.ts'
import { observeSlice } from '../federation/controller/observed-slices.ts'
import { CLUSTER_MESH, sharesByAnnotation } from '../federation/global-services.ts'
import { type Federation, merge } from '../federation/merge.ts'
import type { MemberImports } from '../federation/merge-service.ts'
import { readyByPort } from '../federation/slices.ts'
import { validateObject } from '../webhook/validate.ts'
import { at, unsaid } from './check.ts'
import { type Folder, readClusterset } from './clusterset.ts'
import { documents, type Made, writeAll } from './federated-files.ts'
import { type ExitCode, type Io, UsageError } from './io.ts'
import type { Finding } from './manifests.ts'
import { byKind } from './objects.ts'
import { amount, exitCode, findingData, findingLine, inFileOrder, painter, serialize } from './print.ts'

export interface FederateOptions {
  readonly filename: readonly string[]
  readonly namespace: string
  readonly output: 'yaml' | 'json'
  readonly colors: boolean
  /** Whether namespaces are made that imports need. */
  readonly namespaces: boolean
  /** Name of the only cluster to print. */
  readonly for?: string
  /** Directory for a file per cluster. */
  readonly out?: string
}

/** `portolan federate`: what each cluster imports, as manifests to apply or to commit; findings on stderr. */
export async function federateCommand(options: FederateOptions, io: Io): Promise<ExitCode> {
  const { federation, folders, findings } = await federateFiles(options, io)
  const made = (federation?.members ?? []).map((member) => madeFor(member, folders, options.namespaces))
  const shown = options.for === undefined ? made : made.filter(({ cluster }) => cluster === options.for)
  if (options.for !== undefined && federation !== undefined && shown.length === 0)
    throw new UsageError(`--for ${options.for}: the files hold no such Cluster`)

  if (options.output === 'json') {
    const exports = (federation?.exports ?? []).map(({ issues: _, ...verdict }) => verdict)
    io.out(serialize({ clusters: shown, exports, findings: findings.map(findingData) }, 'json'))
  } else {
    const paint = painter(options.colors)
    for (const finding of findings) io.err(findingLine(finding, paint))
    if (federation === undefined) io.err('Nothing was merged: correct the errors first.\n')
    else io.err(summary(federation))
    if (options.out === undefined) io.out(shown.map(documents).filter(Boolean).join('---\n'))
  }
  if (options.out !== undefined && federation !== undefined)
    for (const line of await writeAll(options.out, made)) if (options.output === 'yaml') io.out(line)
  return exitCode(findings)
}

interface Federated {
  /** Absent when the objects would not be admitted: half of the exports would withdraw the other half. */
  readonly federation?: Federation
  readonly folders: readonly Folder[]
  readonly findings: readonly Finding[]
}

async function federateFiles(options: FederateOptions, io: Io): Promise<Federated> {
  const { clusters, folders, findings } = await readClusterset(options.filename, options.namespace, io)
  const before = [...findings, ...folders.flatMap((folder) => folder.findings)]
  if (exitCode(before) !== 0) return { folders, findings: inFileOrder(before) }

  const members = folders.map(({ cluster, manifests }) => {
    const { exports, mcsExports, services, endpointSlices } = byKind(manifests)
    const { globalServices } = clusters.find(({ metadata }) => metadata.name === cluster)?.spec ?? {}
    return {
      cluster,
      exports: exports.map(applyDefaults),
      mcsExports,
      services,
      globalServices: sharesByAnnotation(globalServices, byKey(services).has(CLUSTER_MESH)),
      backends: backendsIn(endpointSlices),
    }
  })
  const federation = merge(members, clusters)
  const merged = folders.flatMap((folder) => [
    ...unsaid(issuesOf(federation, folder), folder.manifests, folder.findings),
    ...federation.members.filter(({ cluster }) => cluster === folder.cluster).flatMap((each) => byHand(each, folder)),
  ])
  const unusable = federation.members.flatMap(({ imports }) => imports.flatMap((each) => validateObject(each)))
  const all = [...before, ...merged, ...unusable.map((issue) => ({ issue, file: '-' }))]
  return { federation, folders, findings: inFileOrder(all) }
}

/** Of Services whose EndpointSlices are among the files; of others nothing is known. */
function backendsIn(slices: readonly EndpointSlice[]): Backends {
  const known = slices.map(observeSlice).filter((each) => each !== undefined)
  const byService = Map.groupBy(known, ({ service }) => service)
  return Object.fromEntries(
    [...byService].map(([service, all]) => [
      service,
      readyByPort(all.map(({ metadata, content }) => ({ name: metadata.name, content }))),
    ]),
  )
}

function issuesOf({ exports }: Federation, folder: Folder) {
  return exports.filter(({ cluster }) => cluster === folder.cluster).flatMap(({ issues }) => issues)
}

/** Imports that somebody wrote where we would put ours. */
function byHand({ imports }: MemberImports, { manifests }: Folder): readonly Finding[] {
  const made = new Set(imports.map(({ metadata }) => `${metadata.namespace}/${metadata.name}`))
  return manifests.flatMap((manifest) =>
    byKind([manifest])
      .imports.filter(({ metadata }) => made.has(`${metadata.namespace}/${metadata.name}`))
      .map(({ kind, metadata: { namespace = '', name } }) => {
        const code: ManifestCode = 'ImportByHand'
        return at(manifest, { code, object: { kind, namespace, name }, path: '' })
      }),
  )
}

function madeFor(
  { cluster, clusterKey, imports }: MemberImports,
  folders: readonly Folder[],
  namespaces: boolean,
): Made {
  const held = folders.filter((folder) => folder.cluster === cluster).flatMap(({ manifests }) => manifests)
  const known = new Set(['default', ...byKind(held).namespaces.map(({ metadata }) => metadata.name)])
  const lived = new Set(held.flatMap(({ object: { metadata } }) => metadata.namespace ?? []))
  const placed = imports.filter(
    ({ metadata: { namespace = 'default' }, spec: { doors = ['ServiceExport'] } }) =>
      doors.includes('ServiceExport') || known.has(namespace) || lived.has(namespace),
  )
  const needed = new Set(
    placed
      .filter(({ spec: { doors = ['ServiceExport'] } }) => doors.includes('ServiceExport'))
      .map(({ metadata }) => metadata.namespace ?? 'default'),
  )
  const missing = namespaces ? [...needed].filter((name) => !known.has(name)).map(namespaceOf) : []
  return { cluster, clusterKey, objects: [...missing, ...placed] }
}

function namespaceOf(name: string): KubeObject {
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels: MANAGED_BY } }
}

function summary({ members, exports }: Federation): string {
  const imports = members.reduce((sum, member) => sum + member.imports.length, 0)
  return `${amount(members.length, 'cluster')}: ${amount(exports.length, 'export')}, ${amount(imports, 'import')}\n`
}
