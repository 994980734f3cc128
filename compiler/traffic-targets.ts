/** Who may call whom where calls need a TrafficTarget, as SMI has it: service accounts, each with the kinds of calls it may make. */
import type { Code } from '../api/diagnostics.ts'
import type { Issue } from '../api/issue.ts'
import type { HttpMatch, HttpRouteGroup, SmiIdentity, TcpRoute, TrafficTarget } from '../api/smi.ts'
import { referenceOf } from './conditions.ts'
import { perObject } from './memo.ts'
import { by, compare, unique } from './order.ts'
import { expressionOf, quoted } from './regex.ts'
import type { Client, HttpRule } from './tables.ts'

/** What is known of who may call whom. */
export interface Access {
  readonly targets: readonly TrafficTarget[]
  readonly httpGroups: readonly HttpRouteGroup[]
  readonly tcpRoutes: readonly TcpRoute[]
  /** Service `ns/name` → service accounts that its pods run as, sorted. */
  readonly accounts: ReadonlyMap<string, readonly string[]>
}

/** One source's right to one destination; both `namespace/name` of a service account. */
interface Grant {
  readonly source: string
  readonly destination: string
  readonly http: readonly HttpRule[] | 'all'
  /** Ports of the workload. */
  readonly tcp: readonly number[] | 'all'
}

/** What a call speaks. */
export type Speaks = 'http' | { readonly tcp: number }

export interface Grants {
  /** Sorted by source. */
  readonly all: readonly Grant[]
  readonly accounts: Access['accounts']
  /** About TrafficTargets, none of which is in force as far as it goes. */
  readonly issues: readonly Issue<Code>[]
}

/** Accounts that a workload may run as: names in one namespace, or any of them. */
export interface Workload {
  readonly namespace: string
  readonly accounts: readonly string[] | 'any'
}

const ACCOUNT = /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/

const accountOf = ({ kind = 'ServiceAccount', name = '', namespace }: SmiIdentity, own: string): string | undefined => {
  const of = namespace ?? own
  return kind === 'ServiceAccount' && ACCOUNT.test(name) && ACCOUNT.test(of) ? `${of}/${name}` : undefined
}

/** The same access has the very same grants. */
export const grantsOf = perObject(({ targets, httpGroups, tcpRoutes, accounts }: Access): Grants => {
  const read = [...targets]
    .sort(by(({ metadata }) => `${metadata.namespace}/${metadata.name}`))
    .map((target) => grantsIn(target, httpGroups, tcpRoutes))
  const all = read.flatMap(({ grants }) => grants)
  return {
    all: all.toSorted(
      by(
        ({ source }) => source,
        ({ destination }) => destination,
      ),
    ),
    accounts,
    issues: read.flatMap(({ issues }) => issues),
  }
})

function grantsIn(
  target: TrafficTarget,
  httpGroups: readonly HttpRouteGroup[],
  tcpRoutes: readonly TcpRoute[],
): { readonly grants: readonly Grant[]; readonly issues: readonly Issue<Code>[] } {
  const { namespace = 'default' } = target.metadata
  const { destination: to = {}, sources = [], rules = [] } = target.spec ?? {}
  const object = referenceOf(target)
  const issues: Issue<Code>[] = []
  const destination = accountOf(to, namespace)
  if (destination === undefined) issues.push({ code: 'SmiIdentityUnknown', object, path: 'spec.destination' })
  // Whoever may write in one namespace must not open another.
  else if (!destination.startsWith(`${namespace}/`))
    issues.push({ code: 'TrafficTargetElsewhere', object, path: 'spec.destination.namespace', value: to.namespace })
  const callers = sources.flatMap((source, index) => {
    const caller = accountOf(source, namespace)
    if (caller === undefined) issues.push({ code: 'SmiIdentityUnknown', object, path: `spec.sources[${index}]` })
    return caller ?? []
  })
  const calls = rules.map(readRule)
  const http = rules.length === 0 ? 'all' : calls.flatMap((each) => each.http)
  const tcp =
    rules.length === 0 || calls.some((each) => each.tcp === 'all')
      ? 'all'
      : calls.flatMap(({ tcp }) => (tcp === 'all' ? [] : tcp))

  function readRule(
    { kind, name = '', matches = [] }: (typeof rules)[number],
    index: number,
  ): { readonly http: readonly HttpRule[]; readonly tcp: readonly number[] | 'all' } {
    const path = `spec.rules[${index}]`
    const own = (each: HttpRouteGroup | TcpRoute) =>
      (each.metadata.namespace ?? 'default') === namespace && each.metadata.name === name
    if (kind === 'TCPRoute') {
      const route = tcpRoutes.find(own)
      if (route === undefined) issues.push({ code: 'SmiRouteMissing', object, path, value: name, params: { kind } })
      return { http: [], tcp: route === undefined ? [] : portsOf(route) }
    }
    const group = kind === 'HTTPRouteGroup' ? httpGroups.find(own) : undefined
    if (group === undefined) {
      issues.push({ code: 'SmiRouteMissing', object, path, value: name, params: { kind: kind ?? 'HTTPRouteGroup' } })
      return NO_CALLS
    }
    const meant = (group.spec?.matches ?? []).filter(
      (match) => matches.length === 0 || matches.includes(match.name ?? ''),
    )
    const read = meant.flatMap((match) => {
      const rule = ruleOf(match)
      if (rule === undefined)
        issues.push({ code: 'SmiMatchRefused', object, path, value: match.name, params: { group: name } })
      return rule ?? []
    })
    return { http: read, tcp: [] }
  }

  const isOwn = destination?.startsWith(`${namespace}/`) === true
  return { grants: isOwn ? callers.map((source) => ({ source, destination, http, tcp })) : [], issues }
}

