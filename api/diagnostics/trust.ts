import type { Diagnostic } from '../issue.ts'

/** Who vouches for a member, in the words of the hub, and what keeps the compiler from telling who may call whom. A code is also the Reason of condition Trusted, or of an Event. */
export const TRUST = {
  RootsKnown: {
    level: 'info',
    sentence: 'the members know it as {trustDomain}, by {count} of its roots; the first of them expires at {first}',
    fix: 'Nothing to do',
  },
  TrustDomainPending: {
    level: 'info',
    sentence:
      'its roots are known for {trustDomain}, and its certificates are still of {current}; until they are renewed, calls to it are neither encrypted nor authenticated',
    fix: 'Wait a few seconds; when it stays, look at the identity server there',
  },
  IdentityMissing: {
    level: 'info',
    sentence:
      'there is no ConfigMap {source}, so nobody vouches for it: calls between it and others are neither encrypted nor authenticated',
    fix: 'Upgrade the chart there, or set its value identity.enabled',
  },
  IdentityUnreadable: {
    level: 'warning',
    sentence:
      'the hub may not read ConfigMap {source} there, so that it learns nothing about its roots, and tells it nothing about those of others',
    fix: 'Upgrade the chart there: role portolan-member of this release allows it',
  },
  RootsRefused: {
    level: 'warning',
    sentence: 'ConfigMap {source} there is refused: {problem}; of what it said before, {count} roots stay in force',
    fix: 'Look at the identity server there: it alone should write that ConfigMap',
  },
  TrustDomainTooLong: {
    level: 'warning',
    sentence: 'with its suffix its name is too long for a trust domain, so nobody can vouch for it',
    fix: 'Register the cluster by a shorter name',
  },
  RootAdded: {
    level: 'info',
    sentence: 'root {fingerprint} vouches for {trustDomain} from now on, until {expires}',
    fix: 'Nothing to do when the cluster has just joined or changes its root; else find out who made it',
  },
  RootRemoved: {
    level: 'info',
    sentence: 'root {fingerprint} does not vouch for {trustDomain} any more',
    fix: 'Nothing to do',
  },
  GatewayShared: {
    level: 'warning',
    sentence: 'Cluster {other} has the same gateway, {gateway}: calls for one of them arrive at the other',
    fix: 'Correct spec.gatewayHost or spec.gatewayPort of one of the two',
  },
  SmiKindsMissing: {
    level: 'warning',
    sentence:
      'permissive mode is off, and {kinds} cannot be read ({why}), so nobody may call anything that is routed between clusters',
    fix: 'Install the kinds of SMI (chart value crds.smi), or set spec.traffic.enablePermissiveTrafficPolicyMode to true',
  },
} as const satisfies Record<string, Diagnostic>
