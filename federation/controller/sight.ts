import type { KubeObject } from '../../api/meta.ts'
import { CLUSTER_CONFIGMAP } from '../../api/names.ts'
import { CONFIGMAPS, NAMESPACES, SERVICE_EXPORTS, SERVICE_IMPORTS, SERVICES } from '../../api/resources.ts'
import type { KubeClient } from '../../kube/client.ts'
import { type Failure, ok, type Result } from '../../kube/failure.ts'
import type { Resource } from '../../kube/object.ts'

/** One thing that an account may be allowed to do. */
export interface Right {
  readonly verb: string
  readonly group: string
  readonly resource: string
  /** Absent = in all namespaces. */
  readonly namespace?: string
  /** Absent = whatever its name. */
  readonly name?: string
}

/** As the API server tells it; `*` stands for all. */
export interface Rule {
  readonly verbs: readonly string[]
  readonly apiGroups?: readonly string[]
  readonly resources?: readonly string[]
  /** Empty or absent = all. */
  readonly resourceNames?: readonly string[]
}

interface RulesReview extends KubeObject {
  readonly spec: { readonly namespace: string }
  readonly status?: { readonly resourceRules?: readonly Rule[] }
}
interface AccessReview extends KubeObject {
  readonly spec: { readonly resourceAttributes: Right }
  readonly status?: { readonly allowed?: boolean; readonly reason?: string }
}

const review = <T extends KubeObject>(kind: string): Resource<T> => ({
  group: 'authorization.k8s.io',
  version: 'v1',
  plural: `${kind.toLowerCase()}s`,
  kind,
  namespaced: false,
})
const RULES_REVIEWS = review<RulesReview>('SelfSubjectRulesReview')
const ACCESS_REVIEWS = review<AccessReview>('SelfSubjectAccessReview')

const SEEN = [NAMESPACES, SERVICES, SERVICE_EXPORTS, SERVICE_IMPORTS]

/** All that the hub has to be allowed to see of a member, or nothing that it knows of it stays true. */
export const sightOf = (namespace: string): readonly Right[] =>
  ['list', 'watch'].flatMap((verb): readonly Right[] => [
    ...SEEN.map(({ group, plural }) => ({ verb, group, resource: plural })),
    { verb, group: CONFIGMAPS.group, resource: CONFIGMAPS.plural, namespace, name: CLUSTER_CONFIGMAP },
  ])

/** What the rules do not allow. */
export const withoutRule = (wanted: readonly Right[], rules: readonly Rule[]): readonly Right[] =>
  wanted.filter(({ verb, group, resource, name }) => {
    const covers = (list: readonly string[] = [], item: string) => list.includes('*') || list.includes(item)
    const names = ({ resourceNames = [] }: Rule) =>
      resourceNames.length === 0 || (name !== undefined && resourceNames.includes(name))
    return !rules.some(
      (rule) =>
        covers(rule.verbs, verb) && covers(rule.apiGroups, group) && covers(rule.resources, resource) && names(rule),
    )
  })

/**
 * Asks the API server whether the account may still see what it has to. Watches that are open are not ended when a right
 * is taken away, so that they say so minutes later. One question while all is well: rules may be told incompletely, so
 * only what they leave out is asked for one by one.
 * @returns why it may not; nothing while it may. A failure tells nothing of it
 */
export async function lookAtSight(client: KubeClient, namespace: string): Promise<Result<Failure | undefined>> {
  const told = await client.create(RULES_REVIEWS, { metadata: { name: '' }, spec: { namespace } })
  if (!told.ok) return told
  const refused: Refusal[] = []
  for (const right of withoutRule(sightOf(namespace), told.value.status?.resourceRules ?? [])) {
    const asked = await client.create(ACCESS_REVIEWS, { metadata: { name: '' }, spec: { resourceAttributes: right } })
    if (!asked.ok) return asked
    const { allowed = false, reason } = asked.value.status ?? {}
    if (!allowed) refused.push({ right, reason })
  }
  return ok(refusalOf(refused))
}

interface Refusal {
  readonly right: Right
  readonly reason: string | undefined
}

function refusalOf(refused: readonly Refusal[]): Failure | undefined {
  if (refused.length === 0) return undefined
  const verbs = Map.groupBy(refused, ({ right }) => right.verb)
  const resources = [...verbs].map(([verb, list]) => `${verb} ${list.map(({ right }) => nameOf(right)).join(', ')}`)
  const reasons = new Set(refused.flatMap(({ reason }) => (reason ? [reason] : [])))
  const why = reasons.size === 0 ? '' : ` (${[...reasons].join('; ')})`
  return { reason: 'Forbidden', message: `the hub's account cannot ${resources.join(', nor ')}${why}` }
}

const nameOf = ({ group, resource, namespace, name }: Right): string =>
  `${resource}${group === '' ? '' : `.${group}`}${name === undefined ? '' : ` ${namespace}/${name}`}`
