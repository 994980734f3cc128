import type { Service, ServicePort } from '../api/core.ts'
import type { Code } from '../api/diagnostics.ts'
import { PATH_CHARACTERS } from '../api/fields.ts'
import type { Issue } from '../api/issue.ts'
import type { ServiceExport } from '../api/service-export.ts'
import { type DeclaredExport, exportReference } from './doors.ts'
import { keyOf } from './keys.ts'
import { LastAnswers } from './memo.ts'
import { by, unique } from './order.ts'
import { isJustOlder, type PathClaim, pathHolders } from './path-owners.ts'
import { isStream, type Spoken, spokenAt } from './protocol.ts'
import { rewriteProblem } from './regex.ts'
import { isExternalName, isTcp, portsOf, tcpPorts, type World } from './world.ts'

/** What an export comes to in its own cluster: which ports its gateway serves, and where. */
export interface Offer {
  readonly object: DeclaredExport
  /** Present when a gateway could serve it. */
  readonly service?: Service
  /** Sorted as the export lists them, by port where it lists none. */
  readonly rules: readonly OfferedRule[]
  /** Ports that are no HTTP, each once, sorted: gateways pass their connections on. */
  readonly tcp: readonly ServicePort[]
  /** Ports that are not TCP: no gateway serves them. Sorted by number and protocol. */
  readonly others: readonly ServicePort[]
  /** Why the export is not valid, or not in all of its rules. */
  readonly faults: readonly Issue<Code>[]
  /** What else is to be said. */
  readonly remarks: readonly Issue<Code>[]
}

/** One port of the Service at one path of the gateway. */
export interface OfferedRule {
  readonly port: ServicePort
  /** No slash at its end except for `/` itself and for Exact. */
  readonly path: string
  readonly pathType: 'Prefix' | 'Exact'
}

interface Rule {
  readonly port: number
  /** As written; of a rule that names none, the one that it would have had unwritten. */
  readonly path: string
  /** Whether somebody wrote the path. */
  readonly named: boolean
  readonly pathType: 'Prefix' | 'Exact'
  /** Where the rule stands in the object; `spec.rules` for a rule that nobody wrote. */
  readonly field: string
}

/** Field of a rule that nobody wrote. */
const OMITTED = 'spec.rules'

const withoutFinalSlash = (path: string): string => path.replace(/\/+$/, '') || '/'

const PATH_FORM = new RegExp(PATH_CHARACTERS)

/** Whether a path is one that a gateway can see, after it has put paths in order. */
const canMatch = (path: string): boolean =>
  path.startsWith('/') && PATH_FORM.test(path) && !/\/\/|\/\.{1,2}(\/|$)/.test(path)

const rulesOf = (object: ServiceExport, service: Service | undefined): readonly Rule[] =>
  knownRules.get(object, [service], () => findRules(object, service))

const knownRules = new LastAnswers<ServiceExport, readonly Rule[]>()
const claims = new LastAnswers<ServiceExport, readonly PathClaim[]>()
const offers = new LastAnswers<DeclaredExport, Offer>()

const findRules = (object: ServiceExport, service: Service | undefined): readonly Rule[] => {
  const { rules } = object.spec
  if (rules && rules.length > 0) {
    return rules.map(({ portNumber, path, pathType = 'Prefix' }, index) => ({
      port: portNumber,
      path: path === undefined ? ownPath(object, portNumber) : pathType === 'Exact' ? path : withoutFinalSlash(path),
      named: path !== undefined,
      pathType,
      field: `spec.rules[${index}]`,
    }))
  }
  const ports = unique(service ? portsOf(service) : [], ({ port }) => String(port))
  return ports.toSorted(by(({ port }) => port)).map(({ port }) => ({
    port,
    path: ownPath(object, port),
    named: false,
    pathType: 'Prefix',
    field: OMITTED,
  }))
}

const ownPath = (object: ServiceExport, port: number): string => `/${keyOf(object)}/${port}`

/** Port of a rule, by number: of two with the same number, the one that is TCP. */
const portOf = (service: Service | undefined, number: number): ServicePort | undefined => {
  const found = (service ? portsOf(service) : []).filter(({ port }) => port === number)
  return found.find(isTcp) ?? found[0]
}

const issueOf = (
  object: Issue['object'],
  code: Code,
  path: string,
  value?: unknown,
  params?: Issue['params'],
): Issue<Code> => ({ code, object, path, ...(value === undefined ? {} : { value }), ...(params ? { params } : {}) })

