import { existsSync, readFileSync } from 'node:fs'
import { isIPv6 } from 'node:net'
import { delimiter } from 'node:path'
import type { KubeConfig } from '@kubernetes/client-node'

/** What a request needs beside its path. Read anew now and then: tokens and client certificates rotate. */
export interface Credentials {
  readonly headers: Readonly<Record<string, string>>
  readonly tls: TlsOptions
}

export interface TlsOptions {
  readonly ca?: string | Buffer
  readonly cert?: string | Buffer
  readonly key?: string | Buffer
  readonly servername?: string
  readonly rejectUnauthorized?: boolean
}

export interface Connection {
  /** Scheme, host and port, without a final slash. */
  readonly server: string
  /** The namespace this process or kubeconfig context belongs to. */
  readonly namespace?: string
  /** Name of the kubeconfig's context; absent in a pod. */
  readonly context?: string
  readonly credentials: () => Promise<Credentials>
}

export interface ConnectionOptions {
  /** Path of a kubeconfig; absent = $KUBECONFIG, the service account, ~/.kube/config, in this order. */
  readonly kubeconfig?: string
  readonly context?: string
}

/** What is given does not lead to a cluster. The message is one sentence without a final stop that says what to do. */
export class ConnectionError extends Error {}

const SERVICE_ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount'

export async function connect(options: ConnectionOptions = {}): Promise<Connection> {
  const named =
    options.kubeconfig !== undefined || options.context !== undefined || (process.env['KUBECONFIG'] ?? '') !== ''
  if (!named && existsSync(`${SERVICE_ACCOUNT}/token`)) return inCluster()
  return fromKubeconfig(options)
}

/**
 * A pod's own service account, written out here although client-node can do it: importing client-node costs 84 MiB and
 * 0.35 s (measured; its generated API comes with every import), and in a cluster nothing else of it would be used.
 * The kubelet rotates token and CA in place, so both are read at each call.
 */
export function inCluster(
  env: Readonly<Record<string, string | undefined>> = process.env,
  directory = SERVICE_ACCOUNT,
): Connection {
  const host = env['KUBERNETES_SERVICE_HOST']
  const port = env['KUBERNETES_SERVICE_PORT']
  if (!host || !port) {
    throw new Error(`${directory}/token exists but KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set`)
  }
  const read = (file: string) => readFileSync(`${directory}/${file}`, 'utf8').trim()
  return {
    server: `https://${isIPv6(host) ? `[${host}]` : host}:${port}`,
    ...(existsSync(`${directory}/namespace`) ? { namespace: read('namespace') } : {}),
    credentials: async () => ({
      headers: { authorization: `Bearer ${read('token')}` },
      tls: { ca: read('ca.crt') },
    }),
  }
}

/**
 * Kubeconfigs have many ways to log in (files, exec plugins, OIDC): client-node knows them all.
 * @throws ConnectionError when there is none, or no such context in it
 */
async function fromKubeconfig({ kubeconfig, context }: ConnectionOptions): Promise<Connection> {
  const { KubeConfig: Config } = await import('@kubernetes/client-node')
  const parsed = (file: string): KubeConfig => {
    const config = new Config()
    config.loadFromFile(file)
    return config
  }
  const config = new Config()
  try {
    if (kubeconfig !== undefined) config.loadFromFile(kubeconfig)
    else if ((process.env['KUBECONFIG'] ?? '') === '') config.loadFromDefault()
    else config.loadFromOptions(merged(filesOf(process.env['KUBECONFIG'] ?? '').map(parsed)))
  } catch (cause) {
    const file = kubeconfig ?? process.env['KUBECONFIG'] ?? '~/.kube/config'
    // Of broken YAML the lines follow, too.
    const [why = ''] = (cause as Error).message.split('\n')
    throw new ConnectionError(`kubeconfig ${file} cannot be used: ${why}`, { cause })
  }
  if (config.getCurrentContext() === NO_KUBECONFIG)
    throw new ConnectionError('there is no kubeconfig; set KUBECONFIG, or write ~/.kube/config')
  if (context !== undefined) config.setCurrentContext(context)
  const current = config.getCurrentContext()
  const known = config.getContexts().map(({ name }) => name)
  const choice = known.length === 0 ? 'nor any other' : `name one of its contexts: ${known.toSorted().join(', ')}`
  if (!current) throw new ConnectionError(`the kubeconfig has no current context; ${choice}`)
  if (!known.includes(current)) throw new ConnectionError(`the kubeconfig has no context ${current}; ${choice}`)
  const cluster = config.getCurrentCluster()
  if (cluster === null)
    throw new ConnectionError(`context ${current} names a cluster that the kubeconfig has not; correct it there`)
  const namespace = config.getContextObject(current)?.namespace
  return {
    server: cluster.server.replace(/\/+$/, ''),
    context: current,
    ...(namespace === undefined ? {} : { namespace }),
    credentials: async () => {
      const filled: Record<string, unknown> = {}
      await config.applyToHTTPSOptions(filled)
      const { ca, cert, key, servername, rejectUnauthorized, auth } = filled as TlsOptions & { auth?: string }
      const basic = auth === undefined ? {} : { authorization: `Basic ${Buffer.from(auth).toString('base64')}` }
      return {
        headers: { ...basic, ...lowerCased(filled['headers']) },
        tls: present({ ca, cert, key, servername, rejectUnauthorized }),
      }
    },
  }
}

/** As kubectl reads $KUBECONFIG: files that are not there are passed over, unless none is. */
function filesOf(list: string): readonly string[] {
  const files = list.split(delimiter).filter((file) => file !== '')
  const there = files.filter((file) => existsSync(file))
  return there.length > 0 ? there : files
}

/** As kubectl merges files: of two things with one name the first counts. client-node refuses such files. */
function merged(configs: readonly KubeConfig[]) {
  const first = <T extends { readonly name: string }>(all: readonly T[]): T[] => [
    ...new Map(all.toReversed().map((each) => [each.name, each])).values(),
  ]
  return {
    clusters: first(configs.flatMap((config) => config.getClusters())),
    users: first(configs.flatMap((config) => config.getUsers())),
    contexts: first(configs.flatMap((config) => config.getContexts())),
    currentContext: configs.map((config) => config.getCurrentContext()).find((name) => name) ?? '',
  }
}

/** What client-node calls the context it makes up when it finds nothing: localhost:8080, where no cluster has been for years. */
const NO_KUBECONFIG = 'loaded-context'

const lowerCased = (headers: unknown): Record<string, string> =>
  Object.fromEntries(Object.entries(headers ?? {}).map(([name, value]) => [name.toLowerCase(), String(value)]))

const present = (options: { [K in keyof TlsOptions]?: TlsOptions[K] | undefined }): TlsOptions =>
  Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
