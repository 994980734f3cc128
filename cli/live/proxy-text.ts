import { amount, columns, type Paint, type Style } from '../print.ts'
import { host } from '../tables.ts'
import type { ProxyReport, ReportRow, RowState } from './proxy-report.ts'
import type { RunningEndpoint } from './proxy-state.ts'

const STATES: Readonly<Record<RowState, readonly [style: Style, text: string]>> = {
  same: ['green', 'as compiled'],
  behind: ['yellow', 'behind'],
  refused: ['red', 'refused'],
  warming: ['yellow', 'waits for its names to resolve'],
  leaving: ['dim', 'kept for calls under way'],
}

/** A report for people. */
export function reportText(title: string, report: ProxyReport, paint: Paint): string {
  const { rows, routes } = report
  return [
    `${paint('bold', title)}\n`,
    `  ${summary(report, paint)}\n`,
    ...(routes === 'behind' ? [`  Its paths are ${paint('yellow', 'not those that are compiled now')}.\n`] : []),
    ...(rows.length === 0 ? ['\n  It routes nothing.\n'] : ['\n']),
    ...rows.map((row) => rowText(row, paint)),
  ].join('')
}

function summary({ versions, state, refusals }: ProxyReport, paint: Paint): string {
  const { compiled, written = 'none', running } = versions
  const said = (text: string) => paint(STATES[state][0], text)
  if (running === undefined) return `${said('It has taken no table yet')}; its namespace has ${written}.`
  if (state === 'same')
    return running === compiled
      ? `Runs table ${running}, which is what compiling gives now: ${said('up to date')}.`
      : `Runs table ${running}, which says the same as what compiling gives now, ${compiled}: ${said('up to date')}.`
  const facts = `runs table ${running}; its ConfigMap has ${written}; compiling now gives ${compiled}`
  if (state === 'refused')
    return `${said('Refuses what it was given')} (${amount(refusals, 'refusal')} since it started): ${facts}. See the log of container portolan-proxy.`
  if (state === 'warming') return `${said('Waits')}: ${facts}.`
  return `${said('Behind')}: ${facts}. ${written === compiled ? 'Files reach pods within 90 s, within a second when the compiler nudges them.' : 'See whether the compiler runs: portolan check.'}`
}

function rowText({ service, port, path, state, endpoints }: ReportRow, paint: Paint): string {
  const name = `${host(service)}:${port}`
  const head = path === undefined ? paint('cyan', name) : `${paint('cyan', path)}  ${name}`
  const [style, text] = STATES[state]
  return `  ${head}  ${paint(style, text)}\n${columns(
    endpoints.map((each) => endpointRow(each, paint)),
    '    ',
  )}`
}

function endpointRow(endpoint: RunningEndpoint, paint: Paint): readonly string[] {
  const { priority, cluster, address, weight, health, calls } = endpoint
  // What could not connect has failed as well, and was tried elsewhere.
  const failed = calls.failed - calls.connectFailures
  const failures = [
    ...(failed <= 0 ? [] : [paint('yellow', `${failed} failed`)]),
    ...(calls.connectFailures === 0 ? [] : [paint('yellow', `${calls.connectFailures} could not connect`)]),
    ...(calls.active === 0 ? [] : [`${calls.active} under way`]),
  ]
  return [
    `${priority + 1}.`,
    ...(cluster === '' ? [] : [cluster]),
    address,
    `weight ${weight}`,
    paint(health === 'healthy' ? 'green' : 'red', health),
    [amount(calls.total, 'call'), ...failures].join(', '),
  ]
}
