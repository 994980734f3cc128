import type { Service, ServicePort } from '../api/core.ts'
import type { Code } from '../api/diagnostics.ts'
import type { Issue } from '../api/issue.ts'
import type { ServiceExport } from '../api/service-export.ts'
import { by } from './order.ts'
import { isHttp, isHttp2 } from './protocol.ts'
import { rewriteProblem } from './regex.ts'
import type { GatewayRoute } from './tables.ts'
import { clusterAddress, isExternalName, keyOf, readyEndpoints, tcpPorts, type World } from './world.ts'

export interface ServedExport {
  readonly object: ServiceExport
  readonly routes: readonly GatewayRoute[]
  /** Why the export is not valid, or not in all of its rules. */
  readonly faults: readonly Issue<Code>[]
  /** What else is to be said. */
  readonly remarks: readonly Issue<Code>[]
}

interface Rule {
  readonly port: number
  readonly path: string
  readonly pathType: 'Prefix' | 'Exact'
  /** Where the rule stands in the object; none for a rule that stands for an omitted one. */
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

const routeOf = (
  world: World,
  object: ServiceExport,
  service: Service,
  port: ServicePort,
  rule: Rule,
): GatewayRoute => {
  const key = keyOf(object)
  const own = clusterAddress(service)
  return {
    service: key,
    port: port.port,
    path: rule.path,
    pathType: rule.pathType,
    ...(object.spec.pathRewrite ? { rewrite: object.spec.pathRewrite } : {}),
    endpoints: readyEndpoints(world, key, port),
    ...(own === undefined ? {} : { fallback: { host: own, port: port.port } }),
    http2: isHttp2(port.appProtocol),
  }
}

const issueOf = (
  object: Issue['object'],
  code: Code,
  path: string,
  value?: unknown,
  params?: Issue['params'],
): Issue<Code> => ({ code, object, path, ...(value === undefined ? {} : { value }), ...(params ? { params } : {}) })

/** One export, given who holds which path. A rule that cannot be served leaves the export's other rules alone. */
const serve = (world: World, object: ServiceExport, owners: ReadonlyMap<string, string>): ServedExport => {
  const key = keyOf(object)
  const { namespace = 'default', name } = object.metadata
  const reference = { kind: 'ServiceExport', namespace, name }
  const service = world.services.get(key)
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
  if (!service || isExternalName(service) || why !== undefined) return { object, routes: [], faults, remarks }

  const routes: GatewayRoute[] = []
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
    } else if (routes.some((route) => route.path === rule.path)) {
      fault('PathDuplicate', `${rule.field}.path`, rule.path)
    } else {
      if (rule.pathType === 'Exact')
        remarks.push(issueOf(reference, 'ExactNotImportable', `${rule.field}.pathType`, rule.path))
      routes.push(routeOf(world, object, service, port, rule))
    }
  }
  if (routes.length === 0 && faults.length === 0) fault('NothingToServe', 'spec.rules')
  return { object, routes, faults, remarks }
}

/**
 * All exports of the cluster, the oldest first. A path belongs to the oldest export that names it, whether its Service
 * is there or not: ownership must not move back and forth with a Service's life.
 */
export const serveExports = (world: World): readonly ServedExport[] => {
  const owners = new Map<string, string>()
  for (const object of world.exports) {
    for (const { path } of rulesOf(object, world.services.get(keyOf(object)))) {
      if (!owners.has(path)) owners.set(path, keyOf(object))
    }
  }
  return world.exports.map((object) => serve(world, object, owners))
}

const bySpecificity = by<GatewayRoute>(
  (route) => (route.pathType === 'Exact' ? 0 : 1),
  (route) => -route.path.length,
  (route) => route.path,
)

export const gatewayRoutes = (served: readonly ServedExport[]): readonly GatewayRoute[] =>
  served.flatMap((each) => each.routes).sort(bySpecificity)