const NO_CALLS = { http: [], tcp: [] } as const

/** Without a list of ports a route is for all. */
function portsOf({ spec: { matches = [] } = {} }: TcpRoute): readonly number[] | 'all' {
  const ports = [matches].flat().flatMap((match) => match.ports ?? [])
  return ports.length === 0 ? 'all' : ports
}

const METHOD = /^[A-Z]+$/
const HEADER = /^[-!#$%&'*+.^_`|~0-9A-Za-z]+$/

/** Nothing when proxies would not take it: then it lets nobody in. */
function ruleOf({ pathRegex, methods = [], headers = {} }: HttpMatch): HttpRule | undefined {
  const path = pathRegex === undefined ? undefined : whole(pathRegex)
  const wanted = Object.assign({}, ...(Array.isArray(headers) ? headers : [headers])) as Record<string, string>
  const fields = Object.entries(wanted)
    .map(([name, value]) => [name.toLowerCase(), whole(String(value))] as const)
    .toSorted(by(([name]) => name))
  const isFine =
    [path, ...fields.map(([, value]) => value)].every(
      (each) => each === undefined || !('problem' in Object(expressionOf(each))),
    ) &&
    fields.every(([name]) => HEADER.test(name)) &&
    methods.every((method) => method === '*' || METHOD.test(method))
  if (!isFine) return undefined
  return {
    ...(methods.length === 0 || methods.includes('*') ? {} : { methods: [...new Set(methods)].sort() }),
    ...(path === undefined ? {} : { path }),
    ...(fields.length === 0 ? {} : { headers: Object.fromEntries(fields) }),
  }
}

/** Expressions are held against the whole of a text, so that anchors say nothing more, and would in the middle of another one. */
const whole = (regex: string): string => regex.replace(/^\^/, '').replace(/(?<!\\)\$$/, '')

const allows = ({ http, tcp }: Grant, speaks: Speaks): boolean =>
  speaks === 'http' ? http.length > 0 : tcp === 'all' || tcp.includes(speaks.tcp)

/** For each account of the workload what is granted to it. */
const grantsTo = (
  { all }: Grants,
  { namespace, accounts }: Workload,
  speaks: Speaks,
): readonly (readonly Grant[])[] => {
  const some = all.filter((grant) => allows(grant, speaks))
  return accounts === 'any'
    ? [some.filter(({ destination }) => destination.startsWith(`${namespace}/`))]
    : accounts.map((account) => some.filter(({ destination }) => destination === `${namespace}/${account}`))
}

/** Service accounts, `namespace/name`, that may make some call to a workload: to whichever account of it. Sorted. */
export const callersOf = (grants: Grants, workload: Workload, speaks: Speaks): readonly string[] => {
  const [first = [], ...others] = grantsTo(grants, workload, speaks)
  return [...new Set(first.map(({ source }) => source))]
    .filter((source) => others.every((some) => some.some((grant) => grant.source === source)))
    .sort(compare)
}

/** The same as a gateway sees them: pods of any cluster of the set. */
export const targetClients = (grants: Grants, workload: Workload, speaks: Speaks): readonly Client[] =>
  callersOf(grants, workload, speaks).map((caller) => {
    const [namespace = '', serviceAccount = ''] = caller.split('/')
    const rules =
      speaks !== 'http'
        ? []
        : grantsTo(grants, workload, speaks).flatMap((to) => {
            const own = to.filter(({ source }) => source === caller)
            // One that is for all calls leaves nothing for others to add.
            return own.some(({ http }) => http === 'all')
              ? []
              : [own.flatMap(({ http }) => (http === 'all' ? [] : http))]
          })
    return {
      trustDomain: '[-a-z0-9._]+',
      namespace: quoted(namespace),
      serviceAccount: quoted(serviceAccount),
      ...(rules.length === 0 ? {} : { rules }),
    }
  })

const isOne = (regex: string, quotedName: string): boolean =>
  new RegExp(`^(?:${regex})$`).test(quotedName.replaceAll('\\', ''))

/** Of the clients by TrafficTarget those whom the export's own list lets in as well. */
export const bothOf = (allowed: readonly Client[] | undefined, targets: readonly Client[]): readonly Client[] =>
  allowed === undefined
    ? targets
    : unique(
        allowed.flatMap(({ trustDomain, namespace, serviceAccount }) =>
          targets
            .filter((each) => isOne(namespace, each.namespace) && isOne(serviceAccount, each.serviceAccount))
            .map((each) => ({ ...each, trustDomain })),
        ),
        (client) => JSON.stringify(client),
      )

/** What an exported or local Service runs as: what its pods say; before it has any, what its export says. */
export const workloadOf = ({ accounts }: Grants, service: string, said = '*'): Workload => {
  const [namespace = ''] = service.split('/')
  const known = accounts.get(service) ?? []
  return { namespace, accounts: known.length > 0 || said === '*' ? known : [said] }
}
