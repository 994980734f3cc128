/** The names that `cluster join`, `cluster leave` and `cleanup` meet under. */
import type { KubeObject } from '../../api/meta.ts'
import { MANAGED_BY } from '../../api/names.ts'
import type { Secret } from '../../api/resources.ts'
import type { Resource } from '../../kube/object.ts'

/** In a member: the account that the hub works as, and both its bindings. */
export const HUB_ACCOUNT = 'portolan-hub'
/** In a member: what the name of a Secret with a token of the account begins with. */
export const HUB_TOKEN = 'portolan-hub-token'
/** In a member: the chart's ClusterRole and Role for a hub. */
export const MEMBER_ROLE = 'portolan-member'

/** On the hub: the Secret with the kubeconfig that leads to a member. */
export const kubeconfigSecret = (cluster: string): string => `portolan-kubeconfig-${cluster}`

export interface RoleBinding extends KubeObject {
  readonly roleRef: { readonly apiGroup: string; readonly kind: string; readonly name: string }
  readonly subjects?: readonly { readonly kind: string; readonly name: string; readonly namespace?: string }[]
}

const RBAC = { group: 'rbac.authorization.k8s.io', version: 'v1' } as const
export const CLUSTER_ROLES: Resource = { ...RBAC, plural: 'clusterroles', kind: 'ClusterRole', namespaced: false }
export const ROLE_BINDINGS: Resource<RoleBinding> = {
  ...RBAC,
  plural: 'rolebindings',
  kind: 'RoleBinding',
  namespaced: true,
}
export const CLUSTER_ROLE_BINDINGS: Resource<RoleBinding> = {
  ...RBAC,
  plural: 'clusterrolebindings',
  kind: 'ClusterRoleBinding',
  namespaced: false,
}

type Written<T extends KubeObject> = Omit<T, 'apiVersion' | 'kind'>

/**
 * The account of the hub in a member, and what it may do there: the chart's roles, nothing else.
 * @param namespace Portolan's own
 * @param tokenName of the Secret that the cluster is to put a token into
 */
export function hubAccount(
  namespace: string,
  tokenName: string,
): {
  readonly account: Written<KubeObject>
  readonly token: Written<Secret>
  readonly binding: Written<RoleBinding>
  readonly clusterBinding: Written<RoleBinding>
} {
  const meta = (name: string) => ({ name, namespace, labels: MANAGED_BY })
  const subjects = [{ kind: 'ServiceAccount', name: HUB_ACCOUNT, namespace }]
  const role = (kind: string) => ({ apiGroup: RBAC.group, kind, name: MEMBER_ROLE })
  return {
    account: { metadata: meta(HUB_ACCOUNT) },
    token: {
      metadata: { ...meta(tokenName), annotations: { 'kubernetes.io/service-account.name': HUB_ACCOUNT } },
      type: 'kubernetes.io/service-account-token',
    },
    binding: { metadata: meta(HUB_ACCOUNT), roleRef: role('Role'), subjects },
    clusterBinding: { metadata: { name: HUB_ACCOUNT, labels: MANAGED_BY }, roleRef: role('ClusterRole'), subjects },
  }
}
