import type { Issue } from '../../api/issue.ts'
import { EGRESS_SERVICE_ACCOUNT } from '../../api/names.ts'
import type { ServiceImport } from '../../api/service-import.ts'
import { derivedAddresses, derivedName } from '../../compiler/derived.ts'
import { isHeadless } from '../../compiler/dns-names.ts'
import { keyOf } from '../../compiler/keys.ts'
import type { Tables } from '../../compiler/tables.ts'
import type { World } from '../../compiler/world.ts'

/** What becomes of calls of pods without a sidecar. */
export type WithoutSidecar =
  | { readonly by: 'egress'; readonly service: string; readonly addresses: readonly string[]; readonly account: string }
  /** The policy asks for a sidecar. */
  | { readonly by: 'nobody' }
  /** The egress has no room for it. */
  | { readonly by: 'no room' }
  /** The Service that they would call is not there, or not ours. */
  | { readonly by: 'nothing yet' }

/** Nothing where there is no egress, and of an import that has no address for all. */
export function withoutSidecar(
  world: World,
  { egress, issues }: Pick<Tables, 'egress' | 'issues'>,
  object: ServiceImport,
): WithoutSidecar | undefined {
  const { egressNamespace } = world.mesh
  if (egress === undefined || egressNamespace === undefined || isHeadless(object)) return undefined
  const key = keyOf(object)
  if (world.policies.get(key)?.spec.requireSidecar) return { by: 'nobody' }
  const isLeftOut = (issue: Issue) => issue.code === 'EgressFull' && keyOfIssue(issue) === key
  if (issues.some(isLeftOut)) return { by: 'no room' }
  const addresses = derivedAddresses(world.services, key)
  const isServed = egress.listeners.some(({ service }) => service === key)
  if (!isServed || addresses.length === 0) return { by: 'nothing yet' }
  return {
    by: 'egress',
    service: `${key.split('/')[0]}/${derivedName(key)}`,
    addresses,
    account: `${egressNamespace}/${EGRESS_SERVICE_ACCOUNT}`,
  }
}

const keyOfIssue = ({ object }: Issue): string => `${object.namespace}/${object.name}`

export function withoutSidecarText(found: WithoutSidecar): string {
  switch (found.by) {
    case 'egress':
      return `They call it at ${found.addresses.join(' and ')} (Service ${found.service}) through the egress: whichever pod calls, exporters see ${found.account}.`
    case 'nobody':
      return 'They are refused a connection: the policy says requireSidecar.'
    case 'no room':
      return 'They are refused a connection: the egress has no room for it.'
    case 'nothing yet':
      return 'They cannot call it (yet): it has no Service of its own that leads to the egress.'
  }
}
