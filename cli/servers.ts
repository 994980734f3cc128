import { hostname } from 'node:os'
import { type Command, InvalidArgumentError, Option } from 'commander'
import { isTrustDomain } from '../api/identity.ts'
import { DEFAULT_CLUSTER_DOMAIN, DEFAULT_TRUST_DOMAIN, DEFAULT_VIP_RANGE } from '../api/names.ts'
import { mtls } from './flags.ts'
import { UsageError } from './io.ts'

/** Adds the commands that run in a cluster: `webhook`, `compiler`, `identity` and `federation`. What they need is imported when they run. */
export function addServers(root: Command): void {
  cluster(root.command('webhook'))
    .summary('serve admission: validate, set defaults, inject sidecars')
    .option('--service <name>', 'Service by which the API server calls this webhook', 'portolan-webhook')
    .requiredOption('--proxy-image <image>', 'image of the sidecar')
    .requiredOption('--init-image <image>', 'image of the container that sets capture up')
    .addOption(
      new Option('--image-pull-policy <policy>', 'of both images')
        .choices(['Always', 'IfNotPresent', 'Never'])
        .default('IfNotPresent'),
    )
    .option('--dns-service <name>', 'Service of mesh DNS', 'portolan-dns')
    .addOption(mtls())
    .option('--secret <name>', 'Secret with the certificate authorities', 'portolan-webhook-tls')
    .option('--webhook-config <names>', 'webhook configurations that trust them, separated by commas', names, [
      'portolan',
    ])
    .option('--port <port>', 'where to serve HTTPS', port, 9443)
    .action(async (flags: WebhookFlags) => {
      const { runWebhook } = await import('../webhook/main.ts')
      const { webhookConfig, ...rest } = flags
      await serve(flags, 'webhook', (tools) =>
        runWebhook({ ...rest, webhookConfigs: webhookConfig }, tools.client, tools.log, tools.stop),
      )
    })

  cluster(root.command('compiler'))
    .summary('compile routing tables and write them for sidecars, gateways and mesh DNS')
    .addOption(identity())
    .option('--lease <name>', 'Lease that the replicas take turns by', 'portolan-compiler')
    .option('--lease-seconds <count>', 'how long a replica that died holds up the others', count, 15)
    .addOption(mtls())
    .option('--require-identity', 'call no cluster that has no identity', false)
    .option(
      '--egress-namespace <name>',
      'where the egress is, by which pods without a sidecar call imports; unset = there is none',
    )
    .option('--nudge', 'touch pods whose tables have changed, so that they reach them at once', true)
    .option('--no-nudge', 'leave pods alone: changes take up to 90 s to reach them')
    .option('--nudges-per-second <count>', 'how many pods to touch in a second', count, 20)
    .option(
      '--gateway-linger <seconds>',
      'how long gateways serve on what is exported no more, and sidecars the addresses of imports that are gone, for callers hear of it later; 0 = not at all',
      seconds,
      30,
    )
    .option(
      '--patience-seconds <seconds>',
      'how long an export has to be without ready pods until its status says so, for a pod that is replaced is no news; 0 = it says so at once',
      seconds,
      30,
    )
    .action(async (flags: CompilerFlags) => {
      const { runCompiler } = await import('../compiler/main.ts')
      await serve(flags, 'compiler', (tools) => runCompiler(flags, tools.client, tools.log, tools.stop))
    })

  member(server(root.command('identity')))
    .summary('keep the certificate authority of this cluster and the certificates of its service accounts')
    .addOption(identity())
    .option('--lease <name>', 'Lease that the replicas take turns by', 'portolan-identity')
    .option('--lease-seconds <count>', 'how long a replica that died holds up the others', count, 15)
    .option(
      '--trust-domain <suffix>',
      "what follows the cluster's name in its trust domain; what its hub says counts more",
      trustDomain,
      DEFAULT_TRUST_DOMAIN,
    )
    .option('--ca-secret <name>', 'Secret that roots come from, as cert-manager keeps it; unset = they are made here')
    .option('--leaf-hours <count>', 'how long a certificate is valid; it is renewed at two thirds', count, 24)
    .option('--root-days <count>', 'how long a root is valid; its successor comes at two thirds', count, 365)
    .option('--settle-seconds <seconds>', 'how long others are given to read a new root or certificate', seconds, 300)
    .action(async (flags: IdentityFlags) => {
      const { runIdentity } = await import('../certs/identity/main.ts')
      const { leafHours, rootDays, settleSeconds, ...rest } = flags
      const lives = { leafMs: leafHours * 3_600_000, rootMs: rootDays * 86_400_000, settleMs: settleSeconds * 1_000 }
      await serve(flags, 'identity', (tools) => runIdentity({ ...rest, lives }, tools.client, tools.log, tools.stop))
    })

  server(root.command('federation'))
    .summary('run the hub: import into each cluster what the others export')
    .addOption(identity())
    .option('--lease <name>', 'Lease that the replicas take turns by', 'portolan-federation')
    .option('--lease-seconds <count>', 'how long a leader that died blocks the others', count, 15)
    .option('--no-create-namespaces', 'leave out imports whose namespace is not there')
    .option(
      '--trust-domain <suffix>',
      "what follows a cluster's name in its trust domain",
      trustDomain,
      DEFAULT_TRUST_DOMAIN,
    )
    .action(async (flags: FederationFlags) => {
      const { runFederation } = await import('../federation/main.ts')
      await serve(flags, 'federation', (tools) => runFederation(flags, tools.client, tools.log, tools.stop))
    })
}

