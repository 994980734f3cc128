import { type Static, Type } from 'typebox'
import { cel, clientPatterns, clusterKey, gatewayPath, inALine, port } from './fields.ts'
import { ConditionsSchema, type Custom } from './meta.ts'

export const PATH_TYPES = ['Prefix', 'Exact'] as const
export const LOAD_BALANCERS = ['RoundRobinLoadBalancer', 'HashingLoadBalancer', 'LeastWorkLoadBalancer'] as const
export type LoadBalancer = (typeof LOAD_BALANCERS)[number]

export const RATE_LIMIT_PERIODS = ['Second', 'Minute', 'Hour'] as const
export type RateLimitPeriod = (typeof RATE_LIMIT_PERIODS)[number]
/** Of a rateLimit. */
export const MOST_REQUESTS = 1_000_000

const RuleSchema = Type.Object(
  {
    portNumber: port('Port of the Service.'),
    path: Type.Optional(
      gatewayPath(
        'Path at the gateway, literally. No two rules of a cluster may have the same, nor one inside or around that of another namespace. Unset = /<namespace>/<name>/<port>. A port that is not HTTP has none.',
      ),
    ),
    pathType: Type.Optional(
      Type.Enum([...PATH_TYPES], {
        description: 'Prefix matches whole path elements (/a matches /a and /a/b, not /ab); Exact matches path alone.',
        default: 'Prefix',
      }),
    ),
  },
  {
    description: 'One port, if it is HTTP at one path of the gateway.',
    ...cel({
      rule: "!has(self.path) || self.path == '/' || self.pathType == 'Exact' || !self.path.endsWith('/')",
      message: 'a Prefix matches whole path elements and ends without a slash; remove the slash at the end',
      messageExpression:
        "'\"' + self.path + '\" ends with a slash, but a Prefix matches whole path elements; remove the slash at the end or set pathType: Exact'",
      fieldPath: '.path',
    }),
  },
)

const AllowedClientSchema = Type.Object(
  {
    clusters: Type.Optional(
      clientPatterns(
        'clusters',
        'Clusters that the caller may be in, by name or by whole key; `*` stands for any letters of a part. Unset = any.',
      ),
    ),
    namespaces: Type.Optional(
      clientPatterns('namespaces', 'Namespaces that the caller may be in; `*` stands for any letters. Unset = any.'),
    ),
    serviceAccounts: Type.Optional(
      clientPatterns(
        'serviceAccounts',
        'Service accounts that the caller may run as, without namespace; `*` stands for any letters. Unset = any.',
      ),
    ),
  },
  {
    description: 'Callers whom all of its lists let in.',
    ...cel({
      // A misspelt list is dropped before anybody sees it, and must not leave an entry that lets in everybody.
      rule: 'has(self.clusters) || has(self.namespaces) || has(self.serviceAccounts)',
      message:
        'names nobody; list clusters, namespaces or serviceAccounts, clusters: ["*"] for whoever has a certificate',
    }),
  },
)

