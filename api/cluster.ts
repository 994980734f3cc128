import { type Static, Type } from 'typebox'
import { ConditionSchema, type Custom } from './meta.ts'

export const ClusterSpecSchema = Type.Object({
  region: Type.Optional(Type.String()),
  zone: Type.Optional(Type.String()),
  group: Type.Optional(Type.String()),
  gatewayHost: Type.String(),
  gatewayPort: Type.Integer({ minimum: 1, maximum: 65535 }),
  kubeconfig: Type.Optional(Type.String()),
  kubeconfigSecretRef: Type.Optional(
    Type.Object({
      name: Type.String(),
      namespace: Type.Optional(Type.String()),
      key: Type.Optional(Type.String()),
    }),
  ),
})
export const ClusterStatusSchema = Type.Object({ conditions: Type.Optional(Type.Array(ConditionSchema)) })
export type ClusterSpec = Static<typeof ClusterSpecSchema>
export type ClusterStatus = Static<typeof ClusterStatusSchema>
export type Cluster = Custom<'Cluster', ClusterSpec, ClusterStatus>
