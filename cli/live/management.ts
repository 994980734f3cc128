import { type Command, InvalidArgumentError, Option } from 'commander'
import { type Adding, collect, type Printing, printing, withColors } from '../flags.ts'
import type { CaRollOptions } from './ca-roll.ts'
import type { CleanupOptions } from './cleanup.ts'
import type { ConnectOptions } from './cluster-connect.ts'
import { addDns } from './cluster-dns-program.ts'
import type { JoinOptions } from './cluster-join.ts'
import type { LeaveOptions } from './cluster-leave.ts'
import { type LiveFlags, live, objectName, PORTOLAN_NAMESPACE } from './flags.ts'
import type { InstallOptions } from './install.ts'

/** Adds the commands that change clusters. What they need is imported when they run. */
export function addManagement(root: Command, adding: Adding): void {
  addInstall(root, adding)
  addNamespace(root, adding)
  addCluster(root, adding)
  addCa(root, adding)
  addCleanup(root, adding)
  addDns(root, adding)
}

function addInstall(root: Command, { io, done }: Adding): void {
  root
    .command('install')
    .summary('install Portolan into a cluster, or bring it up to date')
    .description(
      'Installs the chart that lies beside this program, by helm. Done again, it upgrades; what was set before stays as it is unless it is set anew.',
    )
    .option('--context <name>', "context of the kubeconfig; unset = the kubeconfig's current one")
    .option('--kubeconfig <file>', 'unset = $KUBECONFIG, else ~/.kube/config')
    .option('-n, --namespace <name>', 'where Portolan goes; made when missing', PORTOLAN_NAMESPACE)
    .option('--cluster-name <name>', 'name of this cluster; no two of a mesh may have the same. A hub names it itself')
    .option('--region <name>', 'its region')
    .option('--zone <name>', 'its zone')
    .option('--group <name>', 'its group')
    .addOption(
      new Option('--gateway-type <type>', 'type of the gateway’s Service').choices([
        'LoadBalancer',
        'NodePort',
        'ClusterIP',
      ]),
    )
    .option('--gateway-port <port>', 'port of the gateway’s Service', port)
    .option('--gateway-host-port <port>', 'port of the gateway on its nodes, where no load balancer is', port)
    .option('--hub', 'run a hub’s controller here')
    .option('--no-hub', 'run none: this cluster is a member only')
    .addOption(new Option('-f, --values <file>', 'values of the chart; may be repeated').argParser(collect).default([]))
    .addOption(
      new Option('--set <path=value>', 'one value of the chart, as for helm; may be repeated')
        .argParser(collect)
        .default([]),
    )
    .option('--chart <path>', 'directory or archive of another chart')
    .option('--no-wait', 'do not wait until every part is ready')
    .option('--timeout <duration>', 'how long to wait, as helm spells it', '5m')
    .action(async ({ namespace, ...options }: Omit<InstallOptions, 'portolanNamespace'> & { namespace: string }) => {
      const { installCommand } = await import('./install.ts')
      done(await installCommand({ ...options, portolanNamespace: namespace }, io))
    })
}

function addNamespace(root: Command, { io, done }: Adding): void {
  const parent = root.command('namespace').summary('say which namespaces are part of the mesh')
  type Options = Printing & LiveFlags
  printing(live(parent.command('add')))
    .summary('take namespaces into the mesh')
    .description('Pods created there from now on get a sidecar. Those that run already are named.')
    .argument('<names...>', 'namespaces')
    .action(async (names: readonly string[], options: Options) => {
      const { namespaceAdd } = await import('./namespace.ts')
      done(await namespaceAdd(names, withColors(options, io), io))
    })
  printing(live(parent.command('remove')))
    .summary('take namespaces out of the mesh')
    .description('Pods created there from now on get no sidecar. Those that have one are named: they go on with it.')
    .argument('<names...>', 'namespaces')
    .action(async (names: readonly string[], options: Options) => {
      const { namespaceRemove } = await import('./namespace.ts')
      done(await namespaceRemove(names, withColors(options, io), io))
    })
  printing(live(parent.command('list')))
    .summary('list the namespaces of the mesh, and their pods with and without a sidecar')
    .action(async (options: Options) => {
      const { namespaceList } = await import('./namespace.ts')
      done(await namespaceList(withColors(options, io), io))
    })
}

