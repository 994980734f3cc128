/** What a lab remembers on disk: enough to take it down after any crash. Written before the thing it describes is made. */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { CACHE, locked } from './cache.ts'
import { type ClusterPlan, type ClusterRequest, type LabPlan, planCluster, planLab } from './plan.ts'

/** The lab's directory: PORTOLAN_LAB, or the one that `make lab-up` uses. */
export function labDirectory(): string {
  return resolve(process.env['PORTOLAN_LAB'] ?? join(CACHE, 'lab'))
}

function write(file: string, value: unknown): void {
  mkdirSync(join(file, '..'), { recursive: true })
  writeFileSync(`${file}.draft`, JSON.stringify(value, null, 2))
  renameSync(`${file}.draft`, file)
}

function read<T>(file: string): T | null {
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as T) : null
}

/** One file for each slot that is taken, named by its number; it holds the directory of the lab that has it. */
const SLOTS = join(CACHE, 'slots')

/** Held while slots are looked at in order to take one. */
export function lockSlots<T>(body: () => Promise<T>): Promise<T> {
  return locked(join(CACHE, 'slots.lock'), body)
}

/** The lab that has a slot, or null. */
export function slotOwner(slot: number): string | null {
  const file = join(SLOTS, String(slot))
  return existsSync(file) ? readFileSync(file, 'utf8') : null
}

export function saveSlot(lab: LabPlan): void {
  mkdirSync(SLOTS, { recursive: true })
  writeFileSync(join(SLOTS, String(lab.slot)), lab.dir)
}

/** The lab that lives in `dir`, up or half up, or null. */
export function loadLab(dir: string): LabPlan | null {
  const slots = existsSync(SLOTS) ? readdirSync(SLOTS).map(Number) : []
  const slot = slots.find((each) => slotOwner(each) === dir)
  return slot === undefined ? null : planLab(dir, slot)
}

export function forgetLab(lab: LabPlan): void {
  rmSync(lab.dir, { recursive: true, force: true })
  rmSync(join(SLOTS, String(lab.slot)), { force: true })
}

export function saveCluster(cluster: ClusterPlan): void {
  const { name, index, nodes, sync, families } = cluster
  write(join(cluster.dir, 'cluster.json'), {
    name,
    index,
    nodes: nodes.length,
    sync,
    families,
  } satisfies ClusterRequest)
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
