import { REFUSING_ADDRESS } from '../../api/names.ts'
import { hostAndPort } from '../../api/vip-range.ts'
import { ruleOf } from '../../compiler/in-a-line.ts'
import type { GatewayRoute, ServiceRoute } from '../../compiler/tables.ts'
import { amount, columns, type Paint, type Style } from '../print.ts'
import { atGateway, balance, calledBy, host } from '../tables.ts'
import type { BackendChange, CallChange, PlacedBackend, TableChanges } from './table-changes.ts'

/** Changes in words, for people: + appears, - vanishes, ~ changes. */
export function changesText(changes: TableChanges, paint: Paint): string {
  const sections: readonly (readonly [title: string, body: string])[] = [
    ['Namespaces', changes.namespaces.map((each) => line(each, namespaceText(each), paint)).join('')],
    ['Calls', changes.calls.map((each) => callText(each, paint)).join('')],
    ['Names that mesh DNS answers', changes.names.map((each) => line(each, nameText(each), paint)).join('')],
    ['Paths that the gateway serves', changes.paths.map((each) => line(each, pathText(each), paint)).join('')],
    ['What is said of objects', changes.verdicts.map((each) => line(each, verdictText(each), paint)).join('')],
  ]
  return sections
    .filter(([, body]) => body !== '')
    .map(([title, body]) => `${paint('bold', title)}\n${body}`)
    .join('\n')
}

interface Sides {
  readonly before?: unknown
  readonly after?: unknown
}

const SIGNS = { '+': 'green', '-': 'red', '~': 'yellow' } as const satisfies Record<string, Style>

function signOf({ before, after }: Sides): keyof typeof SIGNS {
  return before === undefined ? '+' : after === undefined ? '-' : '~'
}

function line(sides: Sides, text: string, paint: Paint): string {
  const sign = signOf(sides)
  return `  ${paint(SIGNS[sign], sign)} ${text}\n`
}

type Of<K extends keyof TableChanges> = TableChanges[K][number]

function namespaceText({ namespace, before, after }: Of<'namespaces'>): string {
  const services = (count: number) =>
    amount(count, 'port').replace('ports', 'ports of services').replace(/port$/, 'port of a service')
  if (after !== undefined) return `${namespace} joins the mesh: its sidecars know ${services(after)}`
  return `${namespace} leaves the mesh: its sidecars knew ${services(before ?? 0)}`
}

function nameText({ name, before, after }: Of<'names'>): string {
  const meaning = (address: string | undefined) => {
    if (address === undefined) return "left to the cluster's DNS"
    return address === REFUSING_ADDRESS ? `refused (${address})` : `routed (${address})`
  }
  return `${name}: ${meaning(before)} → ${meaning(after)}`
}

function verdictText({ object, type, before, after }: Of<'verdicts'>): string {
  const said = (verdict: typeof before) =>
    verdict === undefined ? 'nothing' : `${type}=${verdict.status} (${verdict.reason})`
  return `${object}: ${said(before)} → ${said(after)}`
}

function pathText({ path, before, after }: Of<'paths'>): string {
  const route = after ?? before
  const to = ({ service, port, pathType }: GatewayRoute) => `${pathType} to ${host(service)}:${port}`
  if (route === undefined) return path
  if (before === undefined || after === undefined) return `${path}  ${to(route)}`
  const facts = (each: GatewayRoute): Readonly<Record<string, string>> => ({
    to: to(each),
    rewrite: each.rewrite === undefined ? 'no rewrite' : `rewrite ${each.rewrite.from} to ${each.rewrite.to}`,
    pods: each.endpoints.map(({ host: pod, port }) => hostAndPort(pod, port)).join(', ') || 'no ready pod',
    spread: balance(each).join('; ') || 'in turn',
    protocol: each.http2 ? 'HTTP/2' : 'what the caller speaks',
    end: each.until === undefined ? 'for good' : `until ${each.until}`,
  })
  return `${path}  ${arrows(facts(before), facts(after)).join('; ')}`
}

/** `a → b` for each fact that differs. */
function arrows(before: Readonly<Record<string, string>>, after: Readonly<Record<string, string>>): readonly string[] {
  return Object.keys(before).flatMap((key) => (before[key] === after[key] ? [] : [`${before[key]} → ${after[key]}`]))
}

function callText(change: CallChange, paint: Paint): string {
  const { namespaces, before, after, backends } = change
  const route = after ?? before
  if (route === undefined) return ''
  const name = paint('cyan', `${calledBy(route)}:${route.port}`)
  const facts = before && after ? [name, ...arrows(routeFacts(before), routeFacts(after))] : [name, ruleOf(route)]
  const who = paint('dim', `pods in ${namespaces.join(', ')}`)
  return (
    line(change, [...facts, who].join('  '), paint) +
    columns(
      backends.map((each) => backendRow(each, paint)),
      '      ',
    )
  )
}

const routeFacts = (route: ServiceRoute): Readonly<Record<string, string>> => ({
  policy: ruleOf(route),
  vip: route.vip,
  sticky: route.sticky ? 'sessions stay' : 'sessions are spread',
})

function backendRow(change: BackendChange, paint: Paint): readonly string[] {
  const { clusterKey, before, after } = change
  const sign = signOf(change)
  const facts =
    before && after ? arrows(backendFacts(before), backendFacts(after)) : Object.values(backendFacts(after ?? before))
  return [paint(SIGNS[sign], sign), clusterKey, facts.join('; ')]
}

function backendFacts(backend: PlacedBackend | undefined): Readonly<Record<string, string>> {
  if (backend === undefined) return {}
  const { local, priority, weight, share, endpoints, pathPrefix, tls } = backend
  return {
    order: `${priority + 1}.`,
    share: `${Math.round(100 * share)} % (weight ${weight})`,
    where: local
      ? `this cluster's Service at ${endpoints.map((each) => hostAndPort(each.host, each.port)).join(', ')}`
      : atGateway(endpoints, pathPrefix, tls?.gateway),
  }
}
