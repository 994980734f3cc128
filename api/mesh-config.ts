import { type Static, Type } from 'typebox'
import { cel, port } from './fields.ts'
import { ConditionsSchema, type Custom } from './meta.ts'
import { INTERCEPTIONS } from './names.ts'

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warning', 'error', 'critical', 'off'] as const

/** As in a container: `cpu: 1` and `cpu: 100m` are both common. */
function amount(description: string) {
  return Type.Optional(
    Type.Union([Type.Integer(), Type.String()], {
      description,
      maxLength: 64,
      'x-kubernetes-int-or-string': true,
      ...cel({
        rule: "type(self) == int ? self > 0 : isQuantity(self) && quantity(self).isGreaterThan(quantity('0'))",
        message: 'is not an amount above zero; write it as in a container, for example 100m or 128Mi',
      }),
    }),
  )
}

function amounts(description: string) {
  return Type.Optional(
    Type.Object({ cpu: amount('CPU: 100m, 1.'), memory: amount('Memory: 128Mi, 1Gi.') }, { description }),
  )
}

function ranges(description: string) {
  return Type.Optional(
    Type.Array(
      Type.String({
        minLength: 1,
        maxLength: 50,
        ...cel({
          rule: 'isCIDR(self)',
          message: 'is not a range of addresses; write address/bits, for example 10.43.0.1/32',
        }),
      }),
      { description, maxItems: 256, 'x-kubernetes-list-type': 'set' },
    ),
  )
}

function ports(description: string) {
  return Type.Optional(Type.Array(port('A port.'), { description, maxItems: 256, 'x-kubernetes-list-type': 'set' }))
}

const INERT = 'Accepted so that existing manifests apply. Portolan captures nothing that comes into a pod.'

export const MeshConfigSpecSchema = Type.Object(
  {
    sidecar: Type.Optional(
      Type.Object(
        {
          logLevel: Type.Optional(
            Type.Enum([...LOG_LEVELS], { description: 'How much the proxy logs.', default: 'warning' }),
          ),
          interception: Type.Optional(
            Type.Enum([...INTERCEPTIONS], {
              description:
                'How calls reach the proxy: iptables captures them; explicit names the proxy in the environment of each container, without an init container and its capabilities. The annotation flomesh.io/interception of a namespace or a pod counts before it.',
              default: INTERCEPTIONS[0],
            }),
          ),
          resources: Type.Optional(
            Type.Object(
              {
                requests: amounts('What the scheduler sets aside for each sidecar.'),
                limits: amounts('What a sidecar may use at most.'),
              },
              { description: 'Requests and limits of the sidecar; each amount set here replaces the built-in one.' },
            ),
          ),
        },
        { description: 'The proxy in each pod of the mesh. Changes reach pods created afterwards.' },
      ),
    ),
    traffic: Type.Optional(
      Type.Object(
        {
          enablePermissiveTrafficPolicyMode: Type.Optional(
            Type.Boolean({
              description:
                'false = calls that are routed between clusters need a TrafficTarget of SMI: sidecars here let through what one allows, and the gateway serves nobody else. Calls that stay on their Service’s own address are not restricted. Takes effect at once, in pods that run as well.',
            }),
          ),
          outboundIPRangeExclusionList: ranges('Destinations that never enter the proxy, as CIDR.'),
          outboundIPRangeInclusionList: ranges(
            'Where it is not empty, only calls to addresses of imports within these ranges enter the proxy, as CIDR.',
          ),
          outboundPortExclusionList: ports('Destination ports that never enter the proxy.'),
          outboundPortInclusionList: ports('Where it is not empty, only calls to these ports enter the proxy.'),
          networkInterfaceExclusionList: Type.Optional(
            Type.Array(
              Type.String({
                minLength: 1,
                maxLength: 15,
                ...cel({
                  rule: "self.matches('^[A-Za-z0-9_@.:-]+[+]?$')",
                  message:
                    'is not the name of a network interface; write it as ip link does, or the beginning of one and a plus, for example net1 or tun+',
                }),
              }),
              {
                description: 'Calls that leave a pod by these network interfaces never enter the proxy.',
                maxItems: 64,
                'x-kubernetes-list-type': 'set',
              },
            ),
          ),
          inboundPortExclusionList: ports(INERT),
          inboundPortInclusionList: ports(INERT),
          inboundIPRangeExclusionList: ranges(INERT),
          inboundIPRangeInclusionList: ranges(INERT),
        },
        { description: 'What the sidecars capture. Changes reach pods created afterwards.' },
      ),
    ),
  },
  { description: 'Settings of the mesh as a whole.', default: {} },
)
export const MeshConfigStatusSchema = Type.Object(
  { conditions: Type.Optional(ConditionsSchema) },
  { description: 'What the control plane found.' },
)
export type MeshConfigSpec = Static<typeof MeshConfigSpecSchema>
export type MeshConfigStatus = Static<typeof MeshConfigStatusSchema>
export type MeshConfig = Custom<'MeshConfig', MeshConfigSpec, MeshConfigStatus>
