/** The chart as helm sees it, without a cluster. */
import { join } from 'node:path'
import { parseAllDocuments } from 'yaml'
import { type RunResult, tryRun } from '../lab/run.ts'
import { binary } from '../lab/toolchain.ts'

export const CHART = join(import.meta.dirname, '../../charts/portolan')

/** Runs helm to its end, whatever that is. */
export async function helm(...args: readonly string[]): Promise<RunResult> {
  return tryRun(await binary('helm'), args)
}

/** The rendered manifests as text; `args` as for `helm template`. Throws with helm's message when it refuses. */
export async function render(...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await helm('template', 'portolan', CHART, '--namespace', 'portolan-system', ...args)
  if (code !== 0) throw new Error(stderr)
  return stdout
}

export interface Manifest {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: {
    readonly name: string
    readonly namespace?: string
    readonly annotations?: Record<string, string>
  }
  // biome-ignore lint/suspicious/noExplicitAny: a test reads what it expects, and fails where it is not
  readonly [field: string]: any
}

export function parseManifests(text: string): readonly Manifest[] {
  return parseAllDocuments(text).flatMap((document) => document.toJS() ?? [])
}
