import { type Command, Option } from 'commander'
import { type Adding, color, type Printing, printing, withColors } from '../flags.ts'
import type { DnsChangeOptions, DnsStatusOptions } from './cluster-dns.ts'
import { COREFILE, placeOf } from './cluster-dns-place.ts'
import { live, objectName } from './flags.ts'

/** Adds `dns`. What it needs is imported when it runs. */
export function addDns(root: Command, { io, done }: Adding): void {
  const parent = root.command('dns').summary('have the cluster’s own DNS answer names of the clusterset')
  type Options = DnsChangeOptions & Pick<Printing, 'color'>

  changing(parent.command('enable'))
    .summary('let pods without a sidecar resolve names of the clusterset')
    .description(
      'Puts a server block into the configuration of the cluster’s own CoreDNS that hands clusterset.local to mesh DNS. Done again, it brings the address up to date. Nothing is restarted.',
    )
    .action(async (options: Options) => {
      const { dnsEnable } = await import('./cluster-dns.ts')
      done(await dnsEnable(withColors(options, io), io))
    })
  changing(parent.command('disable'))
    .summary('take out what enable put in')
    .description('Leaves the configuration as it was before, to the byte.')
    .action(async (options: Options) => {
      const { dnsDisable } = await import('./cluster-dns.ts')
      done(await dnsDisable(withColors(options, io), io))
    })
  printing(placed(live(parent.command('status'))))
    .summary('tell whether pods without a sidecar resolve names of the clusterset')
    .description('Exits with 1 when they do not.')
    .action(async (options: DnsStatusOptions) => {
      const { dnsStatus } = await import('./cluster-dns.ts')
      done(await dnsStatus(options, io))
    })
}

function changing(command: Command): Command {
  return placed(live(command))
    .option('--dry-run', 'show what would change, and change nothing', false)
    .addOption(color())
}

function placed(command: Command): Command {
  return command
    .addOption(
      new Option('--config-map <namespace/name>', 'where DNS has its configuration')
        .argParser(objectName)
        .default(COREFILE.configMap, placeOf(COREFILE)),
    )
    .option(
      '--key <name>',
      'key in it; any but the default is taken for a part that the Corefile takes in',
      COREFILE.key,
    )
}
