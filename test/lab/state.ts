/** What a lab remembers on disk: enough to take it down after any crash. Written before the thing it describes is made. */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { CACHE } from './cache.ts'
import { type ClusterPlan, type ClusterRequest, type LabPlan, planCluster, planLab } from './plan.ts'

/** The lab's directory: PORTOLAN_LAB, or the one that `make lab-up` uses. */
export function labDirectory(): string {
  return process.env['PORTOLAN_LAB'] ?? join(CACHE, 'lab')
}

function write(file: string, value: unknown): void {
  mkdirSync(join(file, '..'), { recursive: true })
  writeFileSync(`${file}.draft`, JSON.stringify(value, null, 2))
  renameSync(`${file}.draft`, file)
}

function read<T>(file: string): T | null {
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as T) : null
}

export function saveLab(lab: LabPlan): void {
  write(join(lab.dir, 'lab.json'), { slot: lab.slot })
}

/** The lab that lives in `dir`, up or half up, or null. */
export function loadLab(dir: string): LabPlan | null {
  const saved = read<{ slot: number }>(join(dir, 'lab.json'))
  return saved === null ? null : planLab(dir, saved.slot)
}

export function forgetLab(lab: LabPlan): void {
  rmSync(lab.dir, { recursive: true, force: true })
}

export function saveCluster(cluster: ClusterPlan): void {
  const { name, index, nodes, sync } = cluster
  write(join(cluster.dir, 'cluster.json'), { name, index, nodes: nodes.length, sync } satisfies ClusterRequest)
}

/** The clusters of a lab, whole or not, by index. */
export function loadClusters(lab: LabPlan): readonly ClusterPlan[] {
  const dir = join(lab.dir, 'clusters')
  const saved = existsSync(dir)
    ? readdirSync(dir).map((name) => read<ClusterRequest>(join(dir, name, 'cluster.json')))
    : []
  return saved
    .filter((request) => request !== null)
    .map((request) => planCluster(lab, request))
    .sort((a, b) => a.index - b.index)
}

/** A cluster is whole when its start went through; anything else is wreckage to clear. */
export function isWhole(cluster: ClusterPlan): boolean {
  return existsSync(join(cluster.dir, 'whole'))
}

export function markWhole(cluster: ClusterPlan): void {
  writeFileSync(join(cluster.dir, 'whole'), '')
}

export function forgetCluster(cluster: ClusterPlan): void {
  rmSync(cluster.dir, { recursive: true, force: true })
}
