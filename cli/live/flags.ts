import { type Command, InvalidArgumentError } from 'commander'

/** Portolan's own namespace, unless somebody chose another. */
export const PORTOLAN_NAMESPACE = 'portolan-system'

/** How a command is told which cluster it is about. */
export interface LiveFlags {
  readonly context?: string
  readonly kubeconfig?: string
  /** Portolan's own. */
  readonly portolanNamespace: string
}

/** How a command is told which namespace it is about. */
export interface NamespaceFlag {
  /** Absent = the context's. */
  readonly namespace?: string
}

/** Adds the options that lead to a cluster. */
export function live(command: Command): Command {
  return command
    .option('--context <name>', "context of the kubeconfig; unset = the kubeconfig's current one")
    .option('--kubeconfig <file>', 'unset = $KUBECONFIG, else ~/.kube/config')
    .option('--portolan-namespace <name>', "Portolan's own namespace there", PORTOLAN_NAMESPACE)
}

/** Adds `-n` to a command about something in a namespace. */
export function namespaced(command: Command): Command {
  return command.option('-n, --namespace <name>', "unset = the context's, else default")
}

/** Of an option that names an object. */
export function objectName(value: string): { readonly namespace: string; readonly name: string } {
  const [namespace, name, ...rest] = value.split('/')
  if (namespace && name && rest.length === 0) return { namespace, name }
  throw new InvalidArgumentError('Write namespace/name.')
}
