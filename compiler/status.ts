import type { Code } from '../api/diagnostics.ts'
import { type GlobalTrafficPolicy, steeringOf } from '../api/global-traffic-policy.ts'
import type { Issue } from '../api/issue.ts'
import type { ServiceImport } from '../api/service-import.ts'
import { nonEmpty, PROGRAMMED, referenceOf, type Said, statusOf, verdict } from './conditions.ts'
import { isHeadless } from './dns-names.ts'
import { exportReference } from './doors.ts'
import { exportersOf } from './exporters.ts'
import type { ServedExport } from './gateway.ts'
import { callersListed, callsListed, clientsListed, clustersListed, listed, RULES, sourcesListed } from './in-a-line.ts'
import type { Offer } from './offers.ts'
import type { RoutedImport } from './routes.ts'
import { standardStatus } from './standard-status.ts'
import type { ObjectStatus } from './tables.ts'

/** Condition of an export: whether pods answer the calls that its gateway takes. */
export const ENDPOINTS_READY = 'EndpointsReady'

/** Who sees no gateway, as the hub does, says nothing of what it passes on. */
type Served = Offer & Pick<ServedExport, 'sources'> & Partial<Pick<ServedExport, 'routes' | 'passed'>>

/** Of each object that offers the service and has a status: a Service that does so by annotation has none. */
export const exportStatuses = (offer: Served): readonly ObjectStatus[] => {
  const standard = standardStatus(offer)
  return [
    ...(offer.object.doors.includes('ServiceExport') ? [exportStatus(offer)] : []),
    ...(standard ? [withReady(standard, offer)] : []),
  ]
}

const withReady = (status: ObjectStatus, served: Served): ObjectStatus => {
  const { object, generation, conditions } = status
  const ready = readyVerdict(served, object).map((condition) => ({ ...condition, observedGeneration: generation }))
  return { ...status, conditions: [...conditions, ...ready] }
}

/** Of the ServiceExport; of a service that is offered without one, of what offers it in its place. */
export const exportStatus = (served: Served): ObjectStatus => {
  const { object, rules, tcp, faults, remarks, sources } = served
  const reference = exportReference(object)
  const wrong = nonEmpty(faults)
  const paths = [...rules.map((rule) => rule.path), ...tcp.map(({ port }) => `${port}/TCP`)]
  const extra = {
    paths: listed(paths),
    clients: sources ? sourcesListed(sources) : clientsListed(object.spec.allowedClients),
  }
  const params = { paths: paths.join(', ') }
  const good: Issue<Code> = { code: 'Valid', object: reference, path: '', params }
  const valid = verdict('Valid', wrong ? 'False' : 'True', [...(wrong ?? ([good] as const)), ...remarks])
  return { ...statusOf(object, [valid, ...readyVerdict(served, reference)], extra), object: reference }
}

/** Of what the gateway serves. Counts would change with every pod. */
const readyVerdict = ({ routes = [], passed = [] }: Served, object: Issue['object']) => {
  const all = [...routes, ...passed]
  if (all.length === 0) return []
  const silent = [...new Set(all.filter(({ endpoints }) => endpoints.length === 0).map(({ port }) => port))]
  if (silent.length === 0) return [verdict(ENDPOINTS_READY, 'True', [{ code: 'PodsReady', object, path: '' }])]
  const params = { ports: silent.toSorted((a, b) => a - b).join(', ') }
  return [verdict(ENDPOINTS_READY, 'False', [{ code: 'NoReadyPods', object, path: '', params }])]
}

/** @param ownKey of the cluster that the import is in */
export const importStatus = (object: ServiceImport, routed: RoutedImport, ownKey: string): ObjectStatus => {
  const clusters = exportersOf(object, ownKey)
  return statusOf(object, [routedVerdict(object, routed)], {
    clusters,
    exporters: clustersListed(clusters.map(({ cluster }) => cluster)),
    ports: listed(object.spec.ports.map(({ port }) => port)),
    callers: callersListed(routed.routes),
  })
}

/** What proxies have no room for they do not run. @param leftOut why, by `namespace/name` */
export const notProgrammed = (status: ObjectStatus, leftOut: ReadonlyMap<string, Issue<Code>>): ObjectStatus => {
  const { namespace, name } = status.object
  const why = leftOut.get(`${namespace}/${name}`)
  if (why === undefined) return status
  const condition = { ...verdict(PROGRAMMED, 'False', [why]), observedGeneration: status.generation }
  return { ...status, conditions: [...status.conditions, condition] }
}

