import { CLUSTERSET_DOMAIN, DNS_CONFIGMAP } from '../../api/names.ts'
import { CONFIGMAPS, type ConfigMap, SERVICES } from '../../api/resources.ts'
import {
  type Forwarding,
  forwardsTo,
  hostPort,
  type Outcome,
  reloads,
  takesInServers,
  withForwarding,
  withoutForwarding,
} from '../corefile.ts'
import { type ExitCode, type Io, UsageError } from '../io.ts'
import { type Format, painter, serialize } from '../print.ts'
import { CLUSTERSET_PORT, COREFILE, type DnsPlace, forwardingTo, placeOf } from './cluster-dns-place.ts'
import { patchOf } from './cluster-dns-write.ts'
import { type Live, must, mustOrMissing, withCluster } from './connect.ts'
import type { LiveFlags } from './flags.ts'
import { meshOf } from './mesh.ts'

export interface DnsChangeOptions extends LiveFlags, DnsPlace {
  readonly colors: boolean
  readonly dryRun: boolean
}

export interface DnsStatusOptions extends LiveFlags, DnsPlace {
  readonly output: Format
}

/** What the cluster's own DNS does with names of the clusterset. */
export interface DnsStatus {
  readonly configMap: string
  readonly key: string
  /** host:port of mesh DNS. */
  readonly meshDns: string
  /** Where names are handed to now; absent = nowhere. */
  readonly forwardsTo?: string
  readonly resolves: boolean
  readonly reloads: boolean
}

/** `portolan dns enable`: pods without a sidecar resolve names of the clusterset from then on. */
export function dnsEnable(options: DnsChangeOptions, io: Io): Promise<ExitCode> {
  return withCluster<ExitCode>(options, async (cluster) => {
    const forwarding = await forwardingOf(cluster)
    const whole = options.key === COREFILE.key
    return change(cluster, options, io, {
      outcome: (text) => withForwarding(text, forwarding, whole),
      done: `names of ${CLUSTERSET_DOMAIN} go to mesh DNS at ${hostPort(forwarding)}`,
      already: `names of ${CLUSTERSET_DOMAIN} went to mesh DNS at ${hostPort(forwarding)} already`,
    })
  })
}

/** `portolan dns disable`: takes out what {@link dnsEnable} put in, and nothing else. */
export function dnsDisable(options: DnsChangeOptions, io: Io): Promise<ExitCode> {
  return withCluster<ExitCode>(options, (cluster) =>
    change(cluster, options, io, {
      outcome: withoutForwarding,
      done: `names of ${CLUSTERSET_DOMAIN} go to mesh DNS no more`,
      already: `names of ${CLUSTERSET_DOMAIN} did not go to mesh DNS`,
    }),
  )
}

/** `portolan dns status`: whether pods without a sidecar resolve names of the clusterset. */
export function dnsStatus(options: DnsStatusOptions, io: Io): Promise<ExitCode> {
  return withCluster<ExitCode>(options, async (cluster) => {
    const meshDns = hostPort(await forwardingOf(cluster))
    const { text = '' } = await read(cluster, options)
    const to = forwardsTo(text)
    const status: DnsStatus = {
      configMap: placeOf(options),
      key: options.key,
      meshDns,
      ...(to === undefined ? {} : { forwardsTo: to }),
      resolves: to === meshDns,
      reloads: reloads(text),
    }
    io.out(options.output === 'text' ? `${cluster.name}: ${sentence(status)}\n` : serialize(status, options.output))
    return status.resolves ? 0 : 1
  })
}

function sentence({ configMap, meshDns, forwardsTo: to, resolves }: DnsStatus): string {
  if (resolves) return `pods without a sidecar resolve names of ${CLUSTERSET_DOMAIN}, from mesh DNS at ${meshDns}`
  const why =
    to === undefined
      ? `ConfigMap ${configMap} does not hand them to mesh DNS`
      : `ConfigMap ${configMap} hands them to ${to}, and mesh DNS is at ${meshDns}`
  return `pods without a sidecar do not resolve names of ${CLUSTERSET_DOMAIN}: ${why}. Run: portolan dns enable`
}

interface Change {
  readonly outcome: (corefile: string) => Outcome
  readonly done: string
  readonly already: string
}

