import type { Command } from 'commander'
import { type Adding, files, type Printing, printing, withColors } from '../flags.ts'
import type { CheckOptions } from './check.ts'
import type { DiffOptions } from './diff.ts'
import type { ExplainOptions } from './explain.ts'
import { live, namespaced } from './flags.ts'
import type { RoutesOptions } from './routes.ts'

/** Adds the commands that look into a cluster and change nothing there. What they need is imported when they run. */
export function addInspection(root: Command, { io, done }: Adding): void {
  namespaced(live(printing(root.command('explain'))))
    .summary('tell in sentences what becomes of calls to a service, in a cluster as it is')
    .description(
      'Reads the cluster and says of one service: who exports it, what its name means, which policy decides, and where calls go now and why.',
    )
    .argument('<service>', 'namespace/name, or a name in the namespace of -n')
    .option('--from <pod>', 'also whether this pod, [namespace/]name, takes part: its sidecar, its scope, what it runs')
    .option('--hub-context <name>', 'also what the hub there made of all exports; unset = when the cluster is one')
    .action(async (service: string, options: Printing & Omit<ExplainOptions, 'colors'>) => {
      const { explainCommand } = await import('./explain.ts')
      done(await explainCommand(service, withColors(options, io), io))
    })

  namespaced(live(printing(root.command('routes'))))
    .summary('show what the proxy of a pod really runs, against what was compiled')
    .description(
      'Asks the proxy of a pod with a sidecar, or of a gateway, by way of the API server: what it runs, whether that is what compiling gives now, which endpoints are healthy and how many calls they got. The exit code is 1 when it runs something else.',
    )
    .argument('<pod>', '[namespace/]name')
    .action(async (pod: string, options: Printing & Omit<RoutesOptions, 'colors'>) => {
      const { routesCommand } = await import('./routes.ts')
      done(await routesCommand(pod, withColors(options, io), io))
    })

  live(printing(root.command('check')))
    .summary('see whether an installation is as it should be')
    .description(
      'Looks at everything that calls between clusters depend on, from the webhook to what proxies run, and says of what is wrong how to mend it. Changes nothing. The exit code is 1 when something is an error.',
    )
    .action(async (options: Printing & Omit<CheckOptions, 'colors'>) => {
      const { checkCommand } = await import('./check.ts')
      done(await checkCommand(withColors(options, io), io))
    })

  namespaced(live(printing(files(root.command('diff')))))
    .summary('tell how the tables of a running mesh would change if manifests were applied')
    .description(
      'Compiles the cluster as it is, and as it would be with these manifests, and tells the difference in words. Changes nothing. The exit code is 1 when something would change, as with kubectl diff.',
    )
    .action(async (options: Printing & Omit<DiffOptions, 'colors'>) => {
      const { diffCommand } = await import('./diff.ts')
      done(await diffCommand(withColors(options, io), io))
    })
}
