/** Kubernetes' own kinds that `portolan check` looks at, as far as it does. */
import type { KubeObject } from '../../api/meta.ts'
import type { Schema } from '../../api/structural.ts'
import type { Resource } from '../../kube/object.ts'

export interface Definition extends KubeObject {
  readonly spec: {
    readonly versions: readonly {
      readonly name: string
      readonly served: boolean
      readonly schema?: { readonly openAPIV3Schema?: Schema }
    }[]
  }
}

export interface WebhookConfiguration extends KubeObject {
  readonly webhooks?: readonly {
    readonly name: string
    /** Base64 of PEM. */
    readonly clientConfig: { readonly caBundle?: string }
  }[]
}

export interface Node extends KubeObject {
  readonly spec: { readonly podCIDRs?: readonly string[] }
  readonly status?: { readonly addresses?: readonly { readonly type: string; readonly address: string }[] }
}

export interface ServiceRange extends KubeObject {
  readonly spec: { readonly cidrs?: readonly string[] }
}

function inCluster<T extends KubeObject>(group: string, kind: string, plural: string): Resource<T> {
  return { group, version: 'v1', plural, kind, namespaced: false }
}

const ADMISSION = 'admissionregistration.k8s.io'

export const DEFINITIONS = inCluster<Definition>(
  'apiextensions.k8s.io',
  'CustomResourceDefinition',
  'customresourcedefinitions',
)
export const MUTATING_WEBHOOKS = inCluster<WebhookConfiguration>(
  ADMISSION,
  'MutatingWebhookConfiguration',
  'mutatingwebhookconfigurations',
)
export const VALIDATING_WEBHOOKS = inCluster<WebhookConfiguration>(
  ADMISSION,
  'ValidatingWebhookConfiguration',
  'validatingwebhookconfigurations',
)
export const NODES = inCluster<Node>('', 'Node', 'nodes')
/** Since Kubernetes 1.33. */
export const SERVICE_RANGES = inCluster<ServiceRange>('networking.k8s.io', 'ServiceCIDR', 'servicecidrs')
