/** Rules for allowedClients: who may call an export. */
import { CLIENT_PATTERNS } from '../api/fields.ts'
import { EVERY_CLUSTER, unknownClusters } from '../compiler/clients.ts'
import { type At, type Finding, field, found, foundAbout, isRecord, items, repeated, text } from './validate-read.ts'
import type { World } from './world.ts'

const SORTS = ['clusters', 'namespaces', 'serviceAccounts'] as const
const FORMS = SORTS.map((sort) => ({ sort, form: new RegExp(CLIENT_PATTERNS[sort].form) }))

export function* clientRules(list: At, world: World): Iterable<Finding> {
  yield* emptyRules(list, 'everybody')
  const entries = items(list)
  for (const entry of entries) {
    if (isRecord(entry.value) && !SORTS.some((sort) => Object.hasOwn(entry.value as object, sort))) {
      yield foundAbout('ClientUnnamed', entry)
    }
    for (const { sort, form } of FORMS) {
      const patterns = field(entry, sort)
      yield* emptyRules(patterns, 'any')
      for (const pattern of items(patterns)) yield* patternRules(pattern, form, CLIENT_PATTERNS[sort].remedy)
      for (const twin of repeated(items(patterns), text)) yield found('EntryDuplicate', twin)
    }
  }
  yield* clusterRules(entries, world)
  if (entries.some(letsInAll)) {
    for (const entry of entries.filter((each) => !letsInAll(each))) yield foundAbout('ClientCovered', entry)
  }
}

function* emptyRules(list: At, everybody: string): Iterable<Finding> {
  if (Array.isArray(list.value) && list.value.length === 0) yield foundAbout('ClientListEmpty', list, { everybody })
}

const isWellFormed = (pattern: string, form: RegExp): boolean => form.test(pattern) && !pattern.includes('**')

function* patternRules(pattern: At, form: RegExp, remedy: string): Iterable<Finding> {
  const written = text(pattern)
  if (written !== undefined && !isWellFormed(written, form)) yield found('ClientPatternMalformed', pattern, { remedy })
}

function* clusterRules(entries: readonly At[], { clusters }: World): Iterable<Finding> {
  const form = new RegExp(CLIENT_PATTERNS.clusters.form)
  if (clusters === undefined) return
  for (const pattern of entries.flatMap((entry) => items(field(entry, 'clusters')))) {
    const written = text(pattern)
    if (written === undefined || !isWellFormed(written, form)) continue
    for (const { hint } of unknownClusters([{ clusters: [written] }], clusters)) {
      yield found('ClientClusterUnknown', pattern, { hint })
    }
  }
}

/** Whether an entry asks for nothing but a certificate. */
function letsInAll({ value }: At): boolean {
  if (!isRecord(value) || SORTS.every((sort) => value[sort] === undefined)) return false
  return SORTS.every((sort) => {
    const patterns = value[sort]
    return patterns === undefined || (Array.isArray(patterns) && patterns.some((each) => EVERY_CLUSTER.has(each)))
  })
}
