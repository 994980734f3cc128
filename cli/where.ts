import { ruleOf } from '../compiler/in-a-line.ts'
import type { Tables } from '../compiler/tables.ts'
import { type Answer, type BackendAnswer, type Call, type GatewayAnswer, whereTo } from '../compiler/where-to.ts'
import { type ClusterOptions, compileFiles } from './cluster.ts'
import { type ExitCode, type Io, UsageError } from './io.ts'
import type { Finding } from './manifests.ts'
import { columns, exitCode, type Format, findingLine, inFileOrder, type Paint, painter, serialize } from './print.ts'
import { admission, atGateway, balance, host, sessions } from './tables.ts'

export interface WhereOptions extends ClusterOptions {
  readonly output: Format
  readonly colors: boolean
  readonly method: string
  /** `clusterKey=path`: manifests of other clusters, to follow the call through their gateways. */
  readonly elsewhere: readonly string[]
}

/** `portolan where`: what becomes of one call, step by step, without a proxy. */
export async function whereCommand(from: string, to: string, options: WhereOptions, io: Io): Promise<ExitCode> {
  const call = parseCall(from, to, options.method)
  const here = await compileFiles(options, io)
  const others = new Map<string, Tables>()
  const findings: Finding[] = [...here.findings]
  for (const [clusterKey, path] of options.elsewhere.map(parseElsewhere)) {
    const there = await compileFiles({ ...options, clusterKey, filename: [path], down: [] }, io)
    findings.push(...there.findings)
    if (there.tables !== undefined) others.set(clusterKey, there.tables)
  }
  const paint = painter(options.colors)
  for (const finding of inFileOrder(findings)) io.err(findingLine(finding, paint))
  if (here.tables === undefined || exitCode(findings) !== 0) return 1

  const answer = whereTo(here.tables, call, others)
  io.out(options.output === 'text' ? explain(call, answer, paint) : serialize({ call, answer }, options.output))
  return 0
}

const CALL = /^(?:http:\/\/)?(?<name>[^/:?#\s]+)(?::(?<port>\d{1,5}))?(?<path>[/?].*)?$/

function parseCall(fromNamespace: string, to: string, method: string): Call {
  const { name, port = '80', path = '/' } = CALL.exec(to)?.groups ?? {}
  if (name === undefined)
    throw new UsageError(`${to} is not a call; write name:port/path, for example api.shop:8080/orders`)
  return { fromNamespace, to: name, port: Number(port), method, path: path.startsWith('/') ? path : `/${path}` }
}

function parseElsewhere(value: string): readonly [clusterKey: string, path: string] {
  const [clusterKey = '', path = ''] = value.split('=')
  if (clusterKey.split('/').length === 4 && path !== '') return [clusterKey, path]
  throw new UsageError(`--elsewhere ${value} is not understood; write region/zone/group/name=path`)
}

function explain(call: Call, answer: Answer, paint: Paint): string {
  const { method, to, port, path, fromNamespace } = call
  const head = `${paint('bold', `${method} ${to}:${port}${path} from a pod in ${fromNamespace}`)}\n`
  return head + explainAnswer(answer, paint)
}

const PLAIN = {
  'outside the mesh': 'its namespace is not part of the mesh, so Portolan has no part in the call',
  'name of the cluster': "the cluster's own DNS answers, and the call goes there directly",
  'address outside the range': 'the address is no import, so the call goes there directly',
} as const

function explainAnswer(answer: Answer, paint: Paint): string {
  switch (answer.outcome) {
    case 'plain':
      return `  plain: ${PLAIN[answer.why]}\n`
    case 'refused':
      return `  ${paint('red', 'refused')}: the name means ${answer.address}, where nothing listens; no policy routes it and there is no local Service\n`
    case 'status':
      return `  ${paint('red', `HTTP ${answer.status}`)} from the sidecar: ${answer.why}\n`
    case 'closed':
      return `  ${paint('red', 'closed')} by the sidecar: ${answer.why}\n`
    case 'routed':
      return [
        `  ${host(answer.service)} by ${ruleOf(answer)}, through ${answer.vip}\n`,
        columns(answer.backends.flatMap((backend) => explainBackend(backend, paint))),
        ...sessions(answer).map((text) => `  ${text}\n`),
        answer.tcp
          ? '  a connection that cannot be made is tried on the next one\n'
          : answer.replay === 'anything'
            ? '  a failed call is tried on the next one\n'
            : '  a failed call is tried on the next one only when no application can have seen it\n',
      ].join('')
  }
}

function explainBackend(backend: BackendAnswer, paint: Paint): readonly (readonly string[])[] {
  const { clusterKey, local, priority, share, endpoints, mtls, path, gateway } = backend
  const where = local ? "this cluster's Service" : atGateway(endpoints, '', mtls)
  const portion = priority === 0 ? `${Math.round(100 * share)} %`.padStart(5) : ''
  const row = [`${priority + 1}.`, portion, local ? paint('green', clusterKey) : clusterKey, where, path]
  return gateway === undefined ? [row] : [row, ['', '', '', '', `${paint('dim', 'there')} ${explainGateway(gateway)}`]]
}

function explainGateway(gateway: GatewayAnswer): string {
  if (gateway.status !== 'served') return `HTTP ${gateway.status}: ${gateway.why}`
  const sees = gateway.path === '' ? 'takes the connection' : `sees ${gateway.path}`
  return [`${host(gateway.service)}:${gateway.port} ${sees}`, ...balance(gateway), ...admission(gateway)].join('; ')
}
