/** Rules for MeshConfig. */
import { isIP } from 'node:net'
import type { ObjectRef } from '../api/issue.ts'
import { SETTINGS } from './inject-settings.ts'
import { covers, overlap } from './networks.ts'
import { INTERFACE, quantityValue } from './setting-types.ts'
import { isAddress } from './validate-fields.ts'
import { type At, at, type Finding, found, foundAbout, items, repeated, text } from './validate-read.ts'
import type { World } from './world.ts'

const RANGE_LISTS = [
  'outboundIPRangeExclusionList',
  'outboundIPRangeInclusionList',
  'inboundIPRangeExclusionList',
  'inboundIPRangeInclusionList',
]
const INERT_LISTS = [
  'inboundPortExclusionList',
  'inboundPortInclusionList',
  'inboundIPRangeExclusionList',
  'inboundIPRangeInclusionList',
]
const LISTS = [
  ...RANGE_LISTS,
  'outboundPortExclusionList',
  'outboundPortInclusionList',
  'inboundPortExclusionList',
  'inboundPortInclusionList',
  'networkInterfaceExclusionList',
]
const INTERFACE_FORM = new RegExp(INTERFACE)

export function* meshConfigRules(root: At, _ref: ObjectRef, { vipRange }: World): Iterable<Finding> {
  const list = (field: string) => at(root, 'spec', 'traffic', field)
  for (const field of RANGE_LISTS) {
    for (const range of items(list(field))) {
      const value = text(range)
      if (value === undefined) continue
      if (!isRange(value)) yield found('RangeMalformed', range, { suggestion: suggestedRange(value) })
      else if (field === 'outboundIPRangeExclusionList' && vipRange !== undefined && overlap(value, vipRange))
        yield found('ImportsExcluded', range, { vipRange })
    }
  }
  const included = items(list('outboundIPRangeInclusionList')).flatMap((range) => text(range) ?? [])
  if (included.length > 0 && vipRange !== undefined && included.every(isRange) && !covers(included, vipRange))
    yield foundAbout('ImportsNotIncluded', list('outboundIPRangeInclusionList'), { vipRange })
  for (const name of items(list('networkInterfaceExclusionList'))) {
    const value = text(name)
    // One that is too long is for the schema to report.
    if (value !== undefined && value.length <= 15 && !INTERFACE_FORM.test(value))
      yield found('InterfaceMalformed', name)
  }
  for (const field of LISTS) {
    for (const twin of repeated(items(list(field)), plain)) yield found('EntryDuplicate', twin)
  }
  for (const field of INERT_LISTS) {
    if (items(list(field)).length > 0) yield foundAbout('NothingInboundCaptured', list(field))
  }
  yield* amountRules(root)
}

/** Texts and numbers as keys that cannot be mistaken for each other. */
function plain({ value }: At): string | undefined {
  return typeof value === 'object' ? undefined : `${typeof value} ${value}`
}

function isRange(value: string): boolean {
  const [address = '', bits = '', ...rest] = value.split('/')
  const most = isIP(address) === 4 ? 32 : 128
  return rest.length === 0 && isAddress(address) && /^(0|[1-9]\d{0,2})$/.test(bits) && Number(bits) <= most
}

function suggestedRange(value: string): string {
  const address = value.split('/')[0] ?? ''
  return isAddress(address) ? `${address}/${isIP(address) === 4 ? 32 : 128}` : '10.43.0.1/32'
}

const RESOURCES = [
  { resource: 'cpu', request: SETTINGS.cpuRequest, limit: SETTINGS.cpuLimit },
  { resource: 'memory', request: SETTINGS.memoryRequest, limit: SETTINGS.memoryLimit },
] as const

function* amountRules(root: At): Iterable<Finding> {
  const resources = at(root, 'spec', 'sidecar', 'resources')
  for (const { resource, request, limit } of RESOURCES) {
    const asked = at(resources, 'requests', resource)
    const most = at(resources, 'limits', resource)
    for (const amount of [asked, most]) {
      if (isAmount(amount.value) && quantityValue(String(amount.value)) === undefined) {
        yield found('AmountMalformed', amount)
      }
    }
    // Each alone meets the other's built-in value.
    const requested = isAmount(asked.value) ? String(asked.value) : request.default
    const allowed = isAmount(most.value) ? String(most.value) : limit.default
    if ((quantityValue(requested) ?? 0) <= (quantityValue(allowed) ?? Number.POSITIVE_INFINITY)) continue
    const at_ = asked.value === undefined ? most : asked
    yield found('RequestExceedsLimit', { path: at_.path, value: requested }, { resource, limit: allowed })
  }
}

function isAmount(value: unknown): value is string | number {
  return typeof value === 'string' || typeof value === 'number'
}
