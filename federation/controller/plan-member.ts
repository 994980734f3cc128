import { CLUSTER_IDENTITY_KEY, GLOBAL_SERVICES_KEY, IDENTITY_HUB_KEY } from '../../api/cluster-identity.ts'
import { TRUST_DOMAIN_KEY } from '../../api/identity.ts'
import type { ConfigMap } from '../../api/resources.ts'
import { trustData } from '../trust.ts'
import type { Action } from './action.ts'
import type { Desired } from './desired.ts'
import { isOurs, type Observed } from './observed.ts'
import { withUnheardTrust } from './observed-trust.ts'

/** Whether another hub has said who the member is: two that write into one member undo each other's work for ever. */
export function isElsewhere({ identity }: Pick<Observed, 'identity'>, hub: string): boolean {
  const by = identity?.data?.[IDENTITY_HUB_KEY]
  return by !== undefined && by !== hub
}

/** Tells the member who it is. */
export function planIdentity(
  { namespace, clusterKey, trustDomain, globalServices, hub }: Desired,
  { identity }: Observed,
): readonly Action[] {
  if (clusterKey === undefined) {
    if (identity === undefined || !isOurs(identity)) return []
    return [{ do: 'removeIdentity', namespace, uid: identity.metadata.uid ?? '' }]
  }
  const data = {
    [CLUSTER_IDENTITY_KEY]: clusterKey,
    [IDENTITY_HUB_KEY]: hub,
    [GLOBAL_SERVICES_KEY]: String(globalServices),
    ...(trustDomain === undefined ? {} : { [TRUST_DOMAIN_KEY]: trustDomain }),
  }
  // A namespace that is missing makes it fail, which tells what is wrong with the member.
  return says(identity, data, IDENTITY_KEYS) ? [] : [{ do: 'applyIdentity', namespace, data }]
}

const IDENTITY_KEYS = [CLUSTER_IDENTITY_KEY, IDENTITY_HUB_KEY, GLOBAL_SERVICES_KEY, TRUST_DOMAIN_KEY]

/** Tells the member whom it may trust. */
export function planTrust(
  { namespace, trust, unheard }: Desired,
  { trust: there }: Pick<Observed, 'trust'>,
): readonly Action[] {
  if (!there.readable) return []
  const { object } = there
  if (trust === undefined) {
    if (object === undefined || !isOurs(object)) return []
    return [{ do: 'removeTrust', namespace, uid: object.metadata.uid ?? '' }]
  }
  const data = trustData(withUnheardTrust(trust, object, unheard))
  return says(object, data, Object.keys(data)) ? [] : [{ do: 'applyTrust', namespace, data }]
}

/** Whether a ConfigMap is the hub's and says just this under the keys. */
const says = (
  object: ConfigMap | undefined,
  data: Readonly<Record<string, string>>,
  keys: readonly string[],
): boolean => object !== undefined && isOurs(object) && keys.every((key) => object.data?.[key] === data[key])
