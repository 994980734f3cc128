import type { PublishedRoot } from '../../certs/identity/published.ts'
import type { ExitCode, Io } from '../io.ts'
import { columns, type Format, type Paint, painter, serialize } from '../print.ts'
import { type CaFacts, caFacts, lackingText, shortId } from './ca-facts.ts'
import { withCluster } from './connect.ts'
import type { LiveFlags } from './flags.ts'

export interface CaStatusOptions extends LiveFlags {
  readonly output: Format
  readonly colors: boolean
}

/** A root that expires within this is one that nobody has renewed in time. */
const EXPIRES_SOON_MS = 30 * 86_400_000

/** `portolan ca status`: the roots of a cluster and how far each has come. Findings = one of them needs somebody. */
export function caStatus(options: CaStatusOptions, io: Io): Promise<ExitCode> {
  return withCluster<ExitCode>(options, async (cluster) => {
    const facts = await caFacts(cluster)
    const problems = problemsOf(facts, Date.now())
    if (options.output === 'text') io.out(text(cluster.name, facts, problems, painter(options.colors)))
    else io.out(serialize({ ...facts, problems }, options.output))
    return problems.length === 0 ? 0 : 1
  })
}

function problemsOf({ roots, lacking, candidate }: CaFacts, now: number): readonly string[] {
  const signing = roots.find(({ phase }) => phase === 'signing')
  const late = candidate?.signsFrom !== undefined && Date.parse(candidate.signsFrom) < now
  const due = late ? lacking : lacking.filter(({ reachable }) => !reachable)
  return [
    ...(signing === undefined ? ['no root signs yet: see whether Deployment portolan-identity runs, and its log'] : []),
    ...(signing !== undefined && Date.parse(signing.notAfter) - now < EXPIRES_SOON_MS
      ? [`root ${shortId(signing.id)} expires at ${signing.notAfter}: see the log of Deployment portolan-identity`]
      : []),
    ...(due.length > 0
      ? [
          `the roll waits for ${lackingText(due)}: bring the member back, take it from the hub with portolan cluster leave, or go on without it with portolan ca roll --force`,
        ]
      : []),
  ]
}

const HEAD = ['ROOT', 'PHASE', 'SINCE', 'EXPIRES', 'MEANING']

const MEANING: Readonly<Record<PublishedRoot['phase'], string>> = {
  new: 'not published yet',
  trusted: 'published, signs nothing yet',
  signing: 'signs all certificates',
  retiring: 'certificates by it are being replaced',
  retired: 'goes when pods have read their new certificates',
}

function text(name: string, facts: CaFacts, problems: readonly string[], paint: Paint): string {
  const { trustDomain, source, roots, candidate, lacking } = facts
  const rows = roots.map(({ id, phase, since, notAfter, signsFrom }) => [
    shortId(id),
    phase === 'signing' ? paint('green', phase) : phase,
    since,
    notAfter,
    id !== candidate?.id
      ? MEANING[phase]
      : [
          MEANING[phase],
          signsFrom && `signs from ${signsFrom}`,
          lacking.length > 0 && `when ${lackingText(lacking)} has it`,
        ]
          .filter(Boolean)
          .join(', '),
  ])
  const by = source === undefined ? 'roots made by Portolan' : `roots from Secret ${source}, which cert-manager keeps`
  return [
    `${paint('bold', name)}: trust domain ${trustDomain}, ${by}\n`,
    columns([HEAD.map((cell) => paint('bold', cell)), ...rows], ''),
    ...problems.map((problem) => `${paint('red', 'problem')}: ${problem}\n`),
  ].join('')
}
