import { type Static, Type } from 'typebox'
import { ConditionSchema, type Custom } from './meta.ts'

export const ImportEndpointSchema = Type.Object({
  /** region/zone/group/name of the exporting cluster. */
  clusterKey: Type.String(),
  target: Type.Object({
    /** The gateway's address as its Cluster names it: IP or DNS name. */
    host: Type.Optional(Type.String()),
    ip: Type.Optional(Type.String()),
    port: Type.Integer({ minimum: 1, maximum: 65535 }),
    /** Path prefix under which the gateway serves this port. */
    path: Type.Optional(Type.String()),
  }),
})
export const ServiceImportSpecSchema = Type.Object({
  type: Type.Optional(Type.Enum(['ClusterSetIP', 'Headless'])),
  ips: Type.Optional(Type.Array(Type.String())),
  serviceAccountName: Type.Optional(Type.String()),
  sessionAffinity: Type.Optional(Type.Enum(['None', 'ClientIP'])),
  ports: Type.Array(
    Type.Object({
      name: Type.Optional(Type.String()),
      port: Type.Integer({ minimum: 1, maximum: 65535 }),
      protocol: Type.Optional(Type.Enum(['TCP', 'UDP', 'SCTP'])),
      appProtocol: Type.Optional(Type.String()),
      endpoints: Type.Optional(Type.Array(ImportEndpointSchema)),
    }),
  ),
})
export const ServiceImportStatusSchema = Type.Object({
  clusters: Type.Optional(Type.Array(Type.Object({ cluster: Type.String() }))),
  conditions: Type.Optional(Type.Array(ConditionSchema)),
})
export type ServiceImportSpec = Static<typeof ServiceImportSpecSchema>
export type ServiceImportStatus = Static<typeof ServiceImportStatusSchema>
export type ServiceImport = Custom<'ServiceImport', ServiceImportSpec, ServiceImportStatus>
