/** The golden cases of merging: after a Cluster come the objects that it holds. The file's name is the case's. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseAllDocuments } from 'yaml'
import type { Cluster } from '../../api/cluster.ts'
import type { Service } from '../../api/core.ts'
import type { McsExport } from '../../api/mcs.ts'
import type { KubeObject } from '../../api/meta.ts'
import { API_VERSION } from '../../api/names.ts'
import type { ServiceExport } from '../../api/service-export.ts'
import type { Member } from '../../federation/constituent.ts'
import { type Federation, merge } from '../../federation/merge.ts'

export const GOLDEN = join(import.meta.dirname, '../golden/federate')

export interface Case {
  readonly name: string
  readonly members: readonly Member[]
  readonly clusters: readonly Cluster[]
  readonly federation: Federation
}

const isCluster = (object: KubeObject): object is Cluster => object.kind === 'Cluster'

const isExport = ({ kind }: KubeObject): boolean => kind === 'ServiceExport'

const read = (file: string): Case => {
  const objects = parseAllDocuments(readFileSync(join(GOLDEN, file), 'utf8')).map(
    (document) => document.toJS() as KubeObject,
  )
  const clusters = objects.filter(isCluster)
  const members = clusters.map((cluster): Member => {
    const after = objects.slice(objects.indexOf(cluster) + 1)
    const end = after.findIndex(isCluster)
    const held = end < 0 ? after : after.slice(0, end)
    return {
      cluster: cluster.metadata.name,
      exports: held.filter((object): object is ServiceExport => isExport(object) && object.apiVersion === API_VERSION),
      mcsExports: held.filter((object): object is McsExport => isExport(object) && object.apiVersion !== API_VERSION),
      services: held.filter((object): object is Service => object.kind === 'Service'),
      globalServices: true,
    }
  })
  return { name: file.replace('.in.yaml', ''), members, clusters, federation: merge(members, clusters) }
}

export const cases: readonly Case[] = readdirSync(GOLDEN)
  .filter((file) => file.endsWith('.in.yaml'))
  .sort()
  .map(read)
