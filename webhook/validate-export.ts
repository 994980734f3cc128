/** Rules for ServiceExport. */
import type { Service, ServicePort } from '../api/core.ts'
import type { ObjectRef } from '../api/issue.ts'
import type { ServiceExport } from '../api/service-export.ts'
import { isJustOlder } from '../compiler/path-owners.ts'
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
  const created = at(root, 'metadata', 'creationTimestamp')
  // A new object has no timestamp yet: everything that exists is older.
  const self = { created: text(created) ?? '9999', namespace: ref.namespace ?? '', name: ref.name }
  const owners = new Map<string, string>()
  for (const { metadata, spec } of (world.exports ?? []).filter((other) => isOlder(other, self))) {
    for (const { path } of spec.rules ?? [])
      if (path !== undefined) owners.set(path, `${metadata.namespace}/${metadata.name}`)
  }
  for (const path of rules.map((rule) => field(rule, 'path'))) {
    const value = text(path) ?? ''
    const owner = owners.get(value)
    if (owner !== undefined && isJustOlder({ path: value, service: owner }, value, `${self.namespace}/${self.name}`))
      yield found('PathTaken', path, { owner })
  }
}

interface Age {
  readonly created: string
  readonly namespace: string
  readonly name: string
}

function isOlder({ metadata }: ServiceExport, self: Age): boolean {
  const { creationTimestamp = '9999', namespace = '', name } = metadata
  if (namespace === self.namespace && name === self.name) return false
  if (creationTimestamp !== self.created) return creationTimestamp < self.created
  return namespace === self.namespace ? name < self.name : namespace < self.namespace
}
