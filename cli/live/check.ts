import { formatObject } from '../../api/diagnostics.ts'
import type { ExitCode, Io } from '../io.ts'
import { amount, type Format, type Paint, painter, serialize } from '../print.ts'
import { gatherFacts } from './check-facts.ts'
import { CHECKS } from './check-list.ts'
import { type CheckResult, runChecks } from './checks.ts'
import { withCluster } from './connect.ts'
import type { LiveFlags } from './flags.ts'
import { meshOf } from './mesh.ts'

export interface CheckOptions extends LiveFlags {
  readonly output: Format
  readonly colors: boolean
}

/** `portolan check`: whether an installation is as it should be. Exit code 1 when something is wrong. */
export function checkCommand(options: CheckOptions, io: Io): Promise<ExitCode> {
  return withCluster(options, async (cluster) => {
    const results = runChecks(CHECKS, await gatherFacts(cluster, await meshOf(cluster), new Date()))
    io.out(
      options.output === 'text'
        ? checksText(cluster.name, results, painter(options.colors))
        : serialize({ cluster: cluster.name, checks: results }, options.output),
    )
    return results.some(({ level }) => level === 'error') ? 1 : 0
  })
}

const MARKS = { ok: ['green', '✓'], warning: ['yellow', '!'], error: ['red', '✗'] } as const
/** Of one check: more of a kind say nothing new. */
const MOST_FOUND = 10

export function checksText(cluster: string, results: readonly CheckResult[], paint: Paint): string {
  const count = (level: CheckResult['level']) => results.filter((result) => result.level === level).length
  return [
    `${paint('bold', cluster)}\n`,
    ...results.map((result) => resultText(result, paint)),
    `${amount(results.length, 'check')}: ${amount(count('error'), 'error')}, ${amount(count('warning'), 'warning')}\n`,
  ].join('')
}

function resultText({ title, level, seen, found }: CheckResult, paint: Paint): string {
  const [style, mark] = MARKS[level]
  const said = found.filter((each) => each.level !== 'info')
  const detail = said.length > 0 || seen === '' ? '' : paint('dim', `: ${seen}`)
  const rest = said.length - MOST_FOUND
  return [
    `  ${paint(style, mark)} ${title}${detail}\n`,
    ...said
      .slice(0, MOST_FOUND)
      .map((each) => `      ${formatObject(each.object)}: ${each.message} ${paint('dim', `[${each.code}]`)}\n`),
    ...(rest > 0 ? [`      and ${rest} more\n`] : []),
  ].join('')
}
