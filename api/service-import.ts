import { type Static, Type } from 'typebox'
import { CLUSTER_KEY_MAX, cel, gatewayPath, inALine, port } from './fields.ts'
import { ConditionsSchema, type Custom } from './meta.ts'

/** Of one import. The merge leaves out what exceeds them; a schema with more would cost the API server more than it grants. */
export const IMPORT_PORTS_MAX = 64
/** Of one port. */
export const IMPORT_ENDPOINTS_MAX = 256

/*
 * An endpoint may be there IMPORT_PORTS_MAX × IMPORT_ENDPOINTS_MAX times, and the API server counts what each rule may
 * cost at most. So these rules see less than those of a Cluster, from which the hub copies the values.
 */
const KEY_FORM = 'is not a cluster key; write region/zone/group/name, for example default/default/default/cluster-1'
const HOST_FORM = 'is neither an IP address nor a DNS name; write the address that other clusters reach the gateway at'

const HOST_MEANING =
  'means something else on every machine (loopback, unspecified, link-local, multicast); write the address that other clusters reach the gateway at'
/** Most addresses that are no gateway's. */
const ELSEWHERE = [
  ...['0.', '127.', '169.254.', '224.', '239.', 'fe80:', 'ff'].map((start) => `self.startsWith('${start}')`),
  ...['::', '::1'].map((whole) => `self == '${whole}'`),
].join(' || ')

const exporterKey = Type.String({
  description: 'Key of the exporting cluster: region/zone/group/name.',
  minLength: 1,
  maxLength: CLUSTER_KEY_MAX,
  ...cel(
    { rule: "self.matches('^([^/]+/){3}[^/]+$')", message: KEY_FORM },
    { rule: String.raw`self.matches(r'^[-\w./]*$')`, message: KEY_FORM },
  ),
})

const exporterHost = Type.String({
  description: 'The gateway’s address as its Cluster names it: IP or DNS name.',
  minLength: 1,
  maxLength: 253,
  ...cel(
    { rule: String.raw`isIP(self) || self.matches(r'^[-\w.]*$')`, message: HOST_FORM },
    { rule: "isIP(self) || self.matches('[A-Za-z]')", message: HOST_FORM },
    { rule: `!isIP(self) || !(${ELSEWHERE})`, message: HOST_MEANING },
    { rule: "self != 'localhost' && !self.endsWith('.localhost')", message: HOST_MEANING },
  ),
})

export const ImportEndpointSchema = Type.Object(
  {
    clusterKey: exporterKey,
    backends: Type.Optional(
      Type.Integer({
        description:
          'How many endpoints are ready behind that gateway, for services whose calls are shared equally among all of them. Unset = not known.',
        minimum: 0,
        format: 'int32',
      }),
    ),
    target: Type.Object(
      {
        host: Type.Optional(exporterHost),
        ip: Type.Optional(
          Type.String({
            description: 'The gateway’s IP address, when host is one.',
            minLength: 1,
            maxLength: 45,
            ...cel({
              rule: "isIP(self) && ip(self).isGlobalUnicast() && !self.startsWith('0.')",
              message: 'is not the IP address of a gateway; write one that this cluster can reach',
            }),
          }),
        ),
        port: port('Port of the gateway.'),
        path: Type.Optional(gatewayPath('Path under which the gateway serves this port.')),
      },
      {
        description: 'Where the gateway of that cluster serves the port.',
        ...cel({
          rule: 'has(self.host) || has(self.ip)',
          message: 'no address says where the gateway is; set host (IP or DNS name) or ip',
          reason: 'FieldValueRequired',
          fieldPath: '.host',
        }),
      },
    ),
  },
  { description: 'One way to reach the port in another cluster.' },
)

const ImportPortSchema = Type.Object(
  {
    name: Type.Optional(
      Type.String({ description: 'Name of the port at the exporting Service.', minLength: 1, maxLength: 63 }),
    ),
    port: port('Port that callers use.'),
    protocol: Type.Optional(
      Type.Enum(['TCP', 'UDP', 'SCTP'], { description: 'Transport of the port. TCP alone is routed.', default: 'TCP' }),
    ),
    appProtocol: Type.Optional(
      Type.String({
        description: 'What is spoken on the port, as in a Service, for example http or kubernetes.io/h2c.',
        minLength: 1,
        maxLength: 253,
      }),
    ),
    endpoints: Type.Optional(
      Type.Array(ImportEndpointSchema, {
        description: 'Where the port is exported, sorted by clusterKey.',
        maxItems: IMPORT_ENDPOINTS_MAX,
        'x-kubernetes-list-type': 'atomic',
      }),
    ),
  },
  { description: 'One port of the service.' },
)

/** Through what a cluster offers a service. */
export const DOORS = ['ServiceExport', 'MCS', 'GlobalService'] as const
export type Door = (typeof DOORS)[number]

const words = (description: string) =>
  Type.Optional(Type.Record(Type.String(), Type.String({ maxLength: 4096 }), { description, maxProperties: 64 }))