export const ServiceExportSpecSchema = Type.Object(
  {
    serviceAccountName: Type.Optional(
      Type.String({
        description: 'Service account that the exported workload runs as; * = any.',
        default: '*',
        minLength: 1,
        maxLength: 253,
        ...cel({
          rule: "self == '*' || self.matches('^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')",
          message: 'is not the name of a service account; write its name, or * for any',
        }),
      }),
    ),
    rules: Type.Optional(
      Type.Array(RuleSchema, {
        description:
          'Which ports the gateway serves, and where. Unset = every TCP port of the Service, those that are HTTP at /<namespace>/<name>/<port>.',
        maxItems: 64,
        'x-kubernetes-list-type': 'atomic',
        ...cel({
          rule: 'self.all(a, !has(a.path) || self.exists_one(b, has(b.path) && b.path == a.path))',
          message: 'two rules have the same path; give each rule a path of its own',
        }),
      }),
    ),
    pathRewrite: Type.Optional(
      Type.Object(
        {
          from: Type.String({
            description: 'RE2 regular expression, matched against the path that the gateway saw, without the query.',
            minLength: 1,
            maxLength: 512,
            ...cel(
              {
                // matches() fails on a bad expression, and `in` does not swallow the failure as || would.
                rule: "''.matches(self) in [true, false]",
                message:
                  'must be a regular expression of RE2, which has no look-around and no back-references; correct it',
              },
              {
                rule: String.raw`self.matches(r'^[ -~]*$') && !self.matches(r'\\x[{]0*[0-9A-Fa-f]{3,}[}]')`,
                message: 'has a character that no path has unless as %xx; write printable ASCII alone',
              },
            ),
          }),
          to: Type.String({
            description: 'What replaces each match. \\1 to \\9 stand for groups of `from`, \\0 for the whole match.',
            maxLength: 512,
            ...cel(
              {
                rule: String.raw`!self.matches(r'[$][{]?[0-9]') && self.matches(r'^([^\\]|\\[0-9\\])*$')`,
                message: 'has $ or \\ where it stands for nothing; write \\1 for a group and \\\\ for a backslash',
              },
              {
                rule: "!self.matches('[\\\\x00-\\\\x20?#]')",
                message:
                  'has a space, a control character, ? or #, which a path cannot have; leave it out, the query is kept as it is',
              },
            ),
          }),
        },
        {
          description:
            'How the path changes on its way to the workload. Unset = the matched prefix is stripped, so that the workload sees what a caller in its own cluster would send.',
        },
      ),
    ),
    loadBalancer: Type.Optional(
      Type.Enum([...LOAD_BALANCERS], {
        description:
          'How the gateway spreads calls over the ready pods. RoundRobinLoadBalancer = in turn; LeastWorkLoadBalancer = to the pod with the fewest calls under way; HashingLoadBalancer = all calls of one client to the same pod: the client is the pod that calls, or without a sidecar the address that the connection comes from.',
        default: 'RoundRobinLoadBalancer',
      }),
    ),
    sessionSticky: Type.Optional(
      Type.Boolean({
        description:
          'Whether calls of one session stay with one pod, and in one cluster, by cookies that the proxies set: for as long as the pod is ready and the caller sends the cookies back. loadBalancer decides where a session begins, and calls without cookies are spread as ever. Unset = false.',
      }),
    ),
    targetClusters: Type.Optional(
      Type.Array(clusterKey('Key of a cluster: region/zone/group/name.'), {
        description: 'Clusters that get the import. Unset or empty = all.',
        maxItems: 128,
        'x-kubernetes-list-type': 'set',
      }),
    ),
    allowedClients: Type.Optional(
      Type.Array(AllowedClientSchema, {
        description:
          'Who may call, by the certificate of the calling proxy: whoever one of the entries lets in. The gateway of this cluster decides; other exporters of the service decide for themselves. Calls without a certificate are refused then. Unset = everybody who reaches the gateway, with or without a certificate.',
        maxItems: 32,
        'x-kubernetes-list-type': 'atomic',
        ...cel({
          rule: 'size(self) > 0',
          message: 'an empty list lets nobody in; remove the field to let in everybody, or list who may call',
        }),
      }),
    ),
    rateLimit: Type.Optional(
      Type.Object(
        {
          requests: Type.Integer({
            description: 'How many requests are let through in that time. After a pause they may come all at once.',
            minimum: 1,
            maximum: MOST_REQUESTS,
            format: 'int32',
          }),
          per: Type.Optional(
            Type.Enum([...RATE_LIMIT_PERIODS], { description: 'The time.', default: RATE_LIMIT_PERIODS[0] }),
          ),
        },
        {
          description:
            'How many requests the gateway lets through; what is more is answered with 429. Each pod of the gateway counts for itself, and each path of the export, whoever calls; callers that are not allowed are not counted. Unset = no limit.',
        },
      ),
    ),
  },
  { description: 'How the Service of the same name is offered to other clusters.', default: {} },
)
export const ServiceExportStatusSchema = Type.Object(
  {
    conditions: Type.Optional(ConditionsSchema),
    paths: Type.Optional(inALine('Paths that the gateway serves, and ports that are not HTTP as 5432/TCP')),
    clients: Type.Optional(inALine('Who may call: namespace/service account of cluster')),
    importers: Type.Optional(inALine('Clusters that import the service from here')),
    clusters: Type.Optional(
      Type.Array(
        Type.Object({ cluster: Type.String({ description: 'Key of the cluster.' }) }, { description: 'A cluster.' }),
        {
          description: 'Clusters that import the service from here, as the hub found it there; sorted.',
          'x-kubernetes-list-type': 'map',
          'x-kubernetes-list-map-keys': ['cluster'],
        },
      ),
    ),
  },
  { description: 'What became of the export.' },
)
export type ServiceExportSpec = Static<typeof ServiceExportSpecSchema>
export type ServiceExportStatus = Static<typeof ServiceExportStatusSchema>
export type ServiceExport = Custom<'ServiceExport', ServiceExportSpec, ServiceExportStatus>
