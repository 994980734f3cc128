/** Dapr (https://dapr.io), built from its Go module, and its Helm chart, which lies in the same module. */
import { join } from 'node:path'
import { buildGo } from './go.ts'
import { run } from './run.ts'

/** As in go-dapr/go.mod. */
export const DAPR = '1.16.5'
/** By which names the one program is called. */
export const DAPR_PARTS = ['daprd', 'injector', 'operator', 'placement', 'sentry'] as const

const SOURCE = join(import.meta.dirname, 'go-dapr')
const LDFLAGS = `-s -w -X github.com/dapr/dapr/pkg/buildinfo.version=${DAPR}`

/** Path of the program that is all parts of Dapr, with the few components that the walkthrough uses. */
export async function dapr(): Promise<string> {
  const step = { title: `Dapr ${DAPR} from source`, expect: '2 min on two cores' }
  return join(await buildGo(SOURCE, 'dapr', { dapr: LDFLAGS }, step), 'dapr')
}

/** Directory of Dapr's own Helm chart. */
export async function daprChart(): Promise<string> {
  const module = await run('go', ['list', '-m', '-f', '{{.Dir}}', 'github.com/dapr/dapr'], { cwd: SOURCE })
  return join(module.trim(), 'charts/dapr')
}
