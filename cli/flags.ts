import { type Command, InvalidArgumentError, Option } from 'commander'
import { DEFAULT_CLUSTER_DOMAIN, DEFAULT_VIP_RANGE } from '../api/names.ts'
import type { ExitCode, Io } from './io.ts'
import type { Format } from './print.ts'

/** What all commands have that print for people and for programs. */
export interface Printing {
  readonly output: Format
  readonly color: 'auto' | 'always' | 'never'
}

/** What a room's commands are added with. */
export interface Adding {
  readonly io: Io
  /** Is told the exit code of the command that ran. */
  readonly done: (code: ExitCode) => void
}

/** Settles whether to print with colours. */
export function withColors<T extends Pick<Printing, 'color'>>(options: T, io: Io): T & { readonly colors: boolean } {
  return { ...options, colors: options.color === 'always' || (options.color === 'auto' && io.terminal) }
}

/** Options for text on a terminal and for data. */
export function printing(command: Command): Command {
  return command
    .addOption(new Option('-o, --output <format>', 'how to print').choices(['text', 'json', 'yaml']).default('text'))
    .addOption(color())
}

/** Where files of manifests are, and the namespace of what names none. */
export function manifests(command: Command, what?: string): Command {
  return files(command, what).option('-n, --namespace <name>', 'namespace of objects that name none', 'default')
}

/** Where files of manifests are. */
export function files(command: Command, what = 'file, directory or - for stdin'): Command {
  return command.addOption(
    new Option('-f, --filename <path>', `${what}; may be repeated`).argParser(collect).makeOptionMandatory(),
  )
}

export const color = () =>
  new Option('--color <when>', 'colour the text').choices(['auto', 'always', 'never']).default('auto')
export const meshName = () =>
  new Option('--mesh-name <name>', 'value of the label flomesh.io/monitored-by that makes a namespace ours').default(
    'portolan',
  )
export const clusterDomain = () =>
  new Option('--cluster-domain <domain>', "DNS suffix of the cluster's own names").default(DEFAULT_CLUSTER_DOMAIN)
export const vipRange = () =>
  new Option('--vip-range <cidr>', 'range that addresses of imports come from').default(DEFAULT_VIP_RANGE)

export const mtls = () =>
  new Option('--no-mtls', 'proxies have no identity: what crosses between clusters is plain HTTP')

/** For options that may be repeated. */
export function collect(value: string, earlier: readonly string[] | undefined): readonly string[] {
  return [...(earlier ?? []), value]
}

export function clusterKey(value: string): string {
  if (!/^([^/\s]+\/){3}[^/\s]+$/.test(value)) throw new InvalidArgumentError('Write region/zone/group/name.')
  return value
}