/** One export, given who is before it at which path. A rule that cannot be served leaves the export's other rules alone. */
const offerOf = (
  object: DeclaredExport,
  service: Service | undefined,
  holderOf: ReturnType<typeof pathHolders>,
  identity: boolean,
): Offer => {
  const key = keyOf(object)
  const { namespace = 'default', name } = object.metadata
  const reference = exportReference(object)
  const isOurs = object.doors.includes('ServiceExport')
  const faults: Issue<Code>[] = []
  const remarks: Issue<Code>[] = []
  const fault = (code: Code, path: string, value?: unknown, params?: Issue['params']): void => {
    faults.push(issueOf(reference, code, isOurs ? path : '', value, params))
  }

  const { pathRewrite } = object.spec
  const isStandard = object.doors[0] === 'MCS'
  if (!service) fault(isStandard ? 'NoService' : 'ExportWithoutService', '', undefined, { namespace, name })
  else if (isExternalName(service)) fault(isStandard ? 'InvalidServiceType' : 'ExportOfExternalName', '')
  const why = pathRewrite && rewriteProblem(pathRewrite)
  if (why !== undefined) fault('RewriteUnusable', 'spec.pathRewrite', undefined, { why })
  if (!service || isExternalName(service) || why !== undefined) {
    return { object, rules: [], tcp: [], others: [], faults, remarks }
  }

  const rules: OfferedRule[] = []
  const streams: ServicePort[] = []
  for (const rule of rulesOf(object, service)) {
    const port = portOf(service, rule.port)
    const holder = holderOf({ path: rule.path, pathType: rule.pathType, service: key })
    const aside = (code: Code, value: unknown): void => {
      const issue = issueOf(reference, code, isOurs ? rule.field : '', value, { port: rule.port })
      ;(rule.field === OMITTED ? remarks : faults).push(issue)
    }
    if (!port) {
      const known = tcpPorts(service).map((candidate) => candidate.port)
      fault('PortNotInService', `${rule.field}.portNumber`, rule.port, { ports: known.join(', ') || 'none' })
    } else if (!isTcp(port)) {
      aside('PortNotServed', port.protocol)
    } else if (isStream(port)) {
      if (rule.named) remarks.push(issueOf(reference, 'PathOfStream', `${rule.field}.path`, rule.path, said(port)))
      if (identity) streams.push(port)
      else aside('StreamWithoutIdentity', spokenAt(port))
    } else if (!canMatch(rule.path)) {
      fault('PathNeverMatches', `${rule.field}.path`, rule.path)
    } else if (holder !== undefined) {
      const { path, service: owner } = holder
      fault(isJustOlder(holder, rule.path, key) ? 'PathConflict' : 'PathInTheWay', `${rule.field}.path`, rule.path, {
        owner,
        path,
        namespace,
      })
    } else if (rules.some(({ path }) => path === rule.path)) {
      fault('PathDuplicate', `${rule.field}.path`, rule.path)
    } else {
      if (rule.pathType === 'Exact')
        remarks.push(issueOf(reference, 'ExactNotImportable', `${rule.field}.pathType`, rule.path))
      rules.push({ port, path: rule.path, pathType: rule.pathType })
    }
  }
  const others = otherPorts(object, service)
  const isEmpty = rules.length === 0 && streams.length === 0
  if (isEmpty && faults.length === 0 && !(isStandard && isOffered(service, others)))
    fault('NothingToServe', 'spec.rules')
  const each = unique(streams, ({ port }) => String(port)).toSorted(by(({ port }) => port))
  return { object, service, rules, tcp: each, others, faults, remarks }
}

/** Whether the standard's callers have something of a Service of which a gateway serves nothing. */
export const isOffered = ({ spec }: Service, others: readonly ServicePort[]): boolean =>
  others.length > 0 || spec.clusterIP === 'None'

/** Transports that Services know beside TCP. */
const OTHERS: readonly (string | undefined)[] = ['SCTP', 'UDP']

const otherPorts = ({ spec: { rules = [] } }: ServiceExport, service: Service): readonly ServicePort[] => {
  const listed = (number: number) => rules.length === 0 || rules.some(({ portNumber }) => portNumber === number)
  return portsOf(service)
    .filter(({ port, protocol }) => OTHERS.includes(protocol) && listed(port))
    .toSorted(
      by(
        ({ port }) => port,
        ({ protocol = '' }) => protocol,
      ),
    )
}

const said = (port: ServicePort & Spoken): Issue['params'] => ({ port: port.port, spoken: spokenAt(port) })

/** Rules that need a path: those of a port that is known for a stream need none. */
export const claimsOf = (object: ServiceExport, service: Service | undefined): readonly PathClaim[] =>
  claims.get(object, [service], () =>
    rulesOf(object, service).flatMap(({ port, path, pathType }) => {
      const known = portOf(service, port)
      return known && (!isTcp(known) || isStream(known)) ? [] : [{ path, pathType, service: keyOf(object) }]
    }),
  )

/**
 * All exports of a cluster, the oldest first. A path belongs to an export that names it, whether its Service is there or
 * not: ownership must not move back and forth with a Service's life.
 *
 * @param identity whether the cluster's proxies have one, without which no stream crosses clusters
 */
export const offersOf = (
  { exports, services }: Pick<World, 'exports' | 'services'>,
  identity: boolean,
): readonly Offer[] => {
  const holderOf = pathHolders(exports.flatMap((object) => claimsOf(object, services.get(keyOf(object)))))
  return exports.map((object) => {
    const key = keyOf(object)
    const service = services.get(key)
    // All that an offer is made of beside the two objects: an export is not looked at for the sake of others.
    const holders = rulesOf(object, service).map(({ path, pathType }) => {
      const holder = holderOf({ path, pathType, service: key })
      return holder && `${holder.path} ${holder.service}`
    })
    return offers.get(object, [service, identity, ...holders], () => offerOf(object, service, holderOf, identity))
  })
}