/** What the standard has in an import and we have no use for; the names and values are the standard's. */
const StandardSchema = Type.Object(
  {
    clusters: Type.Array(Type.String({ description: 'Name of a cluster.', minLength: 1, maxLength: 63 }), {
      description: 'All clusters that export the service, this one too when it does; sorted.',
      maxItems: IMPORT_ENDPOINTS_MAX,
      'x-kubernetes-list-type': 'set',
    }),
    labels: words('Labels that the oldest export asks for.'),
    annotations: words('Annotations that the oldest export asks for.'),
    sessionAffinity: Type.Optional(Type.Enum(['ClientIP', 'None'], { description: 'As in a Service.' })),
    sessionAffinitySeconds: Type.Optional(
      Type.Integer({ description: 'Of ClientIP.', minimum: 1, maximum: 86_400, format: 'int32' }),
    ),
    internalTrafficPolicy: Type.Optional(Type.Enum(['Cluster', 'Local'], { description: 'As in a Service.' })),
    trafficDistribution: Type.Optional(Type.String({ description: 'As in a Service.', maxLength: 253 })),
    ipFamilies: Type.Optional(
      Type.Array(Type.Enum(['IPv4', 'IPv6'], { description: 'One of them.' }), {
        description: 'As in a Service.',
        maxItems: 2,
        'x-kubernetes-list-type': 'set',
      }),
    ),
  },
  { description: 'Present when a cluster exports the service by multicluster.x-k8s.io: what its ServiceImport says.' },
)

export const ServiceImportSpecSchema = Type.Object(
  {
    type: Type.Optional(
      Type.Enum(['ClusterSetIP', 'Headless'], {
        description: 'ClusterSetIP = one address for all; Headless = the addresses of the pods, and none for all.',
        default: 'ClusterSetIP',
      }),
    ),
    doors: Type.Optional(
      Type.Array(Type.Enum([...DOORS], { description: 'One of them.' }), {
        description:
          'By what exporters offer the service: ServiceExport = of flomesh.io; MCS = ServiceExport of multicluster.x-k8s.io; GlobalService = annotation service.cilium.io/global. Unset = ServiceExport.',
        maxItems: DOORS.length,
        'x-kubernetes-list-type': 'set',
      }),
    ),
    standard: Type.Optional(StandardSchema),
    ips: Type.Optional(
      Type.Array(
        Type.String({
          minLength: 1,
          maxLength: 45,
          ...cel({
            rule: 'isIP(self)',
            message: 'is not an IP address; remove it, an address is assigned',
          }),
        }),
        {
          description: 'Virtual address of the service in this cluster; assigned.',
          maxItems: 2,
          'x-kubernetes-list-type': 'atomic',
        },
      ),
    ),
    serviceAccountName: Type.Optional(
      Type.String({
        description: 'Service account that the exported workload runs as; * = any.',
        minLength: 1,
        maxLength: 253,
      }),
    ),
    sessionSticky: Type.Optional(
      Type.Boolean({
        description:
          'Whether calls of one session stay in one cluster, and with one pod when it is this one, by a cookie that the caller’s proxy sets. As the oldest export says. Unset = false.',
      }),
    ),
    ports: Type.Array(ImportPortSchema, {
      description: 'Ports of the service.',
      default: [],
      maxItems: IMPORT_PORTS_MAX,
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['port', 'protocol'],
      ...cel({
        rule: 'self.all(a, self.exists_one(b, b.port == a.port && b.protocol == a.protocol))',
        message: 'two entries have the same port and protocol; merge their endpoints into one entry',
      }),
    }),
  },
  { description: 'A service that other clusters export, as this cluster sees it.', default: { ports: [] } },
)
export const ServiceImportStatusSchema = Type.Object(
  {
    clusters: Type.Optional(
      Type.Array(
        Type.Object(
          {
            cluster: Type.String({ description: 'Key of the cluster.' }),
            addresses: Type.Optional(
              Type.Array(Type.String(), {
                description: 'Addresses of its gateway as host:port; sorted.',
                'x-kubernetes-list-type': 'atomic',
              }),
            ),
          },
          { description: 'A cluster.' },
        ),
        {
          description: 'Other clusters that export the service, and where calls would go to; sorted.',
          'x-kubernetes-list-type': 'map',
          'x-kubernetes-list-map-keys': ['cluster'],
        },
      ),
    ),
    callers: Type.Optional(
      inALine('Service accounts here whose calls are let through to which clusters, where calls need a TrafficTarget'),
    ),
    exporters: Type.Optional(inALine('Clusters that export the service')),
    ports: Type.Optional(inALine('Ports that callers use')),
    conditions: Type.Optional(ConditionsSchema),
  },
  { description: 'What became of the import.' },
)
export type ServiceImportSpec = Static<typeof ServiceImportSpecSchema>
export type ServiceImportStatus = Static<typeof ServiceImportStatusSchema>
export type ServiceImport = Custom<'ServiceImport', ServiceImportSpec, ServiceImportStatus>
