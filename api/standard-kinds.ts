/**
 * Kinds of the standard, which the chart brings where nothing else has: KEP-1645 as sigs.k8s.io/mcs-api v0.5.2 defines it,
 * KEP-2149 as sigs.k8s.io/about-api does. They take what is valid there and no less, so there are no rules of ours in them.
 */
import { Type } from 'typebox'
import { AGE, define, type Kind } from './kinds.ts'
import { ABOUT_GROUP, ABOUT_VERSION, MCS_GROUP, MCS_VERSION } from './names.ts'

/** What a newer definition is told by. */
const MCS_LABELS = { [`${MCS_GROUP}/release-version`]: 'v0.5.2', [`${MCS_GROUP}/crd-schema-revision`]: '0' }

const OPTIONAL_TEXT = (description: string) => Type.Optional(Type.String({ description }))
const OPTIONAL_WORDS = (description: string) =>
  Type.Optional(Type.Record(Type.String(), Type.String(), { description }))

const StandardConditionSchema = Type.Object(
  {
    type: Type.String({
      description: 'What the condition is about, in CamelCase.',
      maxLength: 316,
      pattern:
        '^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$',
    }),
    status: Type.Enum(['True', 'False', 'Unknown'], { description: 'Whether the condition holds.' }),
    reason: Type.String({
      description: 'Why, in one word of the standard; several conflicts are separated by commas.',
      minLength: 1,
      maxLength: 1024,
      pattern: '^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$',
    }),
    message: Type.String({ description: 'The same for people, with names and numbers.', maxLength: 32768 }),
    observedGeneration: Type.Optional(
      Type.Integer({
        description: 'metadata.generation that the condition was computed from.',
        minimum: 0,
        format: 'int64',
      }),
    ),
    lastTransitionTime: Type.String({ description: 'When status last changed.', format: 'date-time' }),
  },
  { description: 'One observation about the object.' },
)

const conditions = (description: string) =>
  Type.Optional(
    Type.Array(StandardConditionSchema, {
      description,
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['type'],
    }),
  )

const McsExportSpecSchema = Type.Object(
  {
    exportedLabels: OPTIONAL_WORDS(
      'Labels for the ServiceImport in every cluster. Those of the oldest export are taken whole.',
    ),
    exportedAnnotations: OPTIONAL_WORDS(
      'Annotations for the ServiceImport in every cluster. Those of the oldest export are taken whole.',
    ),
  },
  { description: 'What other clusters are told beside the Service itself.' },
)

const McsExportStatusSchema = Type.Object(
  {
    conditions: conditions(
      'Valid = there is a Service that can be exported; Ready = other clusters have been told of it; Conflict = exporting clusters differ.',
    ),
  },
  { description: 'What became of the export.' },
)

const McsPortSchema = Type.Object(
  {
    name: OPTIONAL_TEXT('Name of the port, by which SRV records and EndpointSlices call it.'),
    protocol: OPTIONAL_TEXT('TCP, UDP or SCTP. Unset = TCP.'),
    appProtocol: OPTIONAL_TEXT('What is spoken on the port, for example http or kubernetes.io/h2c.'),
    port: Type.Integer({ description: 'Port that callers use.', format: 'int32' }),
  },
  { description: 'One port of the service.' },
)

const McsImportSpecSchema = Type.Object(
  {
    type: Type.Enum(['ClusterSetIP', 'Headless'], {
      description: 'ClusterSetIP = one address for all; Headless = the addresses of the pods, and none for all.',
    }),
    ports: Type.Array(McsPortSchema, {
      description: 'Ports of the service: those of all exporting clusters together.',
      'x-kubernetes-list-type': 'atomic',
    }),
    ips: Type.Optional(
      Type.Array(Type.String(), { description: 'Addresses of the service in this cluster; assigned.', maxItems: 2 }),
    ),
    ipFamilies: Type.Optional(
      Type.Array(Type.String(), { description: 'IPv4, IPv6 or both: what the service is reached by.', maxItems: 2 }),
    ),
    sessionAffinity: OPTIONAL_TEXT('ClientIP or None, as in a Service. Without meaning for Headless.'),
    sessionAffinityConfig: Type.Optional(
      Type.Object(
        {
          clientIP: Type.Optional(
            Type.Object(
              {
                timeoutSeconds: Type.Optional(
                  Type.Integer({ description: 'For how long a client stays with a pod.', format: 'int32' }),
                ),
              },
              { description: 'Of ClientIP.' },
            ),
          ),
        },
        { description: 'Particulars of sessionAffinity, as in a Service.' },
      ),
    ),
    internalTrafficPolicy: OPTIONAL_TEXT('Cluster or Local, as in a Service.'),
    trafficDistribution: OPTIONAL_TEXT('Which endpoints are preferred, as in a Service, for example PreferClose.'),
  },
  { description: 'A service of the clusterset, as this cluster sees it.' },
)

