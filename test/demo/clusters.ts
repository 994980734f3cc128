/** The four clusters of the walkthrough and a terminal to work on them. */
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { delimiter, join, relative } from 'node:path'
import { CONTROL_PLANE, loadImages, terminalEnv } from '../e2e/mesh.ts'
import { IMAGE } from '../lab/images.ts'
import type { ClusterProvider } from '../lab/provider.ts'
import { tryRun } from '../lab/run.ts'
import { labDirectory } from '../lab/state.ts'

export const HUB = 'control-plane'
export const MEMBERS = ['cluster-1', 'cluster-2', 'cluster-3'] as const
export type Member = (typeof MEMBERS)[number]
export const CLUSTERS: readonly string[] = [HUB, ...MEMBERS]
/** Where each member's gateway listens on its cluster's address. */
export const GATEWAY_PORT: Readonly<Record<Member, number>> = { 'cluster-1': 81, 'cluster-2': 82, 'cluster-3': 83 }

const ROOT = join(import.meta.dirname, '../..')

/** What is filled into the printed commands and manifests, and the environment in which they are typed. */
export interface Scene {
  /** HOST_IP of each member; none where other clusters are played with. */
  readonly address: Readonly<Record<Member, string>>
  readonly env: Readonly<Record<string, string>>
}

/** A file of this directory, as typed from the top of the repository. */
export function file(name: string): string {
  return join(relative(ROOT, import.meta.dirname), name)
}

/**
 * The clusters with the images of the working tree; in those that were up already, Portolan's pods are replaced.
 *
 * @returns whether any was up already
 */
export async function raise(clusters: ClusterProvider, names = CLUSTERS): Promise<boolean> {
  const before = (await clusters.running()).filter((name) => names.includes(name))
  await clusters.up(names)
  await loadImages(clusters, names, [IMAGE.portolan])
  for (const name of before)
    await clusters.kubectl(name, ['-n', CONTROL_PLANE, 'rollout', 'restart', 'deploy', '-l', PART_OF_PORTOLAN])
  return before.length > 0
}

const PART_OF_PORTOLAN = 'app.kubernetes.io/part-of=portolan'

/** Commands that people have and this machine may lack: `portolan` from the checkout, `jq` as far as it is used here. */
async function commands(dir: string): Promise<string> {
  const bin = join(dir, 'bin')
  mkdirSync(bin, { recursive: true })
  const script = (name: string, words: readonly string[]) => {
    const file = join(bin, name)
    writeFileSync(file, `#!/bin/sh\nexec ${words.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ')} "$@"\n`)
    chmodSync(file, 0o755)
  }
  script('portolan', [process.execPath, join(ROOT, 'cli/main.ts')])
  const jq = await tryRun('sh', ['-c', 'command -v jq'])
  if (jq.code !== 0)
    script('jq', [
      process.execPath,
      '-e',
      'console.log(JSON.stringify(JSON.parse(require("fs").readFileSync(0)), null, 2))',
    ])
  return bin
}

export async function setScene(clusters: ClusterProvider, names = CLUSTERS): Promise<Scene> {
  const env = await terminalEnv(clusters, names)
  const members = MEMBERS.filter((name) => names.includes(name))
  const address = await Promise.all(members.map(async (name) => [name, await clusters.nodeAddress(name)]))
  return {
    address: Object.fromEntries(address) as Record<Member, string>,
    env: { ...env, PATH: [await commands(labDirectory()), env['PATH']].join(delimiter) },
  }
}

/** A file for a shell to read, after which kubectl, helm and portolan reach the clusters by their names. */
export async function writeEnvironment(clusters: ClusterProvider, names = CLUSTERS): Promise<string> {
  const { env } = await setScene(clusters, names)
  const ours = env['PATH']?.split(delimiter).slice(0, 2).join(delimiter)
  const file = join(labDirectory(), 'env')
  writeFileSync(file, `export PATH='${ours}':"$PATH"\nexport KUBECONFIG='${env['KUBECONFIG']}'\n`)
  return file
}
