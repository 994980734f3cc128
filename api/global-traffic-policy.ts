import { type Static, Type } from 'typebox'
import { ConditionSchema, type Custom } from './meta.ts'

export const LB_TYPES = ['Locality', 'FailOver', 'ActiveActive'] as const

export const GlobalTrafficPolicySpecSchema = Type.Object({
  lbType: Type.Optional(Type.Enum([...LB_TYPES])),
  targets: Type.Optional(
    Type.Array(
      Type.Object({
        clusterKey: Type.String(),
        /** Share of the traffic relative to the other targets; omitted = 100, 0 = drained. */
        weight: Type.Optional(Type.Integer({ minimum: 0 })),
        /** FailOver only: 0 is tried first. */
        priority: Type.Optional(Type.Integer({ minimum: 0, maximum: 9 })),
      }),
    ),
  ),
})
export const GlobalTrafficPolicyStatusSchema = Type.Object({
  conditions: Type.Optional(Type.Array(ConditionSchema)),
  targets: Type.Optional(
    Type.Array(
      Type.Object({
        clusterKey: Type.String(),
        weight: Type.Integer(),
        readyEndpoints: Type.Integer(),
        reason: Type.String(),
      }),
    ),
  ),
})
export type GlobalTrafficPolicySpec = Static<typeof GlobalTrafficPolicySpecSchema>
export type GlobalTrafficPolicyStatus = Static<typeof GlobalTrafficPolicyStatusSchema>
export type GlobalTrafficPolicy = Custom<'GlobalTrafficPolicy', GlobalTrafficPolicySpec, GlobalTrafficPolicyStatus>
