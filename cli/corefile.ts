/** The configuration of the cluster's own DNS, as far as a block of ours goes into it and comes out again. */
import { isIPv6 } from 'node:net'
import { CLUSTERSET_DOMAIN } from '../api/names.ts'
import { BEGIN, type Block, END, readCorefile, withoutOurs } from './corefile-blocks.ts'

/** What becomes of a Corefile, or why nothing does and what to do about it, in a sentence without a final stop. */
export type Outcome = { readonly ok: true; readonly text: string } | { readonly ok: false; readonly why: string }

export interface Forwarding {
  /** Where mesh DNS answers for pods without a sidecar. */
  readonly address: string
  readonly port: number
  /** DNS suffix of the cluster's own names: our block listens where these are answered. */
  readonly clusterDomain: string
}

/**
 * With `clusterset.local` handed to mesh DNS, however often it is done.
 * @param whole whether the text is all that DNS reads, and not a part that is taken in by another file
 */
export function withForwarding(corefile: string, forwarding: Forwarding, whole = true): Outcome {
  const rest = withoutOurs(corefile)
  if (rest === undefined) return refusal(HALF)
  const read = readCorefile(rest)
  if ('why' in read) return refusal(`line ${read.line}: ${read.why}`)
  const { blocks, words } = read
  const taken = words.find(({ text }) => text.toLowerCase().includes(CLUSTERSET_DOMAIN))
  if (taken !== undefined)
    return {
      ok: false,
      why: `line ${taken.line} has something to say of ${CLUSTERSET_DOMAIN} already (${taken.text}); take it out first, for only one can answer these names`,
    }
  const main = mainBlock(blocks, forwarding.clusterDomain)
  if (main === undefined && whole)
    return refusal(`no server block answers names of ${forwarding.clusterDomain}, nor all others`)
  return { ok: true, text: `${blockOf(forwarding, main)}${rest}` }
}

/** As it was before, to the byte. */
export function withoutForwarding(corefile: string): Outcome {
  const text = withoutOurs(corefile)
  return text === undefined ? refusal(HALF) : { ok: true, text }
}

/** Where our block hands names to, as host:port; nothing when there is no such block. */
export function forwardsTo(corefile: string): string | undefined {
  const start = corefile.indexOf(BEGIN)
  if (start < 0) return undefined
  return /^\s*forward \. (?<to>\S+)$/m.exec(corefile.slice(start))?.groups?.['to']
}

/** Whether DNS looks for changes of this file by itself. */
export function reloads(corefile: string): boolean {
  const read = readCorefile(corefile)
  return 'blocks' in read && read.blocks.some(({ directives }) => directives.some(([name]) => name === 'reload'))
}

/** Whether the file takes in others that may have server blocks: some distributions keep their own file as it is, and have users write another. */
export function takesInServers(corefile: string): boolean {
  const read = readCorefile(corefile)
  return 'imports' in read && read.imports.some((path) => path.endsWith('.server'))
}

/** `10.96.0.53:5353`, `[fd00::53]:5353`. */
export function hostPort({ address, port }: Pick<Forwarding, 'address' | 'port'>): string {
  return `${isIPv6(address) ? `[${address}]` : address}:${port}`
}

const HALF = `it has the line "${BEGIN}" or "${END}" without the other`

function refusal(why: string): Outcome {
  return {
    ok: false,
    why: `the Corefile is not understood: ${why}; put it right, or have it forward ${CLUSTERSET_DOMAIN} to mesh DNS by hand`,
  }
}

/** The one that answers for the cluster itself. */
function mainBlock(blocks: readonly Block[], clusterDomain: string): Block | undefined {
  const serving = (zone: string) => blocks.find(({ zones }) => zones.some((each) => each.zone === zone))
  return serving(clusterDomain) ?? serving('')
}

function blockOf(forwarding: Forwarding, main: Block | undefined): string {
  const { clusterDomain } = forwarding
  const key = main?.zones.find(({ zone }) => zone === clusterDomain || zone === '')
  const binds = (main?.directives ?? []).filter(([name]) => name === 'bind')
  const plugins = [...binds, ['errors'], ['cache', '5'], ['forward', '.', hostPort(forwarding)]]
  return [
    BEGIN,
    `${CLUSTERSET_DOMAIN}${key?.port === undefined ? '' : `:${key.port}`} {`,
    ...plugins.map((words) => `    ${words.join(' ')}`),
    '}',
    END,
    '',
  ].join('\n')
}
