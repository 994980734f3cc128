/** Our kinds, each with all that its CRD, its schema file and its reference page are made from. */
import type { TSchema } from 'typebox'
import { ClusterSpecSchema, ClusterStatusSchema } from './cluster.ts'
import { GlobalTrafficPolicySpecSchema, GlobalTrafficPolicyStatusSchema } from './global-traffic-policy.ts'
import { MeshConfigSpecSchema, MeshConfigStatusSchema } from './mesh-config.ts'
import { CONFIG_GROUP, GROUP, VERSION } from './names.ts'
import { ServiceExportSpecSchema, ServiceExportStatusSchema } from './service-export.ts'
import { ServiceImportSpecSchema, ServiceImportStatusSchema } from './service-import.ts'
import { type Schema, toStructural } from './structural.ts'

export interface PrinterColumn {
  readonly name: string
  readonly type: 'string' | 'integer' | 'date'
  readonly jsonPath: string
  readonly description: string
  /** 0 is always shown, 1 with -o wide. */
  readonly priority?: 0 | 1
}

export interface Kind {
  readonly kind: string
  readonly group: string
  readonly plural: string
  readonly shortNames: readonly string[]
  readonly scope: 'Namespaced' | 'Cluster'
  /** Of one schema; the last of them is stored. */
  readonly versions: readonly string[]
  /** Of the definition itself. */
  readonly labels: Readonly<Record<string, string>>
  /** Of the definition itself. */
  readonly annotations: Readonly<Record<string, string>>
  /** What `kubectl get` takes for several kinds at once. */
  readonly categories?: readonly string[]
  /** What the kind is for, in a sentence or two. */
  readonly description: string
  readonly specRequired: boolean
  readonly spec: Schema
  readonly status: Schema
  readonly columns: readonly PrinterColumn[]
}

function condition(name: string, type: string, description: string): PrinterColumn {
  return { name, type: 'string', jsonPath: `.status.conditions[?(@.type=="${type}")].status`, description }
}

function why(type: string, name = 'Reason', priority: 0 | 1 = 0): PrinterColumn {
  return {
    name,
    type: 'string',
    jsonPath: `.status.conditions[?(@.type=="${type}")].reason`,
    description: `Why ${type} is what it is.`,
    ...(priority === 0 ? {} : { priority }),
  }
}

/** The last column: it is as long as a sentence. */
function inWords(type: string): PrinterColumn {
  return {
    name: 'Message',
    type: 'string',
    jsonPath: `.status.conditions[?(@.type=="${type}")].message`,
    description: `Why ${type} is what it is, in words.`,
    priority: 1,
  }
}

/** The first of several conditions that all should be True; nothing while they are. */
const WRONG_IN_WORDS: PrinterColumn = {
  name: 'Message',
  type: 'string',
  jsonPath: '.status.conditions[?(@.status=="False")].message',
  description: 'What is not as it should be, in words.',
  priority: 1,
}

export const AGE: PrinterColumn = {
  name: 'Age',
  type: 'date',
  jsonPath: '.metadata.creationTimestamp',
  description: 'Time since the object was created.',
}

export function define(kind: Omit<Kind, 'spec' | 'status'>, spec: TSchema, status: TSchema): Kind {
  return { ...kind, spec: toStructural(spec), status: toStructural(status) }
}

const OURS = {
  versions: [VERSION],
  labels: { 'app.kubernetes.io/name': 'portolan', 'app.kubernetes.io/part-of': 'portolan' },
  annotations: {},
  categories: ['portolan'],
} as const

