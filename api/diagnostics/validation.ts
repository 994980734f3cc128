import type { Diagnostic } from '../issue.ts'

/** What can be wrong with an object of ours before anybody acts on it. */
export const VALIDATION = {
  // Any field of any kind.
  FieldUnknown: { level: 'error', sentence: '{parent} has no field {field}', fix: 'Remove it{hint}' },
  FieldRequired: { level: 'error', sentence: 'the field is missing', fix: 'Set it: {meaning}' },
  TypeWrong: { level: 'error', sentence: '{value} is not {expected}', fix: '{remedy}' },
  EnumUnknown: {
    level: 'error',
    sentence: '{value} is none of the allowed values',
    fix: 'Write {remedy}',
  },
  NumberOutOfRange: {
    level: 'error',
    sentence: '{value} is not between {min} and {max}',
    fix: 'Write a number from {min} to {max}',
  },
  TextEmpty: { level: 'error', sentence: '{value} is empty', fix: 'Write a value, or remove the field' },
  TextTooLong: { level: 'error', sentence: '{value} has {count} characters', fix: 'Keep to {max} characters' },
  ListTooLong: { level: 'error', sentence: '{count} entries are listed', fix: 'Keep to {max} entries' },
  EntryDuplicate: { level: 'error', sentence: '{value} is listed more than once', fix: 'List it once' },
  NameMissing: { level: 'error', sentence: 'the object has no name', fix: 'Set metadata.name' },
  NameMalformed: {
    level: 'error',
    sentence: '{value} is not a name that Kubernetes takes',
    fix: 'Use lower-case letters, digits, - and ., for example {suggestion}',
  },

  // Cluster keys, wherever they stand.
  ClusterKeyMalformed: {
    level: 'error',
    sentence: '{value} is not a cluster key',
    fix: 'Write region/zone/group/name, for example {suggestion}',
  },
  KeyPartMalformed: {
    level: 'error',
    sentence: '{value} cannot be part of a cluster key',
    fix: 'Use letters, digits, -, _ and ., with a letter or digit at both ends',
  },

  // GlobalTrafficPolicy.
  LocalityWithTargets: {
    level: 'error',
    sentence: 'lbType Locality keeps every call in this cluster, but {count} targets are listed',
    fix: 'Remove spec.targets, or set spec.lbType to FailOver or ActiveActive',
  },
  LocalityTargetIgnored: {
    level: 'warning',
    sentence: 'lbType Locality keeps every call in this cluster, so the target has no effect',
    fix: 'Remove spec.targets, or set spec.lbType to FailOver or ActiveActive',
  },
  FailOverNeedsTargets: {
    level: 'error',
    sentence: 'FailOver without targets has nowhere to go when the local Service fails',
    fix: 'List at least one cluster in spec.targets',
  },
  TargetDuplicate: {
    level: 'error',
    sentence: '{value} is listed more than once',
    fix: 'List each cluster once',
  },
  AllWeightsZero: {
    level: 'error',
    sentence: 'every target has weight 0, so no call could go anywhere',
    fix: 'Give at least one target a weight above 0',
  },
  PriorityIgnored: {
    level: 'warning',
    sentence: 'only FailOver has an order of targets, so the priority has no effect with {lbType}',
    fix: 'Remove it, or set spec.lbType to FailOver',
  },

  HeadlessNotSteered: {
    level: 'warning',
    sentence: '{namespace}/{name} is headless: callers go to the addresses of pods, so no policy has an effect',
    fix: 'Remove the policy, or export Services with a clusterIP',
  },

  // ServiceExport.
  PathWithoutSlash: { level: 'error', sentence: '{value} does not start with a slash', fix: 'Write {suggestion}' },
  PathCharacters: {
    level: 'error',
    sentence: '{value} has characters a path cannot have: {characters}',
    fix: "Use letters, digits, / and -._~!$&'()+,;=:@; a path matches literally, without query, fragment, escapes and wildcards",
  },
  PathSegments: {
    level: 'error',
    sentence: '{value} has an empty or a dot segment, which proxies take out before they match',
    fix: 'Write {suggestion}',
  },
  PathEndsWithSlash: {
    level: 'error',
    sentence: '{value} ends with a slash, but a Prefix matches whole path elements',
    fix: 'Write {suggestion}, or set pathType: Exact',
  },
  PathDuplicate: {
    level: 'error',
    sentence: '{value} is the path of another rule too',
    fix: 'Give each rule a path of its own',
  },
  PathTaken: {
    level: 'warning',
    sentence: '{value} is a path of ServiceExport {owner} too, which is older, so the rule is not served',
    fix: 'Choose another path, or remove the other export',
  },
  PathOverlaps: {
    level: 'warning',
    sentence:
      '{value} would take calls of {path}, which ServiceExport {owner} of another namespace has, so the rule is not served',
    fix: 'Choose a path that is neither inside nor around it: those below /{namespace} are yours',
  },
  RewriteInvalid: {
    level: 'error',
    sentence: '{value} is not a regular expression of RE2: {problem}',
    fix: 'Correct it; RE2 has no look-around and no back-references, and a path has printable ASCII alone',
  },
  RewriteTooLarge: {
    level: 'error',
    sentence: '{value} is more than proxies take: {problem}',
    fix: 'Repeat less often, or leave the number of repetitions open with * or +',
  },
  RewriteGroupMissing: {
    level: 'error',
    sentence: '{value} uses group {group}, but `from` has {groups}',
    fix: 'Use a group that `from` has, or add parentheses there',
  },
  RewriteEscape: {
    level: 'error',
    sentence: '{value} has {escape}, which stands for nothing in a replacement',
    fix: 'Write {suggestion}',
  },
  RewriteCharacters: {
    level: 'error',
    sentence: '{value} has a space, a control character, ? or #, which a path cannot have',
    fix: 'Leave it out; the query is kept as it is',
  },
  RewriteLosesSlash: {
    level: 'warning',
    sentence: '{value} turns a call of {path} into {result}, which is not a path',
    fix: 'Make the result start with a slash, for example by from: {from}, to: /',
  },
  ServiceAccountNameMalformed: {
    level: 'error',
    sentence: '{value} is not the name of a service account',
    fix: 'Write its name, or * for any',
  },
  ClientListEmpty: {
    level: 'error',
    sentence: 'an empty list lets nobody in',
    fix: 'Remove the field to let in {everybody}, or list who may call',
  },
  ClientUnnamed: {
    level: 'error',
    sentence: 'the entry names nobody',
    fix: 'List clusters, namespaces or serviceAccounts, clusters: ["*"] for whoever has a certificate',
  },
  ClientPatternMalformed: {
    level: 'error',
    sentence: '{value} matches nothing',
    fix: '{remedy}',
  },
  ClientCovered: {
    level: 'warning',
    sentence: 'another entry lets in whoever has a certificate, so this one has no effect',
    fix: 'Remove one of the two',
  },
  ClientClusterUnknown: {
    level: 'warning',
    sentence: '{value} means no cluster with an identity, so it lets nobody in (yet)',
    fix: 'Wait for the cluster to join{hint}',
  },
  ExportWithoutService: {
    level: 'warning',
    sentence: 'there is no Service {namespace}/{name} (yet), so nothing is exported',
    fix: 'Create the Service, or give the export its name',
  },
  ExportOfExternalName: {
    level: 'warning',
    sentence: 'the Service is of type ExternalName, which has no pods that a gateway could serve',
    fix: 'Export a Service with a selector',
  },
  PortNotInService: {
    level: 'warning',
    sentence: '{value} is no port of the Service, which has {ports}',
    fix: 'Write one of its ports (port, not targetPort)',
  },

  // ServiceExport of the standard.
  WordNameMalformed: {
    level: 'error',
    sentence: '{value} cannot be the name of a label or an annotation',
    fix: 'Use up to 63 letters, digits, -, _ and ., with a letter or digit at both ends; a domain and a slash may stand in front',
  },
  LabelValueMalformed: {
    level: 'error',
    sentence: '{value} cannot be the value of a label',
    fix: 'Use up to 63 letters, digits, -, _ and ., with a letter or digit at both ends, or make it an annotation',
  },

  // Cluster.
  GatewayHostMalformed: {
    level: 'error',
    sentence: '{value} is neither an IP address nor a DNS name',
    fix: 'Write the bare address that other clusters reach the gateway at, without scheme, port or path',
  },
  GatewayHostUnreachable: {
    level: 'error',
    sentence: '{value} means something else on every machine ({what})',
    fix: 'Write the address that other clusters reach the gateway at',
  },
  KubeconfigMissing: {
    level: 'error',
    sentence: 'no kubeconfig says how to reach the API server',
    fix: 'Name a Secret in spec.kubeconfigSecretRef, or put the kubeconfig in spec.kubeconfig',
  },
  KubeconfigTwice: {
    level: 'error',
    sentence: 'kubeconfig and kubeconfigSecretRef are both set and could disagree',
    fix: 'Keep spec.kubeconfigSecretRef and remove spec.kubeconfig',
  },
  KubeconfigInline: {
    level: 'warning',
    sentence: 'everyone who may read this object may use the credentials in it',
    fix: 'Put the kubeconfig in a Secret and name it in spec.kubeconfigSecretRef',
  },
  KubeconfigBroken: {
    level: 'error',
    sentence: 'the text is not a usable kubeconfig: {problem}',
    fix: 'Take it from `kubectl config view --raw --minify --flatten`',
  },
  KubeconfigNotSelfContained: {
    level: 'error',
    sentence: 'the kubeconfig uses {field}, which only the machine it was made on has',
    fix: 'Embed a token or certificates: `kubectl config view --raw --minify --flatten`',
  },
  KubeconfigLoopback: {
    level: 'warning',
    sentence: 'the kubeconfig names {server}, which means something else on every machine',
    fix: 'Write the address that the hub reaches the API server at',
  },

  // ServiceImport.
  PortDuplicate: {
    level: 'error',
    sentence: '{value} is listed more than once',
    fix: 'Merge the endpoints into one entry',
  },
  ProtocolNotRouted: {
    level: 'warning',
    sentence: '{value} is not routed between clusters, so the port has no effect',
    fix: 'Remove the port',
  },
  AddressMalformed: {
    level: 'error',
    sentence: '{value} is not an IP address',
    fix: 'Remove it, an address is assigned',
  },
  EndpointAddressMissing: {
    level: 'error',
    sentence: 'no address says where the gateway is',
    fix: 'Set host (IP address or DNS name) or ip',
  },
  EndpointAddressMalformed: {
    level: 'error',
    sentence: '{value} is not the IP address of a gateway',
    fix: 'Write one that this cluster can reach, or name the gateway in host',
  },

  // MeshConfig.
  RangeMalformed: {
    level: 'error',
    sentence: '{value} is not a range of addresses',
    fix: 'Write address/bits, for example {suggestion}',
  },
  InterfaceMalformed: {
    level: 'error',
    sentence: '{value} is not the name of a network interface',
    fix: 'Write it as ip link does, or the beginning of one and a plus, for example net1 or tun+',
  },
  AmountMalformed: {
    level: 'error',
    sentence: '{value} is not an amount above zero',
    fix: 'Write it as in a container, for example 100m or 128Mi',
  },
} as const satisfies Record<string, Diagnostic>