const routedVerdict = (object: ServiceImport, { routed, localService, keepsPlain, routes, issues }: RoutedImport) => {
  const whole = { object: referenceOf(object), path: '' }
  const exhausted = nonEmpty(issues.filter((issue) => issue.code === 'AddressesExhausted'))
  if (exhausted) return verdict('Routed', 'False', exhausted)
  const nothing = nonEmpty(issues.filter(({ code }) => code === 'NothingToRoute' || code === 'NothingShared'))
  if (nothing) return verdict('Routed', 'False', nothing)
  const [first] = routes
  const isCalledAcross = first?.acrossOnly === true && first.policy !== 'Locality'
  if (first && (routed || isCalledAcross)) {
    const ports = routes.map((route) => route.port).join(', ')
    const { policy, decided, affinity = 'none' } = first
    const rule: Issue<Code> = isCalledAcross
      ? {
          code: 'RoutedAcross',
          ...whole,
          params: { ports, how: decided === 'ClusterSet' ? RULES.clusterset : `by ${policy}` },
        }
      : decided === 'GlobalService'
        ? { code: 'RoutedGlobally', ...whole, params: { ports, how: RULES[affinity] } }
        : { code: 'Routed', ...whole, params: { policy, ports } }
    return verdict('Routed', 'True', [rule, ...issues])
  }
  if (isHeadless(object)) return verdict('Routed', 'False', [{ code: 'HeadlessNotRouted', ...whole }, ...issues])
  const plain: Issue<Code> = { code: localService || keepsPlain ? 'LocalOnly' : 'Refused', ...whole }
  return verdict('Routed', 'False', [plain, ...issues])
}

/** What is to be said about a policy; `routed` is absent when nothing of its name is imported. */
export const policyIssues = (object: GlobalTrafficPolicy, routed: RoutedImport | undefined): readonly Issue<Code>[] => {
  const reference = referenceOf(object)
  const { namespace = 'default', name } = object.metadata
  const { targets = [] } = object.spec
  const lbType = steeringOf(object.spec)
  if (!routed) return [{ code: 'PolicyWithoutImport', object: reference, path: '', params: { namespace, name } }]
  if (routed.headless) return [{ code: 'HeadlessNotSteered', object: reference, path: '', params: { namespace, name } }]
  const exhausted = routed.issues.filter((issue) => issue.code === 'AddressesExhausted')
  if (exhausted.length > 0) return exhausted.map((issue) => ({ ...issue, object: reference, path: '' }))
  if (lbType === 'Locality') {
    return targets.map(({ clusterKey }, index) => ({
      code: 'LocalityTargetIgnored',
      object: reference,
      path: `spec.targets[${index}]`,
      value: clusterKey,
    }))
  }
  if (lbType !== undefined && routed.routes.some((route) => route.policy !== lbType)) {
    return [{ code: 'FailOverNeedsTargets', object: reference, path: 'spec.targets' }]
  }
  const rows = new Map(routed.targets.map((row) => [row.clusterKey, row]))
  return [
    ...targets.flatMap(({ clusterKey }, index): readonly Issue<Code>[] => {
      const row = rows.get(clusterKey)
      const at = { object: reference, path: `spec.targets[${index}].clusterKey`, value: clusterKey }
      if (row?.keyNow !== undefined) return [{ code: 'ClusterKeyChanged', ...at, params: { now: row.keyNow } }]
      return row?.reason === 'ExportsNothing'
        ? [{ code: 'TargetExportsNothing', ...at, params: { namespace, name } }]
        : []
    }),
    ...routed.issues
      .filter((issue) => issue.code === 'NoBackend' || issue.code === 'NothingToRoute')
      .map((issue) => ({ ...issue, object: reference, path: '' })),
  ]
}

const UNRESOLVED: ReadonlySet<Code> = new Set(['TargetExportsNothing', 'ClusterKeyChanged', 'NoBackend'])

const REFUSING: ReadonlySet<Code> = new Set([
  'PolicyWithoutImport',
  'HeadlessNotSteered',
  'FailOverNeedsTargets',
  'NothingToRoute',
  'AddressesExhausted',
])

export const policyStatus = (object: GlobalTrafficPolicy, routed: RoutedImport | undefined): ObjectStatus => {
  const reference = referenceOf(object)
  const issues = policyIssues(object, routed)
  const refusing = nonEmpty(issues.filter((issue) => REFUSING.has(issue.code)))
  const extra = { targets: routed?.targets ?? [], calls: callsListed(routed?.routes ?? []) }
  if (refusing) return statusOf(object, [verdict('Accepted', 'False', refusing)], extra)
  const steering = steeringOf(object.spec)
  const ignored = issues.filter((issue) => issue.code === 'LocalityTargetIgnored')
  const required: readonly Issue<Code>[] = object.spec.requireSidecar
    ? [{ code: 'SidecarRequired', object: reference, path: 'spec.requireSidecar' }]
    : []
  const good: Issue<Code> =
    steering === undefined
      ? { code: 'AcceptedUnsteered', object: reference, path: 'spec.lbType' }
      : { code: 'Accepted', object: reference, path: '', params: { policy: steering } }
  const accepted = verdict('Accepted', 'True', [good, ...ignored, ...required])
  const unresolved = nonEmpty(issues.filter((issue) => UNRESOLVED.has(issue.code)))
  const resolved: Said = [{ code: 'TargetsResolved', object: reference, path: '' }]
  if (steering === undefined || steering === 'Locality') return statusOf(object, [accepted], extra)
  return statusOf(object, [accepted, verdict('Resolved', unresolved ? 'False' : 'True', unresolved ?? resolved)], extra)
}
