import type { KubeObject } from '../../api/meta.ts'
import type { KubeClient } from '../../kube/client.ts'
import { type Failure, ok, type Result } from '../../kube/failure.ts'
import type { Resource } from '../../kube/object.ts'
import { type Right, type Rule, sightOf, withoutRule } from './rights.ts'

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

/** No namespace has such a name, so that the rules there are those of every namespace: it cannot be asked for these alone. */
const NOWHERE = '*'

/**
 * Asks the API server whether the account may still see what it has to. Watches that are open are not ended when a right
 * is taken away, so that they say so minutes later. Two questions while all is well: rules may be told incompletely, so
 * only what they leave out is asked for one by one.
 * @returns why it may not; nothing while it may. A failure tells nothing of it
 */
export async function lookAtSight(client: KubeClient, namespace: string): Promise<Result<Failure | undefined>> {
  const [everywhere, here] = await Promise.all([rulesIn(client, NOWHERE), rulesIn(client, namespace)])
  if (!everywhere.ok) return everywhere
  if (!here.ok) return here
  const refused: Refusal[] = []
  for (const right of withoutRule(sightOf(namespace), { everywhere: everywhere.value, here: here.value })) {
    const asked = await client.create(ACCESS_REVIEWS, { metadata: { name: '' }, spec: { resourceAttributes: right } })
    if (!asked.ok) return asked
    const { allowed = false, reason } = asked.value.status ?? {}
    if (!allowed) refused.push({ right, reason })
  }
  return ok(refusalOf(refused))
}

async function rulesIn(client: KubeClient, namespace: string): Promise<Result<readonly Rule[]>> {
  const told = await client.create(RULES_REVIEWS, { metadata: { name: '' }, spec: { namespace } })
  return told.ok ? ok(told.value.status?.resourceRules ?? []) : told
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
