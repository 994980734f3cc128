import type { RunResult } from '../lab/run.ts'
import { trouble } from './trouble.ts'

/** One cluster under test, as a person at a terminal has it. */
export interface Site {
  readonly name: string
  /** Address under which other clusters reach this one's node ports. */
  readonly address: string
  readonly kubectlPath: string
  /** What makes kubectl talk to this cluster. */
  readonly env: Readonly<Record<string, string>>
  /** Runs kubectl; never throws for a non-zero exit. */
  kubectl(args: readonly string[], input?: string): Promise<RunResult>
}

/** kubectl that must succeed; returns what it printed. */
export async function kubectl(site: Site, ...args: readonly string[]): Promise<string> {
  const result = await site.kubectl(args)
  if (result.code !== 0) throw new Error(`${site.name}: kubectl ${args.join(' ')}: ${result.stderr || result.stdout}`)
  return result.stdout
}

export async function apply(site: Site, manifest: string, ...flags: readonly string[]): Promise<string> {
  const result = await site.kubectl(['apply', ...flags, '-f', '-'], manifest)
  if (result.code !== 0) throw new Error(`${site.name}: kubectl apply: ${result.stderr}\n${manifest}`)
  return result.stdout
}

/** What the API server says to a manifest that it should not take. */
export async function refused(site: Site, manifest: string, ...flags: readonly string[]): Promise<string> {
  const result = await site.kubectl(['apply', ...flags, '-f', '-'], manifest)
  if (result.code === 0) throw new Error(`${site.name}: was accepted:\n${manifest}\n${result.stdout}`)
  return result.stderr
}

// biome-ignore lint/suspicious/noExplicitAny: tests look into objects of every kind
export type Loose = any

export async function get(site: Site, ...args: readonly string[]): Promise<Loose> {
  return JSON.parse(await kubectl(site, 'get', ...args, '-o', 'json'))
}

export async function ready(site: Site, namespace: string, ...selector: readonly string[]): Promise<void> {
  await waited(site, namespace, 'wait', '--for=condition=Ready', 'pod', ...selector)
}

/** Unlike `ready`, this does not trip over pods that go while it looks. */
export async function rolledOut(site: Site, namespace: string, ...deployments: readonly string[]): Promise<void> {
  for (const name of deployments) await waited(site, namespace, 'rollout', 'status', `deploy/${name}`)
}

async function waited(site: Site, namespace: string, ...args: readonly string[]): Promise<void> {
  try {
    await kubectl(site, '-n', namespace, ...args, '--timeout=150s')
  } catch (cause) {
    throw new Error(`${(cause as Error).message}\n${await trouble(site.kubectl, namespace)}`, { cause })
  }
}

/** Runs a command in a container of a pod or of `deploy/NAME`. */
export function exec(
  site: Site,
  namespace: string,
  target: string,
  container: string,
  ...command: readonly string[]
): Promise<RunResult> {
  return site.kubectl(['-n', namespace, 'exec', target, '-c', container, '--', ...command])
}
