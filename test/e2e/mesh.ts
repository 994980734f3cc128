/** Portolan in clusters of the lab (or of kind), installed as a user would: with the chart, by helm. */
import { delimiter, dirname, join } from 'node:path'
import { IMAGE } from '../lab/images.ts'
import type { UpOptions } from '../lab/lab.ts'
import type { ClusterProvider } from '../lab/provider.ts'
import { run, tryRun } from '../lab/run.ts'
import { binary } from '../lab/toolchain.ts'
import type { Site } from './site.ts'
import { trouble } from './trouble.ts'

export const CONTROL_PLANE = 'portolan-system'
/** As in values.yaml. */
export const GATEWAY_NODE_PORT = 30_080
const ROOT = join(import.meta.dirname, '../..')
/** Which clusters the tests of this worker talk to. Set by worker-lab.ts. */
export const SITES_VARIABLE = 'PORTOLAN_TEST_SITES'

interface SiteRecord {
  readonly name: string
  readonly address: string
  readonly kubeconfig: string
  readonly kubectl: string
}

/** The helm command for one cluster, as it can be typed in a terminal with `terminalEnv`. */
export function installCommand(name: string): string {
  return `helm --kube-context ${name} upgrade --install portolan charts/portolan --namespace ${CONTROL_PLANE} --create-namespace --wait -f test/e2e/values.yaml --set cluster.name=${name}`
}

/** Has the cluster's own DNS answer names of the clusterset, for pods without a sidecar. */
export function namesCommand(name: string): string {
  return `"${process.execPath}" cli/main.ts dns enable --context ${name}`
}

/** PATH and KUBECONFIG of a terminal in which `kubectl --context NAME` and `helm --kube-context NAME` reach the clusters. */
export async function terminalEnv(
  clusters: ClusterProvider,
  names: readonly string[],
  extra: Readonly<Record<string, string>> = {},
): Promise<Readonly<Record<string, string>>> {
  const paths = await Promise.all(names.map((name) => clusters.kubeconfig(name)))
  const tools = dirname(await binary('kubectl'))
  return { ...extra, PATH: [tools, process.env['PATH']].join(delimiter), KUBECONFIG: paths.join(delimiter) }
}

/** What the charts' values name, from the working tree as it is; the lab's clusters are born with the rest. */
export async function loadImages(
  clusters: ClusterProvider,
  names: readonly string[],
  images: readonly string[] = [IMAGE.portolan, IMAGE.demoApp],
): Promise<void> {
  const others = clusters.kind === 'kind' ? [IMAGE.envoy, IMAGE.coredns] : []
  const load = async (name: string) => {
    for (const each of [...images, ...others]) await clusters.loadImage(name, each)
  }
  // What has to be built is built for the first.
  const [first, ...rest] = names
  if (first !== undefined) await load(first)
  await Promise.all(rest.map(load))
}

/**
 * Brings the clusters up with Portolan as the working tree has it; where it was already, its pods are replaced.
 *
 * @param flags of helm, beside the usual
 */
export async function installMesh(
  clusters: ClusterProvider,
  names: readonly string[],
  options: UpOptions = {},
  flags = '',
): Promise<void> {
  await clusters.up(names, options)
  const parts = (name: string) => clusters.kubectl(name, ['-n', CONTROL_PLANE, 'get', 'deployments', '-o', 'name'])
  const found = await Promise.all(names.map(async (name) => ({ name, deployments: (await parts(name)).stdout })))
  const before = new Set(found.filter(({ deployments }) => deployments !== '').map(({ name }) => name))
  await loadImages(clusters, names)
  const env = await terminalEnv(clusters, names)
  const terminal = (command: string) => run('bash', ['-c', command], { cwd: ROOT, env })
  const withTrouble = async (name: string, cause: Error): Promise<never> => {
    const why = await trouble((args) => clusters.kubectl(name, args))
    throw new Error(`${name}: ${cause.message}\n${why}`, { cause })
  }
  await Promise.all(
    names.map(async (name) => {
      if (!before.has(name)) {
        await terminal(`${installCommand(name)} ${flags}`).catch((cause: Error) => withTrouble(name, cause))
        await terminal(namesCommand(name))
        // It looks for changes every half minute, where the lab's does every other second.
        if (clusters.kind === 'kind')
          await terminal(`kubectl --context ${name} -n kube-system rollout restart deployment coredns`)
        return
      }
      // New gateways wait for the new compiler, which comes by the restart: of a release, both would come with the chart.
      await terminal(`${installCommand(name).replace('--wait ', '')} ${flags}`)
      const all = `deploy -l app.kubernetes.io/part-of=portolan`
      await terminal(`kubectl --context ${name} -n ${CONTROL_PLANE} rollout restart ${all}`)
      await terminal(`kubectl --context ${name} -n ${CONTROL_PLANE} rollout status ${all} --timeout=300s`)
      await terminal(namesCommand(name))
    }),
  )
}

export async function describeSites(clusters: ClusterProvider, names: readonly string[]): Promise<string> {
  const records = names.map(
    async (name): Promise<SiteRecord> => ({
      name,
      address: await clusters.nodeAddress(name),
      kubeconfig: await clusters.kubeconfig(name),
      kubectl: await binary('kubectl'),
    }),
  )
  return JSON.stringify(await Promise.all(records))
}

/** The two clusters under test, both with Portolan: east exports, west imports. */
export function sites(): { readonly east: Site; readonly west: Site; readonly gatewayPort: number } {
  return { east: siteNamed('east'), west: siteNamed('west'), gatewayPort: GATEWAY_NODE_PORT }
}

/** One of the clusters that {@link SITES_VARIABLE} names, or `described` does. */
export function siteNamed(name: string, described = process.env[SITES_VARIABLE] ?? '[]'): Site {
  const records = JSON.parse(described) as readonly SiteRecord[]
  const record = records.find((each) => each.name === name)
  if (record === undefined) throw new Error(`${SITES_VARIABLE} names no cluster ${name}: the set-up did not run`)
  const { address, kubeconfig, kubectl } = record
  const env = { KUBECONFIG: kubeconfig }
  return {
    name,
    address,
    kubectlPath: kubectl,
    env,
    kubectl: (args, input) =>
      tryRun(kubectl, args, { env, timeout: 180_000, ...(input === undefined ? {} : { input }) }),
  }
}

/** Changes values of the release in a cluster under test; all others stay as they are. */
export async function helm(name: string, ...flags: readonly string[]): Promise<void> {
  const { env } = siteNamed(name)
  await run(
    await binary('helm'),
    ['upgrade', 'portolan', 'charts/portolan', '-n', CONTROL_PLANE, '--reuse-values', '--wait', ...flags],
    {
      cwd: ROOT,
      env,
    },
  )
}

/** The command line tool, offline. */
export function portolan(args: readonly string[], input = ''): Promise<string> {
  return run(process.execPath, [join(ROOT, 'cli/main.ts'), ...args], { input })
}
