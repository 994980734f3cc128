import { type Static, Type } from 'typebox'
import { cel, clusterKey, inALine } from './fields.ts'
import { ConditionsSchema, type Custom } from './meta.ts'

export const LB_TYPES = ['Locality', 'FailOver', 'ActiveActive'] as const

const TargetSchema = Type.Object(
  {
    clusterKey: clusterKey('Key of the cluster: region/zone/group/name.'),
    weight: Type.Optional(
      Type.Integer({
        description: 'Share of the calls relative to the other targets. 0 = drained: no new calls.',
        default: 100,
        minimum: 0,
        maximum: 1_000_000,
        format: 'int32',
      }),
    ),
    priority: Type.Optional(
      Type.Integer({
        description: 'FailOver alone: targets of a lower priority are tried first. Unset = 0.',
        minimum: 0,
        maximum: 9,
        format: 'int32',
      }),
    ),
  },
  { description: 'A cluster that calls may go to.' },
)

export const GlobalTrafficPolicySpecSchema = Type.Object(
  {
    lbType: Type.Optional(
      Type.Enum([...LB_TYPES], {
        description:
          'Locality = the local Service alone. FailOver = the local Service while it has a ready endpoint, else the targets. ActiveActive = the local Service and the targets, by weight. Unset = what holds without a policy: annotations of the Service, or the standard, where the service is shared by them; else Locality.',
      }),
    ),
    targets: Type.Optional(
      Type.Array(TargetSchema, {
        description:
          'Clusters that calls may go to. ActiveActive without targets = every exporting cluster. The local cluster may be listed to give it a weight.',
        maxItems: 64,
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-list-map-keys': ['clusterKey'],
        ...cel(
          {
            rule: 'self.all(a, self.exists_one(b, b.clusterKey == a.clusterKey))',
            message: 'a cluster is listed more than once; list each cluster once',
          },
          {
            rule: 'self.size() == 0 || self.exists(t, t.weight != 0)',
            message:
              'every target has weight 0, so no call could go anywhere; give at least one target a weight above 0',
          },
        ),
      }),
    ),
    requireSidecar: Type.Optional(
      Type.Boolean({
        description:
          'Whether only pods with a sidecar may call the service across clusters: all others are refused a connection, instead of calling through the egress and by its identity. Unset = false.',
      }),
    ),
  },
  {
    description: 'Where calls to the ServiceImport of the same name and namespace go.',
    default: {},
    ...cel(
      {
        rule: "(has(self.lbType) && self.lbType != 'Locality') || !has(self.targets) || self.targets.size() <= 1",
        message:
          'lbType Locality keeps every call in this cluster, but several targets are listed; remove spec.targets or set spec.lbType to FailOver or ActiveActive',
        fieldPath: '.targets',
      },
      {
        rule: "!has(self.lbType) || self.lbType != 'FailOver' || (has(self.targets) && self.targets.size() > 0)",
        message:
          'FailOver without targets has nowhere to go when the local Service fails; list at least one cluster in spec.targets',
        reason: 'FieldValueRequired',
        fieldPath: '.targets',
      },
    ),
  },
)
export const GlobalTrafficPolicyStatusSchema = Type.Object(
  {
    conditions: Type.Optional(ConditionsSchema),
    calls: Type.Optional(inALine('Where calls go, with weights where they are shared, and who takes over')),
    targets: Type.Optional(
      Type.Array(
        Type.Object(
          {
            clusterKey: Type.String({ description: 'Key of the cluster.' }),
            weight: Type.Integer({ description: 'Weight in force; 0 = gets no calls.' }),
            readyEndpoints: Type.Integer({
              description:
                'Endpoints that calls can go to: addresses of the gateway, in this cluster ready pods of the Service.',
            }),
            reason: Type.String({
              description:
                'Active = takes calls. Standby = takes over when those before it have gone. Drained = its weight is 0. ExportsNothing = it does not export the service (yet). KeyChanged = no cluster goes by this key any more. WithoutIdentity = it has no identity that this cluster knows, and identity.required is set. NoReadyEndpoint = no pod of the Service is ready. NotUsed = Locality uses no target.',
            }),
            keyNow: Type.Optional(
              Type.String({
                description: 'Key that the cluster goes by now, when region, zone or group have changed.',
              }),
            ),
          },
          { description: 'What became of one target.' },
        ),
        {
          description: 'What became of each target.',
          'x-kubernetes-list-type': 'map',
          'x-kubernetes-list-map-keys': ['clusterKey'],
        },
      ),
    ),
  },
  { description: 'What became of the policy.' },
)
export type GlobalTrafficPolicySpec = Static<typeof GlobalTrafficPolicySpecSchema>
export type GlobalTrafficPolicyStatus = Static<typeof GlobalTrafficPolicyStatusSchema>
export type GlobalTrafficPolicy = Custom<'GlobalTrafficPolicy', GlobalTrafficPolicySpec, GlobalTrafficPolicyStatus>

/** How the policy steers calls; nothing when it does not. Targets that nobody was told what to do with are those of Locality. */
export const steeringOf = ({
  lbType,
  targets = [],
}: GlobalTrafficPolicy['spec']): GlobalTrafficPolicy['spec']['lbType'] =>
  lbType ?? (targets.length > 0 ? 'Locality' : undefined)
