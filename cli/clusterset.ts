import { relative, sep } from 'node:path'
import type { Cluster } from '../api/cluster.ts'
import { applyDefaults } from '../api/defaults.ts'
import type { ManifestCode } from '../api/diagnostics/manifests.ts'
import type { KubeObject } from '../api/meta.ts'
import { MANAGED_BY } from '../api/names.ts'
import { sitesOf } from '../federation/site.ts'
import { admissionFindings, at } from './check.ts'
import { type Io, UsageError } from './io.ts'
import { type Finding, type Manifest, parseManifests } from './manifests.ts'
import { byKind, givenTwice, refOf, settle } from './objects.ts'
import { exitCode } from './print.ts'
import { readSources, type Source } from './sources.ts'

/** The manifests of several clusters. */
export interface Clusterset {
  readonly clusters: readonly Cluster[]
  readonly folders: readonly Folder[]
  /** What is wrong with files, folders and Clusters; what is wrong in a folder is said there. */
  readonly findings: readonly Finding[]
}

/** What one cluster holds, without the Cluster objects and without what `portolan federate` made earlier. */
export interface Folder {
  /** Name of the folder, which is its Cluster's. */
  readonly cluster: string
  readonly manifests: readonly Manifest[]
  readonly findings: readonly Finding[]
}

/**
 * Reads directories that have a folder per cluster. Clusters may stand in any file, also outside the folders.
 * @throws UsageError for what is not there, and for stdin, which has no folders
 */
export async function readClusterset(
  paths: readonly string[],
  namespace: string,
  io: Pick<Io, 'stdin'>,
): Promise<Clusterset> {
  const outside: Finding[] = []
  const clusters: Manifest[] = []
  const byFolder = new Map<string, Manifest[]>()
  for (const path of paths) {
    if (path === '-') throw new UsageError('-f - says not which cluster an object belongs to; write a directory')
    for (const source of await readSources([path], io)) {
      const { manifests, findings } = settle(parseManifests([source]), namespace)
      const isCluster = ({ object }: Manifest) => byKind([{ object }]).clusters.length > 0
      const rest = manifests.filter((manifest) => !isCluster(manifest) && !isMade(manifest.object))
      outside.push(...findings)
      clusters.push(...manifests.filter(isCluster))
      const folder = folderOf(path, source)
      if (folder === undefined) outside.push(...rest.flatMap((manifest) => homeless(manifest, path)))
      else byFolder.set(folder, [...(byFolder.get(folder) ?? []), ...rest])
    }
  }

  const doubtful = admissionFindings(clusters).filter(({ issue }) => issue.code !== NEEDED_BY_A_HUB)
  const usable = exitCode([...doubtful, ...givenTwice(clusters)]) === 0
  const objects = byKind(clusters).clusters.map(applyDefaults)
  // Keys of Clusters that are wrong are anyone's guess.
  const keys = new Map(usable ? sitesOf(objects).map(({ name, clusterKey }) => [name, clusterKey]) : [])
  const names = new Set(objects.map(({ metadata }) => metadata.name))
  return {
    clusters: objects,
    folders: [...byFolder]
      .filter(([folder]) => names.has(folder))
      .map(([cluster, manifests]) => ({
        cluster,
        manifests,
        findings: [...givenTwice(manifests), ...admissionFindings(manifests, keys.get(cluster))],
      })),
    findings: [
      ...outside,
      ...givenTwice(clusters),
      ...doubtful,
      ...[...byFolder].flatMap(([folder, manifests]) => (names.has(folder) ? [] : strange(folder, manifests))),
    ],
  }
}

/** Merging connects to nothing. */
const NEEDED_BY_A_HUB = 'KubeconfigMissing'

/** First folder on the way from `path` to a file. */
function folderOf(path: string, { name }: Source): string | undefined {
  const [folder, ...rest] = relative(path, name).split(sep)
  return rest.length === 0 ? undefined : folder
}

/** Whether an object is what `portolan federate` printed before: it must not be taken for the cluster's own. */
export function isMade({ kind, metadata }: KubeObject): boolean {
  const [label, value] = Object.entries(MANAGED_BY)[0] ?? []
  return ['Namespace', 'ServiceImport'].includes(kind) && metadata.labels?.[label ?? ''] === value
}

/** An object that matters and belongs to no cluster. */
function homeless(manifest: Manifest, dir: string): readonly Finding[] {
  const { services, exports, mcsExports } = byKind([manifest])
  if (services.length + exports.length + mcsExports.length === 0) return []
  const code: ManifestCode = 'NoClusterFolder'
  return [at(manifest, { code, object: refOf(manifest.object), path: '', params: { dir } })]
}

/** A folder that looks like a cluster's. Other folders are none of our business. */
function strange(folder: string, manifests: readonly Manifest[]): readonly Finding[] {
  const { exports, mcsExports, imports, policies } = byKind(manifests)
  const [first] = manifests
  if (first === undefined || exports.length + mcsExports.length + imports.length + policies.length === 0) return []
  const code: ManifestCode = 'FolderWithoutCluster'
  return [{ issue: { code, object: { kind: 'File', name: folder }, path: '', params: { folder } }, file: first.file }]
}