async function change(cluster: Live, options: DnsChangeOptions, io: Io, wanted: Change): Promise<ExitCode> {
  const { object, text } = await read(cluster, options)
  const where = `ConfigMap ${placeOf(options)}`
  if (text === undefined && options.key === COREFILE.key) throw new UsageError(`${cluster.name}: ${absent(options)}`)
  const before = text ?? ''
  const outcome = wanted.outcome(before)
  if (!outcome.ok) throw new UsageError(`${cluster.name}: ${where}: ${outcome.why}`)
  if (outcome.text === before) {
    io.out(`${cluster.name}: ${wanted.already}.\n`)
    return 0
  }
  if (options.dryRun) {
    io.out(`${cluster.name}: ${where}, ${options.key}:\n${difference(before, outcome.text, options.colors)}`)
    return 0
  }
  await write(cluster, options, object, outcome.text)
  io.out(`${cluster.name}: ${wanted.done}. ${whenRead(options, before)}\n`)
  return 0
}

function whenRead({ configMap, key }: DnsPlace, before: string): string {
  if (key !== COREFILE.key)
    return `DNS reads it when the Corefile that takes it in has the plugin reload; else restart it.`
  const advice = takesInServers(before)
    ? `\nThis distribution may write the ConfigMap anew. What lasts is a file that it takes in: --config-map ${configMap.namespace}/coredns-custom --key portolan.server`
    : ''
  if (reloads(before)) return `DNS reads it by itself, in a minute or two.${advice}`
  return `DNS does not read it by itself, as it has no plugin reload: kubectl -n ${configMap.namespace} rollout restart deployment ${configMap.name}${advice}`
}

/** @throws UsageError when mesh DNS is not there, or too old to be asked */
async function forwardingOf(cluster: Live): Promise<Forwarding> {
  const { client, portolanNamespace: namespace, name } = cluster
  const { clusterDomain } = await meshOf(cluster)
  const service = mustOrMissing(await client.get(SERVICES, { namespace, name: DNS_CONFIGMAP }), name)
  const forwarding = forwardingTo(service, clusterDomain)
  if (forwarding !== undefined) return forwarding
  throw new UsageError(
    `${name}: Service ${namespace}/${DNS_CONFIGMAP} has no port ${CLUSTERSET_PORT}; bring Portolan there up to date with portolan install`,
  )
}

interface Read {
  readonly object?: ConfigMap
  readonly text?: string
}

async function read({ client, name }: Live, { configMap, key }: DnsPlace): Promise<Read> {
  const object = mustOrMissing(await client.get(CONFIGMAPS, configMap), name)
  const text = object?.data?.[key]
  return { ...(object === undefined ? {} : { object }), ...(text === undefined ? {} : { text }) }
}

function absent({ configMap, key }: DnsPlace): string {
  return `there is no ConfigMap ${placeOf({ configMap, key })} with a ${key}; name where DNS has its configuration with --config-map and --key, or have it forward ${CLUSTERSET_DOMAIN} to mesh DNS by its own means`
}

/** Nobody else's change of the same moment is lost. */
async function write(
  { client, name }: Live,
  { configMap, key }: DnsPlace,
  object: ConfigMap | undefined,
  text: string,
): Promise<void> {
  if (object === undefined) {
    must(await client.create<ConfigMap>(CONFIGMAPS, { metadata: configMap, data: { [key]: text } }), name)
    return
  }
  const written = await client.patch(CONFIGMAPS, configMap, patchOf(object, key, text))
  if (!written.ok && written.failure.reason === 'Conflict')
    throw new UsageError(
      `${name}: ConfigMap ${placeOf({ configMap, key })} was changed by somebody else just now; do this again`,
    )
  must(written, name)
}

/** What is between the first and the last line that differ. */
function difference(before: string, after: string, colors: boolean): string {
  const paint = painter(colors)
  const [old, now] = [before.split('\n'), after.split('\n')]
  const head = old.findIndex((line, index) => line !== now[index])
  const tail = old.toReversed().findIndex((line, index) => line !== now.at(-1 - index))
  const kept = Math.min(tail < 0 ? old.length : tail, Math.min(old.length, now.length) - Math.max(head, 0))
  const between = (lines: readonly string[]) => lines.slice(Math.max(head, 0), lines.length - kept)
  return [
    ...between(old).map((line) => paint('red', `- ${line}`)),
    ...between(now).map((line) => paint('green', `+ ${line}`)),
  ]
    .map((line) => `${line}\n`)
    .join('')
}
