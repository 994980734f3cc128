/**
 * Control groups of a node: NAME/sys holds its daemons, the kubelet puts its pods beside it.
 * Two layouts: version 1 (one tree per controller) and version 2 (one tree).
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { until } from './run.ts'

const ROOT = '/sys/fs/cgroup'
/** The kubelet refuses a group that lacks one of these which the machine has. */
const V2_CONTROLLERS = ['cpu', 'cpuset', 'hugetlb', 'io', 'memory', 'pids']

export type CgroupVersion = 1 | 2

/** Which layout this machine has; a hybrid one, with a nearly empty version 2 tree on the side, counts as 1. */
export function cgroupVersion(root = ROOT): CgroupVersion {
  return existsSync(join(root, 'cgroup.controllers')) ? 2 : 1
}

/** The trees in which a node has a directory: one in version 2, one for each controller in version 1. */
function trees(): readonly string[] {
  if (cgroupVersion() === 2) return [ROOT]
  return readdirSync(ROOT, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && entry.name !== 'unified') // links are aliases such as cpu → cpu,cpuacct
    .map((entry) => join(ROOT, entry.name))
    .filter((tree) => existsSync(join(tree, 'cgroup.procs')))
}

/** Makes the directories and returns the files that a process writes 0 to in order to join. */
export function createCgroup(name: string): readonly string[] {
  if (cgroupVersion() === 2) enable(ROOT)
  return trees().map((tree) => {
    const parts = [join(tree, name), join(tree, name, 'sys')]
    for (const dir of parts) {
      mkdirSync(dir, { recursive: true })
      // A new version 1 cpuset is empty, and no process may join an empty one.
      for (const file of ['cpuset.cpus', 'cpuset.mems'])
        if (cgroupVersion() === 1 && existsSync(join(dir, file)))
          writeFileSync(join(dir, file), readFileSync(join(tree, file)))
    }
    if (cgroupVersion() === 2) enable(join(tree, name))
    return join(tree, name, 'sys', 'cgroup.procs')
  })
}

/** Version 2 gives a directory's children only the controllers that are named here. */
function enable(dir: string): void {
  const available = readFileSync(join(dir, 'cgroup.controllers'), 'utf8').trim().split(' ')
  for (const controller of V2_CONTROLLERS.filter((each) => available.includes(each)))
    writeFileSync(join(dir, 'cgroup.subtree_control'), `+${controller}`)
}

/** The tree whose member lists are asked; any would do. */
function memberTree(): string {
  return cgroupVersion() === 2 ? ROOT : join(ROOT, 'pids')
}

function directories(dir: string): readonly string[] {
  if (!existsSync(dir)) return []
  try {
    const below = readdirSync(dir, { withFileTypes: true }).filter((entry) => entry.isDirectory())
    return [dir, ...below.flatMap((entry) => directories(join(dir, entry.name)))]
  } catch {
    return [] // removed while being read
  }
}

/** Process ids in the group, pods' included. */
export function cgroupProcesses(name: string): readonly number[] {
  return directories(join(memberTree(), name)).flatMap((dir) => {
    try {
      return readFileSync(join(dir, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean).map(Number)
    } catch {
      return []
    }
  })
}

/** Names of groups that begin with `prefix`. */
export function cgroupNames(prefix: string): readonly string[] {
  const names = trees().flatMap((tree) => readdirSync(tree).filter((entry) => entry.startsWith(prefix)))
  return [...new Set(names)].sort()
}

/** Stops every process of the group where it stands, or lets all go on. */
export async function freezeCgroup(name: string, frozen: boolean): Promise<void> {
  if (cgroupVersion() === 2) {
    writeFileSync(join(ROOT, name, 'cgroup.freeze'), frozen ? '1' : '0')
    const now = `frozen ${frozen ? 1 : 0}`
    await until(`cgroup ${name} ${now}`, () => readFileSync(join(ROOT, name, 'cgroup.events'), 'utf8').includes(now))
    return
  }
  const file = join(ROOT, 'freezer', name, 'freezer.state')
  const state = frozen ? 'FROZEN' : 'THAWED'
  await until(`cgroup ${name} ${state}`, () => {
    writeFileSync(file, state)
    return readFileSync(file, 'utf8').trim() === state
  })
}

/** Kills every process of the group, frozen ones too, and removes its directories. No such group is fine. */
export async function removeCgroup(name: string): Promise<void> {
  if (trees().every((tree) => !existsSync(join(tree, name)))) return
  if (existsSync(join(memberTree(), name)))
    await until(`the processes of ${name} to end`, async () => {
      const pids = cgroupProcesses(name)
      for (const pid of pids) kill(pid)
      // A frozen process dies only when thawed.
      if (pids.length > 0 && isFrozen(name)) await freezeCgroup(name, false)
      return pids.length === 0
    })
  for (const tree of trees())
    await until(`${join(tree, name)} to be empty`, () => {
      for (const dir of [...directories(join(tree, name))].reverse())
        try {
          rmdirSync(dir)
        } catch {
          // still busy: the kernel lets go of dead processes a moment later
        }
      return !existsSync(join(tree, name))
    })
}

function isFrozen(name: string): boolean {
  const file = cgroupVersion() === 2 ? join(ROOT, name, 'cgroup.freeze') : join(ROOT, 'freezer', name, 'freezer.state')
  return existsSync(file) && !/^(0|THAWED)$/.test(readFileSync(file, 'utf8').trim())
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // already gone
  }
}

/** Anonymous memory of the group in bytes, or null when the kernel does not account it. */
export function cgroupMemory(name: string): number | null {
  const file = cgroupVersion() === 2 ? join(ROOT, name, 'memory.stat') : join(ROOT, 'memory', name, 'memory.stat')
  if (!existsSync(file) || !statSync(file).isFile()) return null
  const field = cgroupVersion() === 2 ? 'anon' : 'total_rss'
  return Number(new RegExp(`^${field} (\\d+)`, 'm').exec(readFileSync(file, 'utf8'))?.[1] ?? Number.NaN)
}
