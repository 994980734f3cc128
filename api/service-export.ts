import { type Static, Type } from 'typebox'
import { ConditionSchema, type Custom } from './meta.ts'

export const ServiceExportSpecSchema = Type.Object({
  serviceAccountName: Type.Optional(Type.String()),
  rules: Type.Optional(
    Type.Array(
      Type.Object({
        portNumber: Type.Integer({ minimum: 1, maximum: 65535 }),
        path: Type.String(),
        pathType: Type.Optional(Type.Enum(['Prefix', 'Exact'])),
      }),
    ),
  ),
  pathRewrite: Type.Optional(Type.Object({ from: Type.String(), to: Type.String() })),
  sessionSticky: Type.Optional(Type.Boolean()),
  loadBalancer: Type.Optional(
    Type.Enum(['RoundRobinLoadBalancer', 'HashingLoadBalancer', 'LeastConnectionLoadBalancer']),
  ),
  targetClusters: Type.Optional(Type.Array(Type.String())),
})
export const ServiceExportStatusSchema = Type.Object({
  conditions: Type.Optional(Type.Array(ConditionSchema)),
})
export type ServiceExportSpec = Static<typeof ServiceExportSpecSchema>
export type ServiceExportStatus = Static<typeof ServiceExportStatusSchema>
export type ServiceExport = Custom<'ServiceExport', ServiceExportSpec, ServiceExportStatus>
