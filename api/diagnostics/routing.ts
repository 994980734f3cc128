import type { Diagnostic } from '../issue.ts'

/** What compilation has to say beyond validation. A code is also the Reason of a status condition. */
export const ROUTING = {
  // GlobalTrafficPolicy.
  Accepted: {
    level: 'info',
    sentence: 'the policy is in force as {policy}',
    fix: 'See status.targets for who takes calls',
  },
  AcceptedUnsteered: {
    level: 'info',
    sentence: 'the policy is in force and leaves open where calls go, so they go where they would without it',
    fix: 'Set spec.lbType to have it decide',
  },
  TargetsResolved: {
    level: 'info',
    sentence: 'every target exports the service',
    fix: 'See status.targets for who takes calls',
  },
  PolicyWithoutImport: {
    level: 'warning',
    sentence:
      'there is no ServiceImport {namespace}/{name} (yet), so the policy routes nothing and the name keeps its plain meaning',
    fix: 'Name the policy after the import, or wait for a cluster to export the service',
  },
  TargetExportsNothing: {
    level: 'warning',
    sentence: 'cluster {value} does not export {namespace}/{name} (yet), so calls go to the others',
    fix: 'Export the service there, or correct the cluster key',
  },
  ClusterKeyChanged: {
    level: 'warning',
    sentence: 'no cluster goes by the key {value} any more: the cluster of that name has the key {now}',
    fix: 'Write {now} in its place',
  },
  NoBackend: {
    level: 'warning',
    sentence:
      'no cluster takes calls to port {port}: they are answered with 503, connections that are not HTTP are closed',
    fix: 'Deploy the service here, or export it in a cluster whose weight is above 0',
  },

  // ServiceImport.
  Routed: {
    level: 'info',
    sentence: 'sidecars route port {ports} by {policy}',
    fix: 'See the status of the policy for who takes calls',
  },
  RoutedGlobally: {
    level: 'info',
    sentence: 'sidecars route port {ports} as the annotations of the Service say: {how}',
    fix: 'Set annotation service.cilium.io/affinity to change whose pods come first, or create a GlobalTrafficPolicy of the same name for more',
  },
  RoutedAcross: {
    level: 'info',
    sentence:
      "sidecars route port {ports} by {how} when it is called by the clusterset's name; the plain one keeps its meaning",
    fix: 'Create a GlobalTrafficPolicy of the same name to decide otherwise',
  },
  HeadlessNotRouted: {
    level: 'info',
    sentence:
      'the service is headless, so it has no address of its own: its names answer the addresses of pods, and calls of these leave a cluster only where the networks of pods are one',
    fix: 'Give the Services a ClusterIP to call them across clusters whose pods have no common network',
  },
  NothingShared: {
    level: 'warning',
    sentence: 'no port is TCP, so no calls go to other clusters and the name keeps its plain meaning',
    fix: 'Reach these ports by another name',
  },
  LocalOnly: {
    level: 'info',
    sentence: "no policy routes this name, so it means this cluster's own Service",
    fix: 'Create a GlobalTrafficPolicy of the same name to use other clusters',
  },
  Refused: {
    level: 'info',
    sentence: 'no policy routes this name and this cluster has no such Service, so connections are refused',
    fix: 'Create a GlobalTrafficPolicy of the same name to use other clusters',
  },
  ExporterJoined: {
    level: 'info',
    sentence: 'cluster {value} exports the service now',
    fix: 'Nothing to do',
  },
  ExporterLeft: {
    level: 'info',
    sentence: 'cluster {value} exports the service no more',
    fix: 'Nothing to do',
  },
  PortNotRouted: {
    level: 'warning',
    sentence: 'port {port} is {value}, and only TCP is routed',
    fix: 'Reach this port by another name',
  },
  NothingToRoute: {
    level: 'warning',
    sentence: 'no port is TCP, so the policy routes nothing and the name keeps its plain meaning',
    fix: 'Reach these ports by another name',
  },
  ExporterWithoutIdentity: {
    level: 'warning',
    sentence:
      'port {port} speaks {spoken}, which is not HTTP and crosses clusters only under mutual TLS, and cluster {value} has no identity that is known here, so it gets no connections',
    fix: 'Install both clusters with identity.enabled and wait for the hub to spread their roots, or set appProtocol: http on the port when it is HTTP after all',
  },
  EndpointWithoutAddress: {
    level: 'error',
    sentence: 'the endpoint of cluster {value} has neither host nor ip, so it is skipped',
    fix: 'Set target.host to the address of that gateway',
  },
  AddressReplaced: {
    level: 'warning',
    sentence: 'address {value} cannot be used ({why}), so {vip} takes its place',
    fix: 'Leave spec.ips to Portolan',
  },
  AddressesExhausted: {
    level: 'error',
    sentence: 'no address is left in {range}, so the import is not routed',
    fix: 'Delete imports, or install with a wider range',
  },

  // ServiceExport.
  Valid: {
    level: 'info',
    sentence: 'the gateway serves {paths}',
    fix: 'Import the service in another cluster to call it by name',
  },
  PodsReady: {
    level: 'info',
    sentence: 'ready pods answer on every port that the gateway serves',
    fix: 'Nothing to do',
  },
  NoReadyPods: {
    level: 'warning',
    sentence:
      'no pod of the Service is ready on port {ports}, so the gateway answers calls there with 503, and closes connections that are not HTTP',
    fix: 'Look at the pods that the Service selects, and at their readiness; callers who may use other clusters do so meanwhile',
  },
  NothingToServe: {
    level: 'error',
    sentence: 'no port of the Service can be served, so the gateway serves nothing',
    fix: 'Give the Service a port of protocol TCP',
  },
  PortNotServed: {
    level: 'warning',
    sentence: 'port {port} is {value}, and gateways serve only TCP',
    fix: 'Leave the port out',
  },
  StreamWithoutIdentity: {
    level: 'warning',
    sentence:
      'port {port} speaks {value}, which is not HTTP and crosses clusters only under mutual TLS, and this cluster has no identity, so the gateway does not serve it',
    fix: 'Install with identity.enabled, or set appProtocol: http on the port when it is HTTP after all',
  },
  PathOfStream: {
    level: 'warning',
    sentence: 'path {value} has no effect: port {port} speaks {spoken}, which has no paths',
    fix: 'Leave the path out, or set appProtocol: http on the port when it is HTTP after all',
  },
  PathConflict: {
    level: 'error',
    sentence: 'path {value} is served for the older ServiceExport {owner}, so this one gets no calls there',
    fix: 'Choose another path, or remove it there',
  },
  PathInTheWay: {
    level: 'error',
    sentence:
      'path {value} would take calls of {path}, which is served for ServiceExport {owner} of another namespace, so this one gets no calls there',
    fix: 'Choose a path that is neither inside nor around it: those below /{namespace} are yours',
  },
  RewriteUnusable: {
    level: 'error',
    sentence: 'no gateway would take the rewrite: {why}',
    fix: 'Write an RE2 expression in from, and name only its groups in to',
  },
  ExactNotImportable: {
    level: 'warning',
    sentence:
      'other clusters put {value} in front of the path of each call, which Exact never matches, so only direct calls of the gateway reach it',
    fix: 'Use pathType: Prefix for what other clusters import',
  },
  PathNeverMatches: {
    level: 'error',
    sentence:
      'gateways never see path {value}: they resolve dots and double slashes, and match neither query nor fragment',
    fix: 'Write the path as it is after that, with a slash in front',
  },

  // What proxies say they run.
  Programmed: {
    level: 'info',
    sentence: '{count} of {count} sidecars run it',
    fix: 'Nothing to do',
  },
  NoProxies: {
    level: 'info',
    sentence: 'no pod with a sidecar is here to run it',
    fix: 'Nothing to do: pods start with it',
  },
  Propagating: {
    level: 'info',
    sentence: '{count} sidecars are being asked whether they run it',
    fix: 'Wait: files reach pods within 90 s, within a second when the compiler nudges them',
  },
  ProxyUnreachable: {
    level: 'warning',
    sentence: '{silent} of {count} sidecars could not be asked at port 15090 whether they run it: {pods}',
    fix: "Allow TCP from Portolan's namespace to port 15090 of these pods where a NetworkPolicy forbids it, else look whether they are healthy; routing does not depend on it",
  },
  ProxyBehind: {
    level: 'warning',
    sentence: '{running} of {count} sidecars run it, not so {pods}',
    fix: 'Look whether these pods are healthy and can be reached at port 15090; a pod that is created anew starts with it',
  },
  ProxyRefuses: {
    level: 'error',
    sentence: '{refusing} of {count} sidecars refuse it and keep what they ran before: {pods}',
    fix: 'Report it with the log of container portolan-proxy of one of them',
  },

  // Who the cluster is.
  ClusterIdentityMalformed: {
    level: 'warning',
    sentence: '{value} is not a cluster key, so this cluster goes by the one it was installed with, {own}',
    fix: 'Leave the ConfigMap to the hub; delete it where there is none',
  },
  IdentityRequired: {
    level: 'warning',
    sentence: '{value} has no identity that this cluster knows, so it gets no calls: identity.required is set',
    fix: 'Enable identity there, and see that both clusters are members of one hub; or unset identity.required here',
  },
  SidecarWithoutIdentity: {
    level: 'warning',
    sentence:
      'its sidecar was made before sidecars had identities, so what it calls in other clusters is plain HTTP, which some exports refuse',
    fix: 'Restart the workload',
  },
  TrustUnreadable: {
    level: 'warning',
    sentence: 'it cannot be told whom to believe: {why}. Proxies go on believing whom they believed before',
    fix: 'Leave the ConfigMap to Portolan, which writes it again; the log of its identity server or of the hub says more',
  },

  // Scope and size.
  ScopeNotUnderstood: {
    level: 'warning',
    sentence: '{value} names no import, so it is left out of the scope',
    fix: 'Write a list of namespace/name and namespace/*',
  },
  TableTooLarge: {
    level: 'error',
    sentence:
      'the table takes {size} kB of at most {limit} kB, so the last good one stays; the largest parts are {largest}',
    fix: 'Narrow what the namespace imports by annotation flomesh.io/imports, or export less',
  },
  GatewayFull: {
    level: 'error',
    sentence:
      'the gateway has no room for its {size} kB: its ConfigMap holds {limit} kB, and the exports of namespace {namespace} take most of them, so this one gets no calls',
    fix: 'List fewer rules and clients, or export less',
  },
  SidecarsFull: {
    level: 'error',
    sentence:
      'the sidecars of {callers} have no room for it: their ConfigMap holds {limit} kB, and imports of namespace {namespace} take most of them, so calls from there fail',
    fix: 'Narrow what these namespaces import by annotation flomesh.io/imports, or export less',
  },
  NobodyMayCall: {
    level: 'warning',
    sentence:
      'port {port} in {cluster} takes no calls: permissive mode is off, and no TrafficTarget has {account} for its destination',
    fix: 'Write a TrafficTarget in namespace {namespace}, or set spec.traffic.enablePermissiveTrafficPolicyMode of the MeshConfig to true',
  },
  NobodyIsServed: {
    level: 'warning',
    sentence:
      'permissive mode is off, and no TrafficTarget has {account} for its destination, so the gateway refuses all calls to {ports}',
    fix: 'Write a TrafficTarget in namespace {namespace}, or set spec.traffic.enablePermissiveTrafficPolicyMode of the MeshConfig to true',
  },
  RulePathRewritten: {
    level: 'warning',
    sentence:
      'the rules of TrafficTargets match paths that the application sees, which the gateway cannot tell before spec.pathRewrite has made them; rules with pathRegex let nobody in',
    fix: 'Remove pathRegex from those rules, or spec.pathRewrite',
  },
  TrafficTargetElsewhere: {
    level: 'warning',
    sentence:
      'the destination is in namespace {value}, so the TrafficTarget has no effect: each namespace lets in its own callers',
    fix: 'Move it to the namespace of its destination',
  },
  SmiIdentityUnknown: {
    level: 'warning',
    sentence: 'this is no ServiceAccount with a name, so it stands for nobody',
    fix: 'Write kind: ServiceAccount, name and namespace',
  },
  SmiRouteMissing: {
    level: 'warning',
    sentence: 'there is no {kind} {value} in the namespace of the TrafficTarget, so the rule is for no calls',
    fix: 'Create it, or correct the name',
  },
  SmiMatchRefused: {
    level: 'warning',
    sentence:
      'match {value} of HTTPRouteGroup {group} has an expression, a method or a header that proxies would not take, so it is for no calls',
    fix: 'Write RE2 expressions of at most 512 characters, methods in capitals, and names of headers',
  },
} as const satisfies Record<string, Diagnostic>