const identity = (): Option =>
  new Option('--identity <name>', 'name of this replica').default(process.env['POD_NAME'] ?? hostname(), "the pod's")

interface ServerFlags {
  readonly namespace: string
  readonly healthPort: number
  readonly metricsPort: number
  readonly kubeconfig?: string
  readonly logLevel: string
}

interface ClusterFlags extends ServerFlags {
  readonly meshName: string
  readonly meshConfig: { readonly namespace: string; readonly name: string }
  readonly clusterKey: string
  readonly clusterDomain: string
  readonly vipRange: string
  readonly mtls: boolean
}

interface WebhookFlags extends ClusterFlags {
  readonly service: string
  readonly proxyImage: string
  readonly initImage: string
  readonly imagePullPolicy: 'Always' | 'IfNotPresent' | 'Never'
  readonly dnsService: string
  readonly secret: string
  readonly webhookConfig: readonly string[]
  readonly port: number
}

interface FederationFlags extends ServerFlags {
  readonly identity: string
  readonly lease: string
  readonly leaseSeconds: number
  readonly createNamespaces: boolean
  readonly trustDomain: string
}

interface IdentityFlags extends ServerFlags {
  readonly meshName: string
  readonly clusterKey: string
  readonly identity: string
  readonly lease: string
  readonly leaseSeconds: number
  readonly trustDomain: string
  readonly caSecret?: string
  readonly leafHours: number
  readonly rootDays: number
  readonly settleSeconds: number
}

interface CompilerFlags extends ClusterFlags {
  readonly mtls: boolean
  readonly identity: string
  readonly lease: string
  readonly leaseSeconds: number
  readonly requireIdentity: boolean
  readonly egressNamespace?: string
  readonly nudge: boolean
  readonly nudgesPerSecond: number
  readonly gatewayLinger: number
  readonly patienceSeconds: number
}

const NAMESPACE = process.env['POD_NAMESPACE'] ?? 'portolan-system'

