import { type Static, Type } from 'typebox'
import type { Custom } from './meta.ts'

export const MeshConfigSpecSchema = Type.Object({
  sidecar: Type.Optional(
    Type.Object({
      logLevel: Type.Optional(Type.Enum(['trace', 'debug', 'info', 'warning', 'error', 'critical', 'off'])),
      resources: Type.Optional(
        Type.Object({
          requests: Type.Optional(Type.Record(Type.String(), Type.String())),
          limits: Type.Optional(Type.Record(Type.String(), Type.String())),
        }),
      ),
    }),
  ),
  traffic: Type.Optional(
    Type.Object({
      enablePermissiveTrafficPolicyMode: Type.Optional(Type.Boolean()),
      outboundIPRangeExclusionList: Type.Optional(Type.Array(Type.String())),
      outboundPortExclusionList: Type.Optional(Type.Array(Type.Integer({ minimum: 1, maximum: 65535 }))),
    }),
  ),
})
export type MeshConfigSpec = Static<typeof MeshConfigSpecSchema>
export type MeshConfig = Custom<'MeshConfig', MeshConfigSpec, Record<string, never>>
