/** Rules for ServiceExport. */
import type { Service, ServicePort } from '../api/core.ts'
import type { ObjectRef } from '../api/issue.ts'
import type { ServiceExportSpec } from '../api/service-export.ts'
import { byKey, keyOf, oldestFirst } from '../compiler/keys.ts'
import { claimsOf } from '../compiler/offers.ts'
import { isJustOlder, type PathClaim, pathHolders } from '../compiler/path-owners.ts'
import { isStream, spokenAt } from '../compiler/protocol.ts'
import { isTcp } from '../compiler/world.ts'
import { clientRules } from './validate-clients.ts'
import { clusterKeyRules, hasEmptyOrDotSegment, normalized, pathRules } from './validate-fields.ts'
import { type At, at, type Finding, field, found, foundAbout, items, repeated, text } from './validate-read.ts'
import { rewriteRules } from './validate-rewrite.ts'
import type { World } from './world.ts'

const SERVICE_ACCOUNT = /^([*]|[a-z0-9]([-a-z0-9.]*[a-z0-9])?)$/

export function* exportRules(root: At, ref: ObjectRef, world: World): Iterable<Finding> {
  const spec = field(root, 'spec')
  const account = field(spec, 'serviceAccountName')
  if (!SERVICE_ACCOUNT.test(text(account) ?? '*')) yield found('ServiceAccountNameMalformed', account)
  const rules = items(field(spec, 'rules'))
  const paths = rules.map((rule) => field(rule, 'path'))
  for (const path of paths) yield* pathRules(path)
  for (const twin of repeated(paths, text)) yield found('PathDuplicate', twin)
  for (const rule of rules) {
    yield* slashRules(rule)
    yield* exactRules(rule)
  }
  yield* rewriteRules(field(spec, 'pathRewrite'), rules)
  const targets = items(field(spec, 'targetClusters'))
  for (const target of targets) yield* clusterKeyRules(target)
  for (const twin of repeated(targets, text)) yield found('EntryDuplicate', twin)
  yield* clientRules(field(spec, 'allowedClients'), world)
  yield* serviceRules(root, rules, ref, world)
  yield* takenPaths(root, rules, ref, world)
}

function* slashRules(rule: At): Iterable<Finding> {
  const path = field(rule, 'path')
  const value = text(path) ?? '/'
  if (value === '/' || !value.endsWith('/') || field(rule, 'pathType').value !== 'Prefix') return
  // An empty last segment has been reported already.
  if (!hasEmptyOrDotSegment(value)) yield found('PathEndsWithSlash', path, { suggestion: normalized(value) })
}

function* exactRules(rule: At): Iterable<Finding> {
  const pathType = field(rule, 'pathType')
  const value = text(field(rule, 'path'))
  if (pathType.value === 'Exact' && value !== undefined) {
    yield found('ExactNotImportable', { path: pathType.path, value })
  }
}

function* serviceRules(root: At, rules: readonly At[], ref: ObjectRef, world: World): Iterable<Finding> {
  if (world.services === undefined) return
  const { namespace = '', name } = ref
  const service = world.services.find(({ metadata }) => metadata.namespace === namespace && metadata.name === name)
  if (service === undefined) yield foundAbout('ExportWithoutService', at(root), { namespace, name })
  else if (service.spec.type === 'ExternalName') yield foundAbout('ExportOfExternalName', at(root))
  else yield* portRules(rules, service)
}

function* portRules(rules: readonly At[], service: Service): Iterable<Finding> {
  for (const rule of rules) yield* protocolRules(rule, service)
  const known = (service.spec.ports ?? [])
    .filter(({ protocol }) => (protocol ?? 'TCP') === 'TCP')
    .map(({ port }) => port)
  for (const port of rules.map((rule) => field(rule, 'portNumber'))) {
    if (typeof port.value !== 'number' || known.includes(port.value) || portAt(service, port.value)) continue
    yield found('PortNotInService', port, { ports: known.length === 0 ? 'no TCP port' : known.join(', ') })
  }
}

/** Of two ports with the same number, the one that is TCP. */
function portAt({ spec }: Service, number: unknown): ServicePort | undefined {
  const found = (spec.ports ?? []).filter(({ port }) => port === number)
  return found.find(isTcp) ?? found[0]
}

function* protocolRules(rule: At, service: Service): Iterable<Finding> {
  const number = field(rule, 'portNumber')
  const port = portAt(service, number.value)
  if (port === undefined) return
  const params = { port: port.port, spoken: spokenAt(port) }
  if (!isTcp(port)) yield found('PortNotServed', { path: number.path, value: port.protocol }, params)
  else if (isStream(port) && text(field(rule, 'path')) !== undefined)
    yield found('PathOfStream', field(rule, 'path'), params)
}

function* takenPaths(root: At, rules: readonly At[], ref: ObjectRef, world: World): Iterable<Finding> {
  const { namespace = 'default', name } = ref
  const service = `${namespace}/${name}`
  const others = (world.exports ?? []).filter((other) => keyOf(other) !== service)
  if (others.length === 0) return
  const created = text(at(root, 'metadata', 'creationTimestamp'))
  const metadata = { namespace, name, ...(created === undefined ? {} : { creationTimestamp: created }) }
  const services = byKey(world.services ?? [])
  const claims = (spec: ServiceExportSpec): readonly PathClaim[] =>
    claimsOf({ ...SKELETON, metadata, spec }, services.get(service))
  // Of each rule by itself, so that what is said of it can be said at its place.
  const own = rules.map((rule) => {
    const read = readRule(rule)
    return { path: field(rule, 'path'), claims: read === undefined ? [] : claims({ rules: [read] }) }
  })
  const self = { ...SKELETON, metadata, spec: {} }
  const holderOf = pathHolders(
    oldestFirst([...others, self]).flatMap((each) =>
      each === self ? own.flatMap((rule) => rule.claims) : claimsOf(each, services.get(keyOf(each))),
    ),
  )
  for (const { path, claims } of own) {
    for (const claim of claims) {
      const holder = holderOf(claim)
      if (holder === undefined) continue
      const owner = holder.service
      if (isJustOlder(holder, claim.path, service)) yield found('PathTaken', path, { owner })
      else yield found('PathOverlaps', path, { owner, path: holder.path, namespace })
    }
  }
}

const SKELETON = { apiVersion: 'flomesh.io/v1alpha1', kind: 'ServiceExport' } as const

/** A rule that asks for a path in so many words, as far as it can be read. */
function readRule(rule: At): NonNullable<ServiceExportSpec['rules']>[number] | undefined {
  const path = text(field(rule, 'path'))
  const portNumber = field(rule, 'portNumber').value
  if (path === undefined || typeof portNumber !== 'number') return undefined
  return { portNumber, path, pathType: field(rule, 'pathType').value === 'Exact' ? 'Exact' : 'Prefix' }
}