function cluster(command: Command): Command {
  return member(server(command))
    .addOption(
      new Option('--mesh-config <namespace/name>', 'the MeshConfig to go by')
        .argParser(objectName)
        .default({ namespace: NAMESPACE, name: 'portolan-mesh-config' }, `${NAMESPACE}/portolan-mesh-config`),
    )
    .option('--cluster-domain <domain>', "DNS suffix of the cluster's own names", DEFAULT_CLUSTER_DOMAIN)
    .option('--vip-range <cidr>', 'range that addresses of imports come from', DEFAULT_VIP_RANGE)
}

function member(command: Command): Command {
  return command
    .option('--mesh-name <name>', 'value of the label flomesh.io/monitored-by that makes a namespace ours', 'portolan')
    .option(
      '--cluster-key <key>',
      'this cluster, as region/zone/group/name; what its hub says counts more',
      clusterKey,
      'default/default/default/default',
    )
}

function server(command: Command): Command {
  return command
    .option('--namespace <name>', "Portolan's own namespace", NAMESPACE)
    .option('--health-port <port>', 'where to serve /healthz and /readyz', port, 8081)
    .option('--metrics-port <port>', 'where to serve /metrics', port, 9090)
    .option('--kubeconfig <file>', 'how to reach the API server; unset = the service account, when there is one')
    .addOption(
      new Option('--log-level <level>', 'least level to log')
        .choices(['debug', 'info', 'warn', 'error'])
        .default('info'),
    )
}

interface Tools {
  readonly client: import('../kube/client.ts').KubeClient
  readonly log: import('pino').Logger
  readonly stop: AbortSignal
}

/** Runs a server until SIGTERM or SIGINT; a second signal ends it at once. */
async function serve(flags: ServerFlags, name: string, run: (tools: Tools) => Promise<void>): Promise<void> {
  const [{ pino }, { connect, ConnectionError }, { createClient }] = await Promise.all([
    import('pino'),
    import('../kube/connection.ts'),
    import('../kube/client.ts'),
  ])
  const log = pino({ level: flags.logLevel, base: { server: name }, timestamp: pino.stdTimeFunctions.isoTime })
  const stopping = new AbortController()
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stopping.abort())
  const { kubeconfig } = flags
  const connection = await connect(kubeconfig === undefined ? {} : { kubeconfig }).catch((error: unknown) => {
    if (error instanceof ConnectionError) throw new UsageError(error.message, { cause: error })
    throw error
  })
  const client = createClient(connection, { userAgent: `portolan-${name}` })
  try {
    await run({ client, log, stop: stopping.signal })
  } catch (err) {
    log.fatal({ err }, `${name} cannot run`)
    // Whatever has been started already would keep the process alive.
    process.exit(1)
  }
  await client.close()
}

function port(value: string): number {
  const number = Number(value)
  if (Number.isInteger(number) && number >= 0 && number <= 65_535) return number
  throw new InvalidArgumentError('Write a port, 0 to 65535.')
}

function count(value: string): number {
  const number = Number(value)
  if (Number.isInteger(number) && number > 0) return number
  throw new InvalidArgumentError('Write a whole number above 0.')
}

function seconds(value: string): number {
  const number = Number(value)
  if (Number.isInteger(number) && number >= 0 && number <= 3_600) return number
  throw new InvalidArgumentError('Write a whole number of seconds, 0 to 3600.')
}

function objectName(value: string): { readonly namespace: string; readonly name: string } {
  const [namespace, name, ...rest] = value.split('/')
  if (namespace && name && rest.length === 0) return { namespace, name }
  throw new InvalidArgumentError('Write namespace/name.')
}

function trustDomain(value: string): string {
  if (isTrustDomain(value)) return value
  throw new InvalidArgumentError(
    'Write a trust domain: lower-case letters, digits, -, _ and ., for example mesh.example.',
  )
}

function clusterKey(value: string): string {
  if (/^([^/\s]+\/){3}[^/\s]+$/.test(value)) return value
  throw new InvalidArgumentError('Write region/zone/group/name.')
}

const names = (value: string): readonly string[] => value.split(',').filter((name) => name !== '')