function addCluster(root: Command, { io, done }: Adding): void {
  const parent = root.command('cluster').summary('say which clusters share their services')
  hub(printing(parent.command('join')))
    .summary('register a cluster with a hub')
    .description(
      'Makes an account for the hub in the cluster, with the least rights that it needs, and registers the cluster on the hub with a kubeconfig of that account. Done again, it gives the hub a new token.',
    )
    .argument('<name>', 'name of the Cluster')
    .addOption(
      new Option('--context <name>', 'context of the kubeconfig that leads to the cluster').makeOptionMandatory(),
    )
    .option('--gateway-host <host>', 'address or DNS name of its gateway; unset = found out')
    .option('--gateway-port <port>', 'port of its gateway; unset = found out', port)
    .option('--server <url>', "its API server, as the hub reaches it; unset = the kubeconfig's")
    .option('--region <name>', 'its region')
    .option('--zone <name>', 'its zone')
    .option('--group <name>', 'its group')
    .option('--no-wait', 'do not wait until the hub manages it')
    .option('--timeout <seconds>', 'how long to wait', seconds, 60)
    .action(async (name: string, options: JoinOptions) => {
      const { clusterJoin } = await import('./cluster-join.ts')
      done(await clusterJoin(name, options, io))
    })
  printing(live(parent.command('connect')))
    .summary('let two clusters share their services, without a third for the hub')
    .description(
      'The first is the hub, and both are its members: as `cluster join`, done for both. Clusters that are connected already are left as they are, whichever of them is named first.',
    )
    .addOption(
      new Option(
        '--destination-context <name>',
        'context of the kubeconfig that leads to the other cluster',
      ).makeOptionMandatory(),
    )
    .option('--destination-namespace <name>', "Portolan's own namespace in the other cluster; unset = as in the first")
    .option('--name <name>', 'name of the first; unset = the one that it was installed with, else its context')
    .option('--gateway-host <host>', 'address or DNS name of its gateway; unset = found out')
    .option('--gateway-port <port>', 'port of its gateway; unset = found out', port)
    .option('--server <url>', 'its API server, as the hub reaches it; unset = kubernetes.default.svc of the hub itself')
    .option('--destination-name <name>', 'name of the other one; unset = likewise')
    .option('--destination-gateway-host <host>', 'address or DNS name of its gateway; unset = found out')
    .option('--destination-gateway-port <port>', 'port of its gateway; unset = found out', port)
    .option('--destination-server <url>', "its API server, as the hub reaches it; unset = the kubeconfig's")
    .option('--no-wait', 'do not wait until the hub manages them')
    .option('--timeout <seconds>', 'how long to wait for each', seconds, 60)
    .action(async (options: ConnectOptions) => {
      const { clusterConnect } = await import('./cluster-connect.ts')
      done(await clusterConnect(options, io))
    })
  hub(printing(parent.command('leave')))
    .summary('take a cluster from a hub')
    .description(
      'Removes the Cluster and waits until nothing of it is exported any more. The cluster itself need not be alive.',
    )
    .argument('<name>', 'name of the Cluster')
    .option('--context <name>', 'context that leads to the cluster, to remove the hub’s account there as well')
    .option('--timeout <seconds>', 'how long to wait', seconds, 60)
    .action(async (name: string, options: LeaveOptions) => {
      const { clusterLeave } = await import('./cluster-leave.ts')
      done(await clusterLeave(name, options, io))
    })
  printing(live(parent.command('list')))
    .summary('list the clusters of a hub, and how each of them fares')
    .description('Exits with 1 when one of them is not managed.')
    .action(async (options: Printing & LiveFlags) => {
      const { clusterList } = await import('./cluster-list.ts')
      done(await clusterList(withColors(options, io), io))
    })
}

function addCa(root: Command, { io, done }: Adding): void {
  const parent = root.command('ca').summary('see and renew the certificate authority of a cluster')
  printing(live(parent.command('status')))
    .summary('show the roots of a cluster, and how far each has come')
    .description(
      'Exits with 1 when one of them needs somebody. Private keys are read by nobody but the identity server.',
    )
    .action(async (options: Printing & LiveFlags) => {
      const { caStatus } = await import('./ca-status.ts')
      done(await caStatus(withColors(options, io), io))
    })
  live(parent.command('roll'))
    .summary('give a cluster a new root, with live traffic')
    .description(
      'A new root is published first, signs when all members hold it, and the old one goes when its last certificate has been replaced. Done again, it goes on with a roll that is under way.',
    )
    .option(
      '--force',
      'do not wait for members that lack the new root: they refuse calls of this cluster until the hub reaches them',
      false,
    )
    .option('--no-wait', 'begin, and do not wait until it is over')
    .option('--timeout <seconds>', 'how long to wait', seconds, 1_800)
    .action(async (options: CaRollOptions) => {
      const { caRoll } = await import('./ca-roll.ts')
      done(await caRoll(options, io))
    })
}

function addCleanup(root: Command, { io, done }: Adding): void {
  printing(live(root.command('cleanup')))
    .summary('remove what an uninstalled Portolan has left behind')
    .description(
      'Removes what running parts of Portolan have written: tables, leases, certificates, imports of a hub, statuses. What pods with sidecars route by stays until there is none. `helm uninstall` runs this by itself, unless told `--no-hooks`.',
    )
    .addOption(
      new Option(
        '--mesh-config <namespace/name>',
        "the MeshConfig of the chart; unset = portolan-mesh-config in Portolan's namespace",
      ).argParser(objectName),
    )
    .action(async (options: CleanupOptions) => {
      const { cleanupCommand } = await import('./cleanup.ts')
      done(await cleanupCommand(options, io))
    })
}

function hub(command: Command): Command {
  return command
    .option('--hub-context <name>', "context that leads to the hub; unset = the kubeconfig's current one")
    .option('--hub-namespace <name>', "Portolan's own namespace on the hub; unset = as in the cluster")
    .option('--kubeconfig <file>', 'unset = $KUBECONFIG, else ~/.kube/config')
    .option('--portolan-namespace <name>', "Portolan's own namespace in the cluster", PORTOLAN_NAMESPACE)
}

function port(value: string): number {
  const number = Number(value)
  if (Number.isInteger(number) && number >= 1 && number <= 65_535) return number
  throw new InvalidArgumentError('Write a port, 1 to 65535.')
}

function seconds(value: string): number {
  const number = Number(value)
  if (Number.isFinite(number) && number > 0) return number
  throw new InvalidArgumentError('Write a number of seconds above 0.')
}