export const KINDS: readonly Kind[] = [
  define(
    {
      ...OURS,
      kind: 'Cluster',
      group: GROUP,
      plural: 'clusters',
      shortNames: [],
      scope: 'Cluster',
      description: 'A member of the clusterset, registered at the hub. Its key is region/zone/group/name.',
      specRequired: true,
      columns: [
        { name: 'Region', type: 'string', jsonPath: '.spec.region', description: 'Region.', priority: 1 },
        { name: 'Zone', type: 'string', jsonPath: '.spec.zone', description: 'Zone.', priority: 1 },
        { name: 'Group', type: 'string', jsonPath: '.spec.group', description: 'Group.', priority: 1 },
        { name: 'Gateway', type: 'string', jsonPath: '.spec.gatewayHost', description: 'Address of the gateway.' },
        { name: 'Port', type: 'integer', jsonPath: '.spec.gatewayPort', description: 'Port of the gateway.' },
        condition('Managed', 'Managed', 'Whether the control plane reaches the cluster.'),
        why('Managed'),
        condition('Trusted', 'Trusted', 'Whether the members can verify who answers for the cluster.'),
        {
          name: 'Exports',
          type: 'integer',
          jsonPath: '.status.exports',
          description: 'ServiceExports of the cluster.',
        },
        {
          name: 'Imports',
          type: 'integer',
          jsonPath: '.status.imports',
          description: 'ServiceImports that the hub keeps in the cluster.',
        },
        { name: 'Version', type: 'string', jsonPath: '.status.version', description: 'Version of Kubernetes.' },
        AGE,
        {
          name: 'Last seen',
          type: 'date',
          jsonPath: '.status.lastSeen',
          description: 'Time since the API server last answered.',
          priority: 1,
        },
        {
          name: 'Global services',
          type: 'string',
          jsonPath: '.status.globalServices',
          description: 'Whether Services of the cluster are shared by annotation.',
          priority: 1,
        },
        {
          name: 'Trust domain',
          type: 'string',
          jsonPath: '.status.trustDomain',
          description: 'What its workloads are called in their certificates.',
          priority: 1,
        },
        why('Trusted', 'Why trusted', 1),
        {
          // As text: kubectl shows a date to come as <invalid>.
          name: 'Expires',
          type: 'string',
          jsonPath: '.status.credentialsExpire',
          description: 'When the credentials of the kubeconfig expire.',
          priority: 1,
        },
        inWords('Managed'),
      ],
    },
    ClusterSpecSchema,
    ClusterStatusSchema,
  ),
  define(
    {
      ...OURS,
      kind: 'GlobalTrafficPolicy',
      group: GROUP,
      plural: 'globaltrafficpolicies',
      shortNames: ['gtp'],
      scope: 'Namespaced',
      description:
        'Says where calls to the ServiceImport of the same name and namespace go. Without one, calls stay in the cluster.',
      specRequired: false,
      columns: [
        { name: 'Type', type: 'string', jsonPath: '.spec.lbType', description: 'How calls are spread.' },
        {
          name: 'Calls go to',
          type: 'string',
          jsonPath: '.status.calls',
          description: 'Who takes calls, and who takes over.',
        },
        condition('Accepted', 'Accepted', 'Whether the policy is in the tables.'),
        why('Accepted'),
        condition('Resolved', 'Resolved', 'Whether every target exports the service.'),
        condition('Programmed', 'Programmed', 'Whether the proxies run it.'),
        AGE,
        why('Resolved', 'Why resolved', 1),
        why('Programmed', 'Why programmed', 1),
        WRONG_IN_WORDS,
      ],
    },
    GlobalTrafficPolicySpecSchema,
    GlobalTrafficPolicyStatusSchema,
  ),
  define(
    {
      ...OURS,
      kind: 'MeshConfig',
      group: CONFIG_GROUP,
      plural: 'meshconfigs',
      shortNames: [],
      scope: 'Namespaced',
      description: 'Settings of the mesh. One object counts: the one that the chart names.',
      specRequired: false,
      columns: [
        { name: 'Log level', type: 'string', jsonPath: '.spec.sidecar.logLevel', description: 'How much proxies log.' },
        AGE,
      ],
    },
    MeshConfigSpecSchema,
    MeshConfigStatusSchema,
  ),
  define(
    {
      ...OURS,
      kind: 'ServiceExport',
      group: GROUP,
      plural: 'serviceexports',
      shortNames: ['sexp'],
      scope: 'Namespaced',
      description: 'Offers the Service of the same name and namespace to the other clusters, through the gateway.',
      specRequired: false,
      columns: [
        {
          name: 'Paths',
          type: 'string',
          jsonPath: '.status.paths',
          description: 'Paths at the gateway.',
        },
        {
          name: 'Clients',
          type: 'string',
          jsonPath: '.status.clients',
          description: 'Who may call.',
          priority: 1,
        },
        condition('Valid', 'Valid', 'Whether the gateway serves the export.'),
        why('Valid'),
        condition('Conflict', 'Conflict', 'Whether exporting clusters differ.'),
        condition('Exported', 'Exported', 'Whether other clusters import the service from here.'),
        condition('Ready', 'EndpointsReady', 'Whether ready pods answer the calls that the gateway takes.'),
        {
          name: 'Imported by',
          type: 'string',
          jsonPath: '.status.importers',
          description: 'Clusters that import the service from here.',
        },
        AGE,
        why('Conflict', 'Why conflict', 1),
        why('Exported', 'Why exported', 1),
        why('EndpointsReady', 'Why ready', 1),
        inWords('Valid'),
      ],
    },
    ServiceExportSpecSchema,
    ServiceExportStatusSchema,
  ),
  define(
    {
      ...OURS,
      kind: 'ServiceImport',
      group: GROUP,
      plural: 'serviceimports',
      shortNames: ['simp'],
      scope: 'Namespaced',
      description: 'A service that other clusters export. A GlobalTrafficPolicy of the same name lets calls go there.',
      specRequired: false,
      columns: [
        { name: 'IP', type: 'string', jsonPath: '.spec.ips[0]', description: 'Virtual address in this cluster.' },
        { name: 'Ports', type: 'string', jsonPath: '.status.ports', description: 'Ports that callers use.' },
        {
          name: 'Exported by',
          type: 'string',
          jsonPath: '.status.exporters',
          description: 'Clusters that export the service.',
        },
        condition('Routed', 'Routed', 'Whether a policy lets calls go there.'),
        why('Routed'),
        AGE,
        {
          name: 'Callers',
          type: 'string',
          jsonPath: '.status.callers',
          description: 'Whose calls are let through to which clusters.',
          priority: 1,
        },
        inWords('Routed'),
      ],
    },
    ServiceImportSpecSchema,
    ServiceImportStatusSchema,
  ),
]

/** The definition of a kind of ours; undefined for any other object. */
export function kindOf(object: { readonly apiVersion: string; readonly kind: string }): Kind | undefined {
  const group = String(object.apiVersion).split('/')[0]
  return KINDS.find((k) => k.kind === object.kind && k.group === group)
}
