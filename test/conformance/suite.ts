/** The official conformance suite of Kubernetes' API for services of several clusters, in a checkout that the user has. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const MODULE = 'sigs.k8s.io/mcs-api/conformance'
const REMEDY = 'git clone https://github.com/kubernetes-sigs/mcs-api and name it: make conformance MCS_API=PATH'

export type Suite = { readonly dir: string } | { readonly problem: string }

/** The suite's directory in the checkout at `path`, or why there is none to run. */
export function suiteIn(path: string | undefined): Suite {
  if (path === undefined || path === '') return { problem: `MCS_API is not set: ${REMEDY}` }
  const dir = join(path, 'conformance')
  const file = join(dir, 'go.mod')
  if (!existsSync(file)) return { problem: `MCS_API=${path}: no ${file}: ${REMEDY}` }
  const [, name] = /^module\s+(\S+)/m.exec(readFileSync(file, 'utf8')) ?? []
  return name === MODULE ? { dir } : { problem: `${file} is module ${name ?? 'nothing'}, not ${MODULE}: ${REMEDY}` }
}

/**
 * Arguments for go that run the suite against these contexts of a kubeconfig, and print what it says as it says it.
 *
 * @param extra flags of the suite or of Ginkgo
 */
export function suiteCommand(contexts: readonly string[], extra: readonly string[]): readonly string[] {
  return [
    'test',
    '.',
    '-v',
    '-count=1',
    '-timeout=60m',
    '-args',
    `-contexts=${contexts.join(',')}`,
    '-ginkgo.v',
    ...extra,
  ]
}
