/** The lab as a provider of clusters. */
import { cgroups } from './cgroup.ts'
import { importImage } from './exec.ts'
import { imageByName } from './images.ts'
import { down, status, up } from './lab.ts'
import { setLink } from './network.ts'
import type { ClusterPlan, LabPlan } from './plan.ts'
import type { ClusterProvider } from './provider.ts'
import { tryRun, until } from './run.ts'
import { labDirectory, loadClusters, loadLab } from './state.ts'
import { binary } from './toolchain.ts'

/** The cluster and its lab. Throws, naming those that are up, when there is none of that name. */
export function findCluster(dir: string, name: string): { readonly lab: LabPlan; readonly cluster: ClusterPlan } {
  const lab = loadLab(dir)
  const clusters = lab === null ? [] : loadClusters(lab)
  const cluster = clusters.find((each) => each.name === name)
  if (lab === null || cluster === undefined)
    throw new Error(
      `cluster ${name}: not in the lab ${dir}; there: ${clusters.map((each) => each.name).join(', ') || 'none'}`,
    )
  return { lab, cluster }
}

/** Images that are being made: several clusters asking at once share one. */
const making = new Map<string, ReturnType<typeof imageByName>>()

function make(name: string): ReturnType<typeof imageByName> {
  const found = making.get(name) ?? imageByName(name).finally(() => making.delete(name))
  making.set(name, found)
  return found
}

export function labProvider(dir = labDirectory()): ClusterProvider {
  const find = (name: string) => findCluster(dir, name)
  const program = async (tool: 'kubectl' | 'helm', name: string, args: readonly string[], input?: string) => {
    const env = { KUBECONFIG: find(name).cluster.kubeconfig }
    return tryRun(await binary(tool), args, { env, ...(input === undefined ? {} : { input }) })
  }
  return {
    kind: 'lab',
    up: async (names, options) => void (await up(names, { ...options, dir })),
    down: (names) => down(names ?? null, dir),
    running: async () =>
      status(dir)
        .filter(({ state }) => state === 'up')
        .map(({ name }) => name),
    kubeconfig: async (name) => find(name).cluster.kubeconfig,
    nodeAddress: async (name, family) => {
      const { families, nodes } = find(name).cluster
      const address = nodes[0].addresses[family === undefined ? 0 : families.indexOf(family)]
      if (address === undefined) throw new Error(`cluster ${name}: its nodes have no address of IPv${family}`)
      return address
    },
    loadImage: async (name, image) => importImage(find(name).cluster, await make(image)),
    kubectl: (name, args, input) => program('kubectl', name, args, input),
    helm: (name, args) => program('helm', name, args),
    partition: async (name, cut) => {
      const { lab, cluster } = find(name)
      for (const node of cluster.nodes) await setLink(lab, node, cut ? 'down' : 'up')
    },
    freeze: async (name, frozen) => {
      for (const node of find(name).cluster.nodes) await cgroups.freeze(node.cgroup, frozen)
    },
    kill: async (name) => {
      const groups = find(name).cluster.nodes.map((node) => node.cgroup)
      await until(`the processes of ${name} to end`, () => {
        const pids = groups.flatMap(cgroups.processes)
        for (const pid of pids)
          try {
            process.kill(pid, 'SIGKILL')
          } catch {
            // already gone
          }
        return pids.length === 0
      })
    },
  }
}
