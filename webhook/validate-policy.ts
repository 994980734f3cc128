/** Rules for GlobalTrafficPolicy. */
import type { ObjectRef } from '../api/issue.ts'
import { keyNow } from '../compiler/key-now.ts'
import { clusterKeyRules } from './validate-fields.ts'
import { type At, at, type Finding, field, found, foundAbout, items, repeated, text } from './validate-read.ts'
import type { World } from './world.ts'

export function* policyRules(root: At, ref: ObjectRef, world: World): Iterable<Finding> {
  const list = at(root, 'spec', 'targets')
  const targets = items(list)
  const lbType = at(root, 'spec', 'lbType').value ?? (targets.length > 0 ? 'Locality' : undefined)
  if (lbType === 'Locality') yield* localityRules(list, targets)
  if (lbType === 'FailOver' && targets.length === 0 && isListOrAbsent(list))
    yield foundAbout('FailOverNeedsTargets', list)
  for (const key of targets.map((target) => field(target, 'clusterKey'))) yield* clusterKeyRules(key)
  for (const twin of repeated(targets, keyOf)) yield found('TargetDuplicate', field(twin, 'clusterKey'))
  yield* weightRules(list, targets)
  if (lbType === 'Locality' || lbType === 'ActiveActive') yield* priorityRules(targets, lbType)
  yield* importRules(targets, ref, world)
}

/** Anything else has been reported as being no list. */
function isListOrAbsent({ value }: At): boolean {
  return value === undefined || value === null || Array.isArray(value)
}

function keyOf(target: At): string | undefined {
  return text(field(target, 'clusterKey'))
}

function* localityRules(list: At, targets: readonly At[]): Iterable<Finding> {
  const [first, second] = targets
  if (second !== undefined) yield foundAbout('LocalityWithTargets', list, { count: targets.length })
  else if (first !== undefined) yield foundAbout('LocalityTargetIgnored', first)
}

function* weightRules(list: At, targets: readonly At[]): Iterable<Finding> {
  const drained = targets.length > 0 && targets.every((target) => field(target, 'weight').value === 0)
  if (drained) yield foundAbout('AllWeightsZero', list)
}

function* priorityRules(targets: readonly At[], lbType: string): Iterable<Finding> {
  for (const priority of targets.map((target) => field(target, 'priority'))) {
    if (priority.value !== undefined) yield found('PriorityIgnored', priority, { lbType })
  }
}

function* importRules(targets: readonly At[], ref: ObjectRef, world: World): Iterable<Finding> {
  if (world.imports === undefined) return
  const { namespace = '', name } = ref
  const own = world.imports.find(({ metadata }) => metadata.namespace === namespace && metadata.name === name)
  if (own === undefined) {
    yield { code: 'PolicyWithoutImport', at: { path: '', value: undefined }, params: { namespace, name } }
    return
  }
  if (own.spec.type === 'Headless') {
    yield { code: 'HeadlessNotSteered', at: { path: '', value: undefined }, params: { namespace, name } }
    return
  }
  // Not knowing which cluster this is, any target may be the cluster itself, which needs no export.
  if (world.clusterKey === undefined) return
  const exporters = new Set(own.spec.ports.flatMap((port) => (port.endpoints ?? []).map((e) => e.clusterKey)))
  for (const target of targets) {
    const key = keyOf(target)
    if (key === undefined || exporters.has(key) || key === world.clusterKey) continue
    const now = keyNow(key, [world.clusterKey, ...exporters])
    if (now === undefined) yield found('TargetExportsNothing', field(target, 'clusterKey'), { namespace, name })
    else yield found('ClusterKeyChanged', field(target, 'clusterKey'), { now })
  }
}
