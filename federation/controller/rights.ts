import { CLUSTER_CONFIGMAP } from '../../api/names.ts'
import { CONFIGMAPS, NAMESPACES, SERVICE_EXPORTS, SERVICE_IMPORTS, SERVICES } from '../../api/resources.ts'

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

/** The rules of an account. */
export interface Rules {
  /** Those that hold in every namespace. */
  readonly everywhere: readonly Rule[]
  /** Those that hold in the namespace that rights may be of. */
  readonly here: readonly Rule[]
}

const SEEN = [NAMESPACES, SERVICES, SERVICE_EXPORTS, SERVICE_IMPORTS]

/** All that the hub has to be allowed to see of a member, or nothing that it knows of it stays true. */
export const sightOf = (namespace: string): readonly Right[] =>
  ['list', 'watch'].flatMap((verb): readonly Right[] => [
    ...SEEN.map(({ group, plural }) => ({ verb, group, resource: plural })),
    { verb, group: CONFIGMAPS.group, resource: CONFIGMAPS.plural, namespace, name: CLUSTER_CONFIGMAP },
  ])

/** What the rules do not allow. */
export const withoutRule = (wanted: readonly Right[], { everywhere, here }: Rules): readonly Right[] =>
  wanted.filter((right) => !(right.namespace === undefined ? everywhere : here).some((rule) => allows(rule, right)))

function allows(rule: Rule, { verb, group, resource, name }: Right): boolean {
  const { resourceNames = [] } = rule
  const isNamed = resourceNames.length === 0 || (name !== undefined && resourceNames.includes(name))
  return isNamed && covers(rule.verbs, verb) && covers(rule.apiGroups, group) && covers(rule.resources, resource)
}

const covers = (list: readonly string[] = [], item: string): boolean => list.includes('*') || list.includes(item)
