/**
 * Clusters by kind (https://kind.sigs.k8s.io) where a Docker engine answers. The engine builds and fetches the images,
 * so nothing of the lab's toolchain is needed but kubectl and helm, which are built when the machine has none.
 * Node addresses are the containers': on Linux they are reachable from this machine.
 */
import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parse, stringify } from 'yaml'
import { IMAGE } from './images.ts'
import type { UpOptions } from './lab.ts'
import type { Family } from './plan.ts'
import type { ClusterProvider } from './provider.ts'
import { run, tryRun } from './run.ts'
import { labDirectory } from './state.ts'
import { binary, ENVOY, NODE } from './toolchain.ts'

const PREFIX = 'ptl-'
const NETWORK = 'kind'
const REPOSITORY = join(import.meta.dirname, '../..')
const APP_DOCKERFILE = `FROM node:${NODE}-bookworm-slim
RUN apt-get update && apt-get install --yes --no-install-recommends curl && rm -rf /var/lib/apt/lists/*
WORKDIR /app
RUN echo '{"type":"module"}' > package.json
COPY . .
CMD ["node", "/app/server.ts"]
`

/** How Docker gets an image under the name that manifests use. */
const RECIPES: Readonly<Record<string, (name: string) => Promise<unknown>>> = {
  [IMAGE.portolan]: (name) => run('docker', ['build', '--quiet', '--tag', name, REPOSITORY]),
  [IMAGE.demoApp]: (name) =>
    run('docker', ['build', '--quiet', '--tag', name, '--file', '-', join(import.meta.dirname, 'app')], {
      input: APP_DOCKERFILE,
    }),
  [IMAGE.envoy]: (name) => fetchAs(`envoyproxy/envoy:distroless-v${ENVOY}`, name),
  [IMAGE.coredns]: (name) => fetchAs('coredns/coredns:1.13.1', name),
  [IMAGE.base]: (name) => fetchAs('debian:bookworm-slim', name),
}

async function fetchAs(source: string, name: string): Promise<void> {
  await run('docker', ['pull', '--quiet', source])
  await run('docker', ['tag', source, name])
}

/** The kubelet's syncFrequency, and one worker for each further node. */
export function kindConfig({ sync = '1s', nodes = 1, families = [4] }: UpOptions): string {
  const kubelet = { kind: 'KubeletConfiguration', apiVersion: 'kubelet.config.k8s.io/v1beta1', syncFrequency: sync }
  return stringify({
    kind: 'Cluster',
    apiVersion: 'kind.x-k8s.io/v1alpha4',
    networking: { ipFamily: families.length > 1 ? 'dual' : `ipv${families[0]}` },
    nodes: ['control-plane', ...Array.from({ length: nodes - 1 }, () => 'worker')].map((role) => ({ role })),
    kubeadmConfigPatches: [stringify(kubelet)],
  })
}

/** kind's kubeconfig with an address that this machine and other clusters' pods reach, and a context by the cluster's own name. */
export function reachableKubeconfig(kubeconfig: string, name: string, address: string): string {
  const { clusters, users, ...rest } = parse(kubeconfig)
  const [{ cluster }] = clusters
  return stringify({
    ...rest,
    clusters: [{ name, cluster: { ...cluster, server: `https://${address}:6443` } }],
    users: [{ ...users[0], name }],
    contexts: [{ name, context: { cluster: name, user: name } }],
    'current-context': name,
  })
}

export function kindProvider(dir = labDirectory()): ClusterProvider {
  const cluster = (name: string) => `${PREFIX}${name}`
  const file = (name: string) => join(dir, `${name}.kubeconfig`)
  const running = async () => {
    const names = (await run('kind', ['get', 'clusters'])).split('\n')
    return names.filter((name) => name.startsWith(PREFIX)).map((name) => name.slice(PREFIX.length))
  }
  const containers = async (name: string) =>
    (await run('kind', ['get', 'nodes', '--name', cluster(name)])).split('\n').filter(Boolean)
  const addressOf = async (name: string, family: Family = 4) => {
    const [container] = await containers(name)
    const format = `{{(index .NetworkSettings.Networks "${NETWORK}").${family === 4 ? 'IPAddress' : 'GlobalIPv6Address'}}}`
    return (await run('docker', ['inspect', '--format', format, container ?? ''])).trim()
  }
  const each = async (name: string, ...args: readonly string[]) => {
    for (const container of await containers(name)) await run('docker', [...args, container])
  }
  const program = async (tool: 'kubectl' | 'helm', name: string, args: readonly string[], input?: string) => {
    const found = (process.env['PATH'] ?? '')
      .split(':')
      .map((each) => join(each, tool))
      .find(existsSync)
    const env = { KUBECONFIG: file(name) }
    return tryRun(found ?? (await binary(tool)), args, { env, ...(input === undefined ? {} : { input }) })
  }
  return {
    kind: 'kind',
    up: async (names, options = {}) => {
      const there = await running()
      await run('mkdir', ['-p', dir])
      // One after another: kind's first start makes the network that the others join.
      for (const name of names.filter((each) => !there.includes(each))) {
        const args = [
          'create',
          'cluster',
          '--name',
          cluster(name),
          '--kubeconfig',
          file(name),
          '--config',
          '-',
          '--wait',
          '120s',
        ]
        await run('kind', args, { input: kindConfig(options) })
        const internal = await run('kind', ['get', 'kubeconfig', '--internal', '--name', cluster(name)])
        await writeFile(file(name), reachableKubeconfig(internal, name, await addressOf(name)))
      }
    },
    down: async (names) => {
      for (const name of (await running()).filter((each) => names?.includes(each) ?? true)) {
        await run('kind', ['delete', 'cluster', '--name', cluster(name)])
        await run('rm', ['-f', file(name)])
      }
    },
    running,
    kubeconfig: async (name) => file(name),
    nodeAddress: addressOf,
    loadImage: async (name, image) => {
      const recipe = RECIPES[image]
      if (recipe === undefined) throw new Error(`image ${image}: there are ${Object.keys(RECIPES).join(', ')}`)
      await recipe(image)
      await run('kind', ['load', 'docker-image', image, '--name', cluster(name)])
    },
    kubectl: (name, args, input) => program('kubectl', name, args, input),
    helm: (name, args) => program('helm', name, args),
    partition: (name, cut) => each(name, 'network', cut ? 'disconnect' : 'connect', NETWORK),
    freeze: (name, frozen) => each(name, frozen ? 'pause' : 'unpause'),
    kill: (name) => each(name, 'kill'),
  }
}
