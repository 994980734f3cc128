/** Work inside a running node: images, faults. */
import { chmodSync, existsSync, readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { cgroups } from './cgroup.ts'
import { bornImages } from './images.ts'
import { type Image, imageDigest, writeArchive } from './oci.ts'
import type { ClusterPlan, NodePlan } from './plan.ts'
import { type RunResult, run, tryRun } from './run.ts'
import { debianPackages } from './toolchain.ts'

/** What the kernel tells of a process; nothing of one that is gone by now. */
function told(pid: number, file: 'cmdline' | 'status'): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8')
  } catch {
    return ''
  }
}

const commandLine = (pid: number): readonly string[] => told(pid, 'cmdline').split('\0')

/** The host's id of the node's first process. Throws when the node does not run. */
function initOf(node: NodePlan): number {
  const pid = cgroups.processes(node.cgroup).find((each) => {
    if (!commandLine(each).some((word) => word.endsWith('/node.sh'))) return false
    return /^NSpid:.*\t1$/m.test(told(each, 'status'))
  })
  if (pid === undefined) throw new Error(`node ${node.name} does not run: make lab-status`)
  return pid
}

/** Runs a program of the host with the node's mounts and network. */
export async function inNode(node: NodePlan, command: string, ...args: readonly string[]): Promise<RunResult> {
  const { env } = await debianPackages()
  return tryRun('nsenter', ['--target', String(initOf(node)), '--mount', '--net', '--', command, ...args], { env })
}

async function ctr(node: NodePlan, ...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await inNode(node, 'ctr', '--namespace', 'k8s.io', ...args)
  if (code !== 0) throw new Error(`node ${node.name}: ctr ${args.join(' ')}: ${stderr || stdout}`)
  return stdout
}

/** Puts an image into every node of a cluster; a node that has this very image is left alone. */
export async function importImage(cluster: ClusterPlan, image: Image): Promise<void> {
  const wanted = imageDigest(image)
  const lacking = await Promise.all(
    cluster.nodes.map(async (node) => {
      const has = (await ctr(node, 'images', 'list', `name==${image.name}`)).includes(wanted)
      return has ? [] : [node]
    }),
  )
  const nodes = lacking.flat()
  if (nodes.length === 0) return
  const work = await mkdtemp(join(tmpdir(), 'portolan-image-'))
  try {
    const born = new Set((await bornImages()).flatMap((each) => each.layers.map((layer) => layer.digest)))
    const thin = join(work, 'thin.tar')
    await writeArchive(image, thin, born)
    for (const node of nodes)
      try {
        await ctr(node, 'images', 'import', thin)
      } catch {
        // A cluster from before the last change of a base layer lacks it: then the whole image goes.
        const whole = join(work, 'whole.tar')
        await writeArchive(image, whole)
        await ctr(node, 'images', 'import', whole)
      }
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}

const processesOf = ([node]: ClusterPlan['nodes'], name: string): readonly number[] =>
  cgroups.processes(node.cgroup).filter((pid) => commandLine(pid)[0]?.endsWith(`/${name}`))

/** Ends a daemon of a cluster's first node by SIGKILL; it is started again at once, as systemd would. */
export async function killDaemon({ name: cluster, nodes }: ClusterPlan, name: string): Promise<void> {
  const pids = processesOf(nodes, name)
  if (pids.length === 0) throw new Error(`${cluster}: no ${name} runs`)
  for (const pid of pids) await run('kill', ['-9', String(pid)])
}

/** Keeps a daemon of a cluster's first node dead, or lets it be started again. */
export async function holdDown(cluster: ClusterPlan, name: string, down: boolean): Promise<void> {
  const [node] = cluster.nodes
  const [file] = ['first', 'then'].map((when) => join(node.dir, 'daemons', when, name)).filter(existsSync)
  if (file === undefined) throw new Error(`${cluster.name}: there is no daemon ${name}`)
  // What cannot be executed is not started again.
  chmodSync(file, down ? 0o644 : 0o755)
  if (down) await killDaemon(cluster, name)
}
