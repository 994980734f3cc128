/** Our kinds, each with all that its CRD, its schema file and its reference page are made from. */
import type { TSchema } from 'typebox'
import { ClusterSpecSchema, ClusterStatusSchema } from './cluster.ts'
import { GlobalTrafficPolicySpecSchema, GlobalTrafficPolicyStatusSchema } from './global-traffic-policy.ts'
import { MeshConfigSpecSchema, MeshConfigStatusSchema } from './mesh-config.ts'
import { CONFIG_GROUP, GROUP } from './names.ts'
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

function why(type: string): PrinterColumn {
  return {
    name: 'Reason',
    type: 'string',
    jsonPath: `.status.conditions[?(@.type=="${type}")].reason`,
    description: `Why ${type} is what it is.`,
  }
}

const AGE: PrinterColumn = {
  name: 'Age',
  type: 'date',
  jsonPath: '.metadata.creationTimestamp',
  description: 'Time since the object was created.',
}

function define(kind: Omit<Kind, 'spec' | 'status'>, spec: TSchema, status: TSchema): Kind {
  return { ...kind, spec: toStructural(spec), status: toStructural(status) }
}

export const KINDS: readonly Kind[] = [
  define(
    {
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
        AGE,
      ],
    },
    ClusterSpecSchema,
    ClusterStatusSchema,
  ),
  define(
    {
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
          name: 'Targets',
          type: 'string',
          jsonPath: '.spec.targets[*].clusterKey',
          description: 'Clusters that calls may go to.',
          priority: 1,
        },
        condition('Accepted', 'Accepted', 'Whether the policy is in the tables.'),
        condition('Programmed', 'Programmed', 'Whether the proxies run it.'),
        why('Accepted'),
        AGE,
      ],
    },
    GlobalTrafficPolicySpecSchema,
    GlobalTrafficPolicyStatusSchema,
  ),
  define(
    {
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
          jsonPath: '.spec.rules[*].path',
          description: 'Paths at the gateway.',
        },
        condition('Valid', 'Valid', 'Whether the gateway serves the export.'),
        why('Valid'),
        condition('Conflict', 'Conflict', 'Whether exporting clusters differ.'),
        AGE,
      ],
    },
    ServiceExportSpecSchema,
    ServiceExportStatusSchema,
  ),
  define(
    {
      kind: 'ServiceImport',
      group: GROUP,
      plural: 'serviceimports',
      shortNames: ['simp'],
      scope: 'Namespaced',
      description: 'A service that other clusters export. A GlobalTrafficPolicy of the same name lets calls go there.',
      specRequired: false,
      columns: [
        { name: 'IP', type: 'string', jsonPath: '.spec.ips[0]', description: 'Virtual address in this cluster.' },
        { name: 'Ports', type: 'string', jsonPath: '.spec.ports[*].port', description: 'Ports that callers use.' },
        {
          name: 'Clusters',
          type: 'string',
          jsonPath: '.spec.ports[*].endpoints[*].clusterKey',
          description: 'Clusters that export the service.',
          priority: 1,
        },
        condition('Routed', 'Routed', 'Whether a policy lets calls go there.'),
        why('Routed'),
        AGE,
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
