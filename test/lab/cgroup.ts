/**
 * Control groups of nodes: NAME/sys holds a node's daemons, the kubelet puts its pods beside it.
 * Version 1 has a tree for each controller, version 2 one tree for all.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { until } from './run.ts'

export interface Cgroups {
  readonly version: 1 | 2
  /** Makes a node's directories; returns the files to which a process writes 0 in order to join. */
  create(name: string): readonly string[]
  /** Process ids in the group and below: pods' too. */
  processes(name: string): readonly number[]
  /** Groups whose names begin with `prefix`. */
  names(prefix: string): readonly string[]
  /** Stops every process where it stands, or lets all go on; resolves when that is so. */
  freeze(name: string, frozen: boolean): Promise<void>
  /** Kills every process of the group, frozen ones too, and removes its directories. No such group is fine. */
  remove(name: string): Promise<void>
  /** Anonymous memory in bytes, or null when the kernel does not say. */
  memory(name: string): number | null
}

/** What differs between the versions. */
interface Layout {
  readonly version: 1 | 2
  /** Roots of the trees in which a node has a directory. */
  trees(): readonly string[]
  /** Prepares a new directory for processes and for groups below it. */
  prepare(tree: string, dir: string): void
  /** The tree whose lists of members are read: all have the same. */
  readonly members: string
  /** Which file below `members`' tree freezes, what to write, and how to see that it is done. */
  freezer(
    name: string,
    frozen: boolean,
  ): { readonly file: string; readonly value: string; readonly done: () => boolean }
  readonly memory: { readonly tree: string; readonly field: string }
}

const text = (...path: readonly string[]) => readFileSync(join(...path), 'utf8')

function version1(root: string): Layout {
  return {
    version: 1,
    trees: () =>
      readdirSync(root, { withFileTypes: true })
        // Links are aliases such as cpu → cpu,cpuacct; unified is the empty half of a hybrid set-up.
        .filter((entry) => entry.isDirectory() && entry.name !== 'unified')
        .map((entry) => join(root, entry.name))
        .filter((tree) => existsSync(join(tree, 'cgroup.procs'))),
    prepare: (tree, dir) => {
      // A new cpuset is empty, and no process may join an empty one.
      for (const file of ['cpuset.cpus', 'cpuset.mems'])
        if (existsSync(join(dir, file))) writeFileSync(join(dir, file), text(tree, file))
    },
    members: join(root, 'pids'),
    freezer: (name, frozen) => {
      const file = join(root, 'freezer', name, 'freezer.state')
      const value = frozen ? 'FROZEN' : 'THAWED'
      return { file, value, done: () => text(file).trim() === value }
    },
    memory: { tree: join(root, 'memory'), field: 'total_rss' },
  }
}

/** The kubelet refuses a group that lacks one of these which the machine has. */
const CONTROLLERS = ['cpu', 'cpuset', 'hugetlb', 'io', 'memory', 'pids']

function version2(root: string): Layout {
  /** Groups below `dir` get only the controllers that it names. */
  const enable = (dir: string) => {
    const available = text(dir, 'cgroup.controllers').trim().split(' ')
    for (const controller of CONTROLLERS.filter((each) => available.includes(each)))
      writeFileSync(join(dir, 'cgroup.subtree_control'), `+${controller}`)
  }
  return {
    version: 2,
    trees: () => [root],
    prepare: (tree, dir) => {
      enable(tree)
      // A group that has processes cannot have controllers for groups below: `sys` stays as it is.
      if (!dir.endsWith('/sys')) enable(dir)
    },
    members: root,
    freezer: (name, frozen) => {
      const value = frozen ? '1' : '0'
      const done = () => text(root, name, 'cgroup.events').includes(`frozen ${value}`)
      return { file: join(root, name, 'cgroup.freeze'), value, done }
    },
    memory: { tree: root, field: 'anon' },
  }
}

/** The directory and all below it; one that is removed meanwhile is left out. */
function directories(dir: string): readonly string[] {
  try {
    const below = readdirSync(dir, { withFileTypes: true }).filter((entry) => entry.isDirectory())
    return [dir, ...below.flatMap((entry) => directories(join(dir, entry.name)))]
  } catch {
    return []
  }
}

/** Does what may fail because its object has just gone. */
function attempt<T>(action: () => T, otherwise: T): T {
  try {
    return action()
  } catch {
    return otherwise
  }
}

/** The control groups mounted at `root`; a hybrid set-up, with a nearly empty version 2 tree on the side, counts as 1. */
export function cgroupsAt(root: string): Cgroups {
  const layout = existsSync(join(root, 'cgroup.controllers')) ? version2(root) : version1(root)
  const processes = (name: string) =>
    directories(join(layout.members, name)).flatMap((dir) =>
      attempt(() => text(dir, 'cgroup.procs'), '')
        .split('\n')
        .filter(Boolean)
        .map(Number),
    )
  const freeze = async (name: string, frozen: boolean) => {
    const { file, value, done } = layout.freezer(name, frozen)
    await until(`group ${name} to be ${frozen ? 'frozen' : 'thawed'}`, () => {
      writeFileSync(file, value) // version 1 may need more than one push
      return done()
    })
  }
  return {
    version: layout.version,
    processes,
    freeze,
    create: (name) =>
      layout.trees().map((tree) => {
        for (const dir of [join(tree, name), join(tree, name, 'sys')]) {
          mkdirSync(dir, { recursive: true })
          layout.prepare(tree, dir)
        }
        return join(tree, name, 'sys', 'cgroup.procs')
      }),
    names: (prefix) => {
      const found = layout.trees().flatMap((tree) => readdirSync(tree).filter((entry) => entry.startsWith(prefix)))
      return [...new Set(found)].sort()
    },
    remove: async (name) => {
      const own = layout.trees().map((tree) => join(tree, name))
      if (!own.some((dir) => existsSync(dir))) return
      // Killing and removing in one loop: a process on its way in may join between the two.
      await until(`group ${name} to be gone`, async () => {
        const pids = processes(name)
        for (const pid of pids) attempt(() => process.kill(pid, 'SIGKILL'), false)
        // A frozen process dies only when thawed.
        if (pids.length > 0 && existsSync(layout.freezer(name, false).file)) await freeze(name, false)
        // Busy for a moment after the last process has died.
        for (const dir of own)
          for (const each of [...directories(dir)].reverse()) attempt(() => rmdirSync(each), undefined)
        return !own.some((dir) => existsSync(dir))
      })
    },
    memory: (name) => {
      const { tree, field } = layout.memory
      const stat = attempt(() => text(tree, name, 'memory.stat'), '')
      const found = new RegExp(`^${field} (\\d+)`, 'm').exec(stat)?.[1]
      return found === undefined ? null : Number(found)
    },
  }
}

/** This machine's. */
export const cgroups = cgroupsAt('/sys/fs/cgroup')