const McsImportStatusSchema = Type.Object(
  {
    clusters: Type.Optional(
      Type.Array(
        Type.Object({ cluster: Type.String({ description: 'Name of the cluster.' }) }, { description: 'A cluster.' }),
        {
          description: 'Clusters that export the service; sorted.',
          'x-kubernetes-list-type': 'map',
          'x-kubernetes-list-map-keys': ['cluster'],
        },
      ),
    ),
    conditions: conditions('Ready = the service can be called from this cluster.'),
    endpointSliceObjects: Type.Optional(
      Type.Enum(['Present', 'Absent'], {
        description: 'Whether EndpointSlices of the exporting clusters are in this namespace.',
      }),
    ),
  },
  { description: 'What became of the import.' },
)

const ClusterPropertySpecSchema = Type.Object(
  { value: Type.String({ description: 'The property.', minLength: 1 }) },
  { description: 'What is known of the cluster.' },
)

const MCS = {
  group: MCS_GROUP,
  scope: 'Namespaced',
  versions: ['v1alpha1', MCS_VERSION],
  labels: MCS_LABELS,
  annotations: {},
  specRequired: false,
} as const

/** The definition of a kind of the standard's, in whatever version; undefined for any other object. */
export function standardKindOf(object: { readonly apiVersion: string; readonly kind: string }): Kind | undefined {
  const group = String(object.apiVersion).split('/')[0]
  return STANDARD_KINDS.find((k) => k.kind === object.kind && k.group === group)
}

export const STANDARD_KINDS: readonly Kind[] = [
  define(
    {
      ...MCS,
      kind: 'ServiceExport',
      plural: 'serviceexports',
      shortNames: ['svcex', 'svcexport'],
      description:
        'Offers the Service of the same name and namespace to the other clusters, as service.namespace.svc.clusterset.local.',
      columns: [AGE],
    },
    McsExportSpecSchema,
    McsExportStatusSchema,
  ),
  define(
    {
      ...MCS,
      kind: 'ServiceImport',
      plural: 'serviceimports',
      shortNames: ['svcim', 'svcimport'],
      description: 'A service that clusters export, this one among them or not. Made and kept by the control plane.',
      columns: [
        { name: 'Type', type: 'string', jsonPath: '.spec.type', description: 'ClusterSetIP or Headless.' },
        { name: 'IP', type: 'string', jsonPath: '.spec.ips', description: 'Addresses of the service in this cluster.' },
        AGE,
      ],
    },
    McsImportSpecSchema,
    McsImportStatusSchema,
  ),
  define(
    {
      kind: 'ClusterProperty',
      group: ABOUT_GROUP,
      plural: 'clusterproperties',
      shortNames: [],
      scope: 'Cluster',
      versions: ['v1alpha1', ABOUT_VERSION],
      labels: {},
      annotations: { 'api-approved.kubernetes.io': 'https://github.com/kubernetes/enhancements/pull/3084' },
      description:
        'Something about this cluster, by name: cluster.clusterset.k8s.io = what it is called, clusterset.k8s.io = of which clusterset it is a member.',
      specRequired: false,
      columns: [
        { name: 'value', type: 'string', jsonPath: '.spec.value', description: 'The property.' },
        { name: 'age', type: 'date', jsonPath: '.metadata.creationTimestamp', description: AGE.description },
      ],
    },
    ClusterPropertySpecSchema,
    Type.Object({}, { description: 'Nothing so far.' }),
  ),
]
