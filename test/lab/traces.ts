/** What a lab could leave behind on the machine: for tests that count it before and after. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { cgroups } from './cgroup.ts'
import { namespaces } from './network.ts'
import type { LabPlan } from './plan.ts'

export interface Traces {
  /** Command lines that name the lab's directory or anything in it. */
  readonly processes: readonly string[]
  readonly mounts: readonly string[]
  readonly namespaces: readonly string[]
  readonly links: readonly string[]
  readonly cgroups: readonly string[]
  readonly files: readonly string[]
}

export const NO_TRACES: Traces = { processes: [], mounts: [], namespaces: [], links: [], cgroups: [], files: [] }

export function traces(lab: LabPlan): Traces {
  const own = new RegExp(`^${lab.prefix}-`)
  return {
    processes: readdirSync('/proc')
      .filter((entry) => /^\d+$/.test(entry) && entry !== String(process.pid))
      .map(commandLine)
      .filter((line) => line.includes(lab.dir)),
    mounts: readFileSync('/proc/self/mountinfo', 'utf8')
      .split('\n')
      .filter((line) => line.includes(lab.dir) || line.includes(`/run/netns/${lab.prefix}-`)),
    namespaces: namespaces(own),
    links: readdirSync('/sys/class/net').filter((name) => own.test(name)),
    cgroups: cgroups.names(`${lab.prefix}-`),
    files: existsSync(lab.dir) ? [lab.dir] : [],
  }
}

function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
  } catch {
    return ''
  }
}
