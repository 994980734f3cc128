import { Command, Option } from 'commander'
import manifest from '../package.json' with { type: 'json' }
import {
  clusterDomain,
  clusterKey,
  collect,
  color,
  manifests,
  meshName,
  mtls,
  type Printing,
  printing,
  vipRange,
  withColors,
} from './flags.ts'
import type { ExitCode, Io } from './io.ts'
import { addManagement } from './live/management.ts'
import { addInspection } from './live/program.ts'
import { addServers } from './servers.ts'

const { version } = manifest
const HELP_WIDTH = 100
/** As in the chart's values. */
const PROXY_IMAGE = 'envoyproxy/envoy:distroless-v1.40.0'

/** What is common to all offline commands. */
interface Common extends Printing {
  readonly filename: readonly string[]
  readonly namespace: string
}

/**
 * The command line. What a command needs is imported when it runs: `--help` loads nothing but this.
 * @param done is told the exit code of the command that ran
 */
export function program(io: Io, done: (code: ExitCode) => void): Command {
  const root = new Command('portolan')
    .description("Calls between Kubernetes clusters by the service's ordinary name, routed by plain data.")
    .version(version)
    .helpCommand(false)
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({
      writeOut: io.out,
      writeErr: io.err,
      getOutHelpWidth: () => HELP_WIDTH,
      getErrHelpWidth: () => HELP_WIDTH,
    })
  offline(root.command('validate'))
    .summary('find everything that is wrong with manifests')
    .description('Says what admission would refuse or warn of, for every object in every file at once.')
    .action(async (options: Common) => {
      const { validateCommand } = await import('./validate.ts')
      done(await validateCommand(withColors(options, io), io))
    })

  cluster(offline(root.command('compile')))
    .summary('compile routing tables from manifests')
    .description(
      'Compiles the imports, policies and exports of one cluster to the tables that its sidecars, gateways and mesh DNS work by.',
    )
    .option('--egress', 'also what pods without a sidecar call imports by, where the chart runs an egress', false)
    .option('--out <dir>', 'write the files that proxies load: sidecars/NAMESPACE, gateway, egress, dns')
    .action(async (options) => {
      const { compileCommand } = await import('./compile.ts')
      done(await compileCommand(withColors(options, io), io))
    })

  cluster(offline(root.command('where')))
    .summary('explain where a call goes')
    .description(
      "Follows one call from a pod by its name, through the sidecar and the other side's gateway, to an application.",
    )
    .argument('<namespace>', 'namespace of the calling pod')
    .argument('<call>', 'name:port/path, as the caller writes it')
    .option('-X, --method <method>', 'HTTP method', 'GET')
    .addOption(
      new Option(
        '--elsewhere <key=path>',
        'manifests of another cluster, to see what its gateway does; may be repeated',
      )
        .argParser(collect)
        .default([]),
    )
    .action(async (from: string, to: string, options) => {
      const { whereCommand } = await import('./where.ts')
      done(await whereCommand(from, to, withColors(options, io), io))
    })

  manifests(root.command('inject'))
    .summary('add sidecars to pods and to the templates of workloads')
    .description(
      'Prints the manifests with sidecars, for where no webhook runs. A namespace that no file describes counts as one of the mesh.',
    )
    .addOption(new Option('-o, --output <format>', 'how to print').choices(['yaml', 'json']).default('yaml'))
    .addOption(color())
    .addOption(meshName())
    .addOption(clusterDomain())
    .addOption(vipRange())
    .addOption(mtls())
    .option('--proxy-image <image>', 'image of the sidecar', PROXY_IMAGE)
    .option('--init-image <image>', 'image of the init container', `portolan/portolan:${version}`)
    .addOption(
      new Option('--image-pull-policy <policy>', 'of both')
        .choices(['Always', 'IfNotPresent', 'Never'])
        .default('IfNotPresent'),
    )
    .option('--dns-address <ip>', 'address of mesh DNS: the ClusterIP of Service portolan-dns', '10.96.0.53')
    .action(async (options) => {
      const { injectCommand } = await import('./inject.ts')
      done(await injectCommand(withColors(options, io), io))
    })

  clusterset(root.command('federate'))
    .summary('make imports from the exports of several clusters')
    .description(
      'Merges what clusters export and prints what each of them is to import, for where no hub runs. Below the directory each cluster has a folder with the name of its Cluster; the Clusters themselves may be anywhere.',
    )
    .addOption(new Option('-o, --output <format>', 'how to print').choices(['yaml', 'json']).default('yaml'))
    .addOption(color())
    .option('--no-namespaces', 'leave out namespaces that imports need and that the files do not have')
    .addOption(new Option('--for <cluster>', 'print what this cluster imports, and nothing else'))
    .addOption(
      new Option(
        '--out <dir>',
        'write CLUSTER/federated.yaml below it, and remove those that are out of date',
      ).conflicts('for'),
    )
    .action(async (options) => {
      const { federateCommand } = await import('./federate.ts')
      done(await federateCommand(withColors(options, io), io))
    })
  addManagement(root, { io, done })
  addInspection(root, { io, done })
  addServers(root)
  return root
}

function clusterset(command: Command): Command {
  return manifests(command, 'directory with a folder per cluster, or a file of Clusters')
}

function offline(command: Command): Command {
  return printing(manifests(command))
}

function cluster(command: Command): Command {
  return command
    .addOption(meshName())
    .addOption(
      new Option('--cluster-key <key>', 'the cluster that the files are for, as region/zone/group/name')
        .default('default/default/default/default')
        .argParser(clusterKey),
    )
    .addOption(clusterDomain())
    .addOption(vipRange())
    .addOption(
      new Option('--down <namespace/name>', 'take a Service for one without ready pods; may be repeated')
        .argParser(collect)
        .default([], 'none'),
    )
}
