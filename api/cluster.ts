import { type Static, Type } from 'typebox'
import { cel, gatewayHost, KEY_PART, port } from './fields.ts'
import { ConditionsSchema, type Custom } from './meta.ts'

function keyPart(what: string) {
  return Type.Optional(
    Type.String({
      description: `${what} of the cluster: part of its key region/zone/group/name.`,
      default: 'default',
      minLength: 1,
      maxLength: 63,
      ...cel({
        rule: `self.matches('^${KEY_PART}$')`,
        message:
          'cannot be part of a cluster key; use letters, digits, -, _ and ., with a letter or digit at both ends',
      }),
    }),
  )
}

export const ClusterSpecSchema = Type.Object(
  {
    region: keyPart('Region'),
    zone: keyPart('Zone'),
    group: keyPart('Group'),
    gatewayHost: gatewayHost(
      'Address of the cluster’s gateway as the other clusters reach it: IP or DNS name. A name is resolved by the callers’ proxies, again and again.',
    ),
    gatewayPort: port('Port of the gateway at gatewayHost.'),
    globalServices: Type.Optional(
      Type.Enum(['Auto', 'Enabled', 'Disabled'], {
        description:
          'Whether Services of the cluster with annotation service.cilium.io/global are shared with other clusters. Auto = unless Cilium’s own cluster mesh is there, which does so itself.',
        default: 'Auto',
      }),
    ),
    kubeconfig: Type.Optional(
      Type.String({
        description:
          'Kubeconfig that reaches the cluster’s API server, self-contained. Everyone who may read this object may use it: prefer kubeconfigSecretRef.',
        minLength: 1,
        maxLength: 262144,
      }),
    ),
    kubeconfigSecretRef: Type.Optional(
      Type.Object(
        {
          name: Type.String({ description: 'Name of the Secret.', minLength: 1, maxLength: 253 }),
          namespace: Type.Optional(
            Type.String({
              description: 'Namespace of the Secret. Unset = the namespace Portolan runs in.',
              minLength: 1,
              maxLength: 63,
            }),
          ),
          key: Type.Optional(
            Type.String({
              description: 'Key of the Secret that holds the kubeconfig.',
              default: 'kubeconfig',
              minLength: 1,
              maxLength: 253,
            }),
          ),
        },
        { description: 'Secret that holds the kubeconfig; a change of it is noticed.' },
      ),
    ),
  },
  {
    description: 'How to reach the cluster: its gateway for calls, its API server for exports and imports.',
    ...cel(
      {
        rule: 'has(self.kubeconfig) || has(self.kubeconfigSecretRef)',
        message:
          'no kubeconfig says how to reach the API server; name a Secret in spec.kubeconfigSecretRef (or put the kubeconfig in spec.kubeconfig)',
        reason: 'FieldValueRequired',
        fieldPath: '.kubeconfigSecretRef',
      },
      {
        rule: '!(has(self.kubeconfig) && has(self.kubeconfigSecretRef))',
        message:
          'kubeconfig and kubeconfigSecretRef are both set and could disagree; keep kubeconfigSecretRef and remove spec.kubeconfig',
        fieldPath: '.kubeconfig',
      },
    ),
  },
)
/** What may become of `spec.globalServices`. */
const GLOBAL_SERVICES_DECISIONS = ['Shared', 'LeftToClusterMesh', 'NotShared'] as const
export type GlobalServicesDecision = (typeof GLOBAL_SERVICES_DECISIONS)[number]

export const ClusterStatusSchema = Type.Object(
  {
    conditions: Type.Optional(ConditionsSchema),
    lastSeen: Type.Optional(
      Type.String({
        description: 'When the API server last answered; kept to the minute while it does.',
        format: 'date-time',
      }),
    ),
    version: Type.Optional(Type.String({ description: 'Version of Kubernetes that the API server runs.' })),
    exports: Type.Optional(
      Type.Integer({ description: 'ServiceExports of the cluster, valid or not.', minimum: 0, format: 'int32' }),
    ),
    imports: Type.Optional(
      Type.Integer({ description: 'ServiceImports that the hub keeps in the cluster.', minimum: 0, format: 'int32' }),
    ),
    globalServices: Type.Optional(
      Type.Enum([...GLOBAL_SERVICES_DECISIONS], {
        description:
          'What became of spec.globalServices. Shared = Services that ask for it by annotation are. LeftToClusterMesh = Auto, and Cilium’s own cluster mesh is there. NotShared = Disabled.',
      }),
    ),
    trustDomain: Type.Optional(
      Type.String({ description: 'What its workloads are called in their certificates: spiffe://<this>/ns/…/sa/….' }),
    ),
    roots: Type.Optional(
      Type.Array(
        Type.Object(
          {
            fingerprint: Type.String({ description: 'First 16 digits of the SHA-256 of the certificate.' }),
            expires: Type.String({ description: 'When it expires.', format: 'date-time' }),
          },
          { description: 'A certificate that vouches for its workloads.' },
        ),
        {
          description: 'Roots of the cluster that the hub hands to the members.',
          'x-kubernetes-list-type': 'map',
          'x-kubernetes-list-map-keys': ['fingerprint'],
        },
      ),
    ),
    credentialsExpire: Type.Optional(
      Type.String({
        description: 'When the credentials of the kubeconfig expire, where they say so.',
        format: 'date-time',
      }),
    ),
  },
  { description: 'What the control plane found out about the cluster.' },
)
export type ClusterSpec = Static<typeof ClusterSpecSchema>
export type ClusterStatus = Static<typeof ClusterStatusSchema>
export type Cluster = Custom<'Cluster', ClusterSpec, ClusterStatus>
