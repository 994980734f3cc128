import type { Diagnostic } from '../issue.ts'

/** What compilation has to say about exports, imports and policies. A code is also the Reason of a status condition. */
export const ROUTING = {
  // Policies
  Accepted: {
    level: 'info',
    sentence: 'the policy is in force',
    fix: 'nothing to do',
  },
  PolicyWithoutImport: {
    level: 'warning',
    sentence:
      'there is no ServiceImport {namespace}/{name}, so the policy routes nothing and the name means what the cluster says',
    fix: 'import the service under this name, or delete the policy',
  },
  FailOverWithoutTargets: {
    level: 'error',
    sentence: 'FailOver names no other cluster, so calls stay in this one',
    fix: 'name at least one other cluster in spec.targets',
  },
  TargetsHaveNoEffect: {
    level: 'warning',
    sentence: 'targets have no effect with lbType Locality',
    fix: 'choose FailOver or ActiveActive, or remove spec.targets',
  },
  TargetExportsNothing: {
    level: 'warning',
    sentence: 'cluster {value} exports nothing of this service, so it gets no traffic',
    fix: 'export the service there, or remove the target',
  },
  NoBackend: {
    level: 'warning',
    sentence: 'no cluster takes calls to port {port}: they are answered with 503',
    fix: 'export the service in a cluster that is named with a weight above 0, or deploy it here',
  },
  // Imports
  Routed: {
    level: 'info',
    sentence: 'sidecars route {ports} by {policy}',
    fix: 'nothing to do',
  },
  LocalOnly: {
    level: 'info',
    sentence: 'no policy routes this name, so it means the Service of this cluster',
    fix: 'create a GlobalTrafficPolicy of the same name to use other clusters',
  },
  Refused: {
    level: 'info',
    sentence: 'no policy routes this name and this cluster has no such Service, so connections are refused',
    fix: 'create a GlobalTrafficPolicy of the same name to use other clusters',
  },
  PortNotRouted: {
    level: 'warning',
    sentence: 'port {port} speaks {value}, and only HTTP is routed so far',
    fix: 'call this port by another name, or set appProtocol to http when it is HTTP after all',
  },
  NothingToRoute: {
    level: 'warning',
    sentence: 'none of the ports speaks HTTP, so the policy routes nothing and the name means what the cluster says',
    fix: 'set appProtocol to http on the ports that are HTTP after all',
  },
  EndpointWithoutAddress: {
    level: 'error',
    sentence: 'an endpoint of cluster {value} has neither host nor ip, so it is skipped',
    fix: 'set target.host to the address of that gateway',
  },
  AddressReplaced: {
    level: 'warning',
    sentence: 'address {value} is not usable ({why}), so {vip} takes its place',
    fix: 'leave spec.ips to Portolan',
  },
  AddressesExhausted: {
    level: 'error',
    sentence: 'no address is left in {range}, so the import is not routed',
    fix: 'delete imports or install with a wider range',
  },
  // Exports
  Valid: {
    level: 'info',
    sentence: 'the gateway serves {paths}',
    fix: 'nothing to do',
  },
  ServiceNotFound: {
    level: 'error',
    sentence: 'there is no Service {namespace}/{name}, so nothing is exported',
    fix: 'create the Service, or delete the export',
  },
  ServiceIsExternalName: {
    level: 'error',
    sentence: 'Service {namespace}/{name} is of type ExternalName, which has no endpoints here to export',
    fix: 'export a Service with a selector instead',
  },
  ServicePortNotFound: {
    level: 'error',
    sentence: 'the Service has no TCP port {value}',
    fix: 'use one of its ports: {ports}',
  },
  PortNotExported: {
    level: 'warning',
    sentence: 'port {port} speaks {value}, and the gateway serves only HTTP so far',
    fix: 'leave the port out, or set appProtocol to http when it is HTTP after all',
  },
  PathConflict: {
    level: 'error',
    sentence: 'path {value} is already served for {owner}, which is older',
    fix: 'choose another path, or remove it there',
  },
  PathNeverMatches: {
    level: 'error',
    sentence:
      'the gateway can never see path {value}: it resolves dots and double slashes and knows no query or fragment',
    fix: 'write it as the gateway sees it, for example {example}',
  },
  PathRewriteInvalid: {
    level: 'error',
    sentence: 'pathRewrite {value} cannot be used: {why}',
    fix: 'write an RE2 expression, and name only groups that it has',
  },
  BalancingNotHonoured: {
    level: 'info',
    sentence: '{value} is not honoured yet: requests are spread in turn',
    fix: 'nothing to do',
  },
  // Scope and size
  ScopeNotUnderstood: {
    level: 'warning',
    sentence: '{value} is not an import, so it is left out of the scope',
    fix: 'write a list of namespace/name and namespace/*',
  },
  TableTooLarge: {
    level: 'error',
    sentence:
      'the routing table is {size} kB of at most {limit} kB, so the last good one stays; the largest parts are {largest}',
    fix: 'narrow what this namespace imports with annotation flomesh.io/imports',
  },
} as const satisfies Record<string, Diagnostic>

export type RoutingCode = keyof typeof ROUTING
