import type { Service, ServicePort } from '../api/core.ts'
import type { Code } from '../api/diagnostics.ts'
import type { Issue } from '../api/issue.ts'
import type { ServiceExport } from '../api/service-export.ts'
import { isHttp } from './protocol.ts'
import { rewriteProblem } from './regex.ts'
import { isExternalName, keyOf, tcpPorts, type World } from './world.ts'

/** What an export comes to in its own cluster: which ports its gateway serves, and where. */
export interface Offer {
  readonly object: ServiceExport
  /** Present when a gateway could serve it. */
  readonly service?: Service
  /** Sorted as the export lists them, by port where it lists none. */
  readonly rules: readonly OfferedRule[]
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
  readonly path: string
  readonly pathType: 'Prefix' | 'Exact'
  /** Where the rule stands in the object; `spec.rules` for a rule that nobody wrote. */
  readonly field: string
}

/** Field of a rule that nobody wrote. */
const OMITTED = 'spec.rules'

const withoutFinalSlash = (path: string): string => path.replace(/\/+$/, '') || '/'

/** Whether a path is one that a gateway can see, after it has put paths in order. */
const canMatch = (path: string): boolean => /^\/[^?#\s]*$/.test(path) && !/\/\/|\/\.{1,2}(\/|$)|%2f|%5c/i.test(path)

const rulesOf = (object: ServiceExport, service: Service | undefined): readonly Rule[] => {
  const { rules } = object.spec
  if (rules && rules.length > 0) {
    return rules.map(({ portNumber, path, pathType = 'Prefix' }, index) => ({
      port: portNumber,
      path: pathType === 'Exact' ? path : withoutFinalSlash(path),
      pathType,
      field: `spec.rules[${index}]`,
    }))
  }
  return (service ? tcpPorts(service) : []).map(({ port }) => ({
    port,
    path: `/${keyOf(object)}/${port}`,
    pathType: 'Prefix',
    field: OMITTED,
  }))
}

const issueOf = (
  object: Issue['object'],
  code: Code,
  path: string,
  value?: unknown,
  params?: Issue['params'],
): Issue<Code> => ({ code, object, path, ...(value === undefined ? {} : { value }), ...(params ? { params } : {}) })

/** One export, given who holds which path. A rule that cannot be served leaves the export's other rules alone. */
const offerOf = (object: ServiceExport, service: Service | undefined, owners: ReadonlyMap<string, string>): Offer => {
  const key = keyOf(object)
  const { namespace = 'default', name } = object.metadata
  const reference = { kind: 'ServiceExport', namespace, name }
  const faults: Issue<Code>[] = []
  const remarks: Issue<Code>[] = []
  const fault = (code: Code, path: string, value?: unknown, params?: Issue['params']): void => {
    faults.push(issueOf(reference, code, path, value, params))
  }

  const { pathRewrite } = object.spec
  if (!service) fault('ExportWithoutService', '', undefined, { namespace, name })
  else if (isExternalName(service)) fault('ExportOfExternalName', '')
  const why = pathRewrite && rewriteProblem(pathRewrite)
  if (why !== undefined) fault('RewriteUnusable', 'spec.pathRewrite', undefined, { why })
  if (!service || isExternalName(service) || why !== undefined) return { object, rules: [], faults, remarks }

  const rules: OfferedRule[] = []
  const ports = tcpPorts(service)
  for (const rule of rulesOf(object, service)) {
    const port = ports.find((candidate) => candidate.port === rule.port)
    const owner = owners.get(rule.path)
    if (!port) {
      const known = ports.map((candidate) => candidate.port).join(', ') || 'none'
      fault('PortNotInService', `${rule.field}.portNumber`, rule.port, { ports: known })
    } else if (!isHttp(port.appProtocol)) {
      const issue = issueOf(reference, 'PortNotServed', rule.field, port.appProtocol, { port: port.port })
      ;(rule.field === OMITTED ? remarks : faults).push(issue)
    } else if (!canMatch(rule.path)) {
      fault('PathNeverMatches', `${rule.field}.path`, rule.path)
    } else if (owner !== key) {
      fault('PathConflict', `${rule.field}.path`, rule.path, { owner: owner ?? '' })
    } else if (rules.some(({ path }) => path === rule.path)) {
      fault('PathDuplicate', `${rule.field}.path`, rule.path)
    } else {
      if (rule.pathType === 'Exact')
        remarks.push(issueOf(reference, 'ExactNotImportable', `${rule.field}.pathType`, rule.path))
      rules.push({ port, path: rule.path, pathType: rule.pathType })
    }
  }
  if (rules.length === 0 && faults.length === 0) fault('NothingToServe', 'spec.rules')
  return { object, service, rules, faults, remarks }
}

/**
 * All exports of a cluster, the oldest first. A path belongs to the oldest export that names it, whether its Service
 * is there or not: ownership must not move back and forth with a Service's life.
 */
export const offersOf = ({ exports, services }: Pick<World, 'exports' | 'services'>): readonly Offer[] => {
  const owners = new Map<string, string>()
  for (const object of exports) {
    for (const { path } of rulesOf(object, services.get(keyOf(object)))) {
      if (!owners.has(path)) owners.set(path, keyOf(object))
    }
  }
  return exports.map((object) => offerOf(object, services.get(keyOf(object)), owners))
}
