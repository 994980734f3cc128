import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { type ExitCode, type Io, UsageError } from '../io.ts'
import { type Live, must, withCluster } from './connect.ts'
import type { LiveFlags } from './flags.ts'
import { NODES } from './gateway-address.ts'
import { type Mesh, meshOf } from './mesh.ts'

/** The chart as it lies beside the command's own sources. */
const SHIPPED = join(import.meta.dirname, '../../charts/portolan')
const RELEASE = 'portolan'

export interface InstallOptions extends LiveFlags {
  readonly clusterName?: string
  readonly region?: string
  readonly zone?: string
  readonly group?: string
  readonly gatewayType?: string
  readonly gatewayPort?: number
  readonly gatewayHostPort?: number
  /** Absent = as it was, on at first. */
  readonly hub?: boolean
  readonly values: readonly string[]
  readonly set: readonly string[]
  readonly chart?: string
  readonly wait: boolean
  /** As helm spells it: `2m`, `90s`. */
  readonly timeout: string
}

/** `portolan install`: installs the chart, or brings an installation up to date; values given before stay. */
export function installCommand(options: InstallOptions, io: Io): Promise<ExitCode> {
  const chart = options.chart ?? SHIPPED
  if (options.chart === undefined && !existsSync(join(chart, 'Chart.yaml')))
    throw new UsageError(`the chart is not at ${chart}; name its directory or archive with --chart`)
  return withCluster(options, async (cluster) => {
    const helm = process.env['HELM'] || 'helm'
    await requireHelm(helm)
    const nodes = options.gatewayHostPort === undefined ? undefined : await schedulableNodes(cluster)
    if (options.wait)
      io.err(`${cluster.name}: helm installs Portolan and waits until all of it runs, for ${options.timeout} at most\n`)
    const { code, stderr } = await run(helm, helmArguments(options, chart, nodes))
    if (code !== 0) {
      const said = stderr.trim().replace(/^Error: /, '')
      io.err(`error: ${cluster.name}: helm could not install Portolan: ${said}${hintAt(said, options)}\n`)
      return 1
    }
    io.out(installed(cluster, options, await meshOf(cluster)))
    return 0
  })
}

/**
 * The arguments of helm for an installation.
 * @param nodes how many nodes take pods, when the gateway has a port on its node; a second gateway pod finds no place on one
 */
export function helmArguments(options: InstallOptions, chart: string, nodes?: number): readonly string[] {
  const { context, kubeconfig, portolanNamespace, clusterName, region, zone, group, hub } = options
  const { gatewayType, gatewayPort, gatewayHostPort } = options
  const values: readonly (readonly [path: string, value: unknown])[] = [
    ['cluster.name', clusterName],
    ['cluster.region', region],
    ['cluster.zone', zone],
    ['cluster.group', group],
    ['federation.enabled', hub],
    ['gateway.service.type', gatewayType ?? (gatewayHostPort === undefined ? undefined : 'ClusterIP')],
    ['gateway.service.port', gatewayPort],
    ['gateway.hostPort', gatewayHostPort],
    ['gateway.replicas', nodes === undefined ? undefined : Math.max(1, Math.min(2, nodes))],
  ]
  return [
    ...['upgrade', RELEASE, chart, '--install', '--namespace', portolanNamespace, '--create-namespace'],
    '--reset-then-reuse-values',
    ...(context === undefined ? [] : ['--kube-context', context]),
    ...(kubeconfig === undefined ? [] : ['--kubeconfig', kubeconfig]),
    ...options.values.flatMap((file) => ['--values', file]),
    // As JSON: helm would take commas and dots of plain text for its own, and a name of digits for a number.
    ...values.flatMap(([path, value]) =>
      value === undefined ? [] : ['--set-json', `${path}=${JSON.stringify(value)}`],
    ),
    ...options.set.flatMap((assignment) => ['--set', assignment]),
    ...(options.wait ? ['--wait', '--timeout', options.timeout] : []),
  ]
}

async function schedulableNodes({ client, name }: Live): Promise<number> {
  return must(await client.list(NODES), name).items.filter(({ spec }) => spec?.unschedulable !== true).length
}

async function requireHelm(helm: string): Promise<void> {
  const said = await run(helm, ['version', '--template', '{{ .Version }}']).catch((cause: unknown) => {
    throw new UsageError(`${helm} cannot be run; install Helm 3.14 or newer, or name it in the variable HELM`, {
      cause,
    })
  })
  const [, major = 0, minor = 0] = (/v(\d+)\.(\d+)/.exec(said.stdout) ?? []).map(Number)
  if (major > 3 || (major === 3 && minor >= 14)) return
  throw new UsageError(`${helm} is ${said.stdout.trim() || 'of no known version'}; install Helm 3.14 or newer`)
}

function run(command: string, args: readonly string[]) {
  return new Promise<{ code: number | null; stdout: string; stderr: string }>((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    const out = { stdout: '', stderr: '' }
    for (const name of ['stdout', 'stderr'] as const)
      child[name].setEncoding('utf8').on('data', (text: string) => {
        out[name] += text
      })
    child.on('error', reject)
    child.on('close', (code) => resolve({ code, ...out }))
  })
}

/** What to look at when something did not become ready in time. */
export function hintAt(said: string, { portolanNamespace }: Pick<InstallOptions, 'portolanNamespace'>): string {
  if (!/deadline|timed out|not ready/i.test(said)) return ''
  return `; see kubectl -n ${portolanNamespace} get pods,services. Where nothing gives load balancers an address, use --gateway-type NodePort or --gateway-host-port`
}

/** What there is now, and how to go on. */
function installed(
  { name, connection }: Live,
  { portolanNamespace, clusterName = 'NAME' }: InstallOptions,
  { joined, clusterKey }: Mesh,
): string {
  const context = connection.context === undefined ? '' : ` --context ${connection.context}`
  return [
    `Portolan is installed in namespace ${portolanNamespace} of ${name}.`,
    '',
    'Take a namespace into the mesh:',
    `  portolan namespace add NAMESPACE${context}`,
    ...(joined
      ? [`Its hub knows it as ${clusterKey}.`]
      : ['Register this cluster with a hub:', `  portolan cluster join ${clusterName}${context} --hub-context HUB`]),
    '',
  ].join('\n')
}
