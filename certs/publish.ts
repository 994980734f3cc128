import { FIELD_MANAGER } from '../api/names.ts'
import type { KubeClient } from '../kube/client.ts'
import type { Failure } from '../kube/failure.ts'
import type { KubeObject, Resource } from '../kube/object.ts'

/** A Mutating- or ValidatingWebhookConfiguration, as far as trust goes. */
export interface WebhookConfiguration extends KubeObject {
  readonly webhooks?: readonly { readonly name: string; readonly clientConfig?: { readonly caBundle?: string } }[]
}

const configurations = (kind: string, plural: string): Resource<WebhookConfiguration> => ({
  group: 'admissionregistration.k8s.io',
  version: 'v1',
  plural,
  kind,
  namespaced: false,
})

export const MUTATING = configurations('MutatingWebhookConfiguration', 'mutatingwebhookconfigurations')
export const VALIDATING = configurations('ValidatingWebhookConfiguration', 'validatingwebhookconfigurations')

export interface Target {
  readonly resource: Resource<WebhookConfiguration>
  readonly name: string
}

/** The webhooks of a configuration that do not trust exactly `caBundle` (base64) yet; empty = nothing to write. */
export const untrusting = (configuration: WebhookConfiguration, caBundle: string): readonly string[] =>
  (configuration.webhooks ?? [])
    .filter((webhook) => webhook.clientConfig?.caBundle !== caBundle)
    .map((webhook) => webhook.name)

/**
 * Makes the API server trust `bundle` (PEM) for every webhook of the targets. A configuration that does not exist calls
 * nobody and is no failure. Returns what could not be written.
 */
export const publish = async (
  client: KubeClient,
  targets: readonly Target[],
  bundle: string,
): Promise<readonly Failure[]> => {
  const caBundle = Buffer.from(bundle, 'utf8').toString('base64')
  const results = await Promise.all(targets.map((target) => publishTo(client, target, caBundle)))
  return results.filter((failure) => failure !== undefined)
}

const publishTo = async (client: KubeClient, target: Target, caBundle: string): Promise<Failure | undefined> => {
  const { resource, name } = target
  const found = await client.get(resource, { name })
  if (!found.ok) return found.failure.reason === 'NotFound' ? undefined : found.failure
  if (untrusting(found.value, caBundle).length === 0) return undefined
  // All of them, for what an apply leaves out its field manager gives up.
  const webhooks = (found.value.webhooks ?? []).map((webhook) => ({ name: webhook.name, clientConfig: { caBundle } }))
  const applied = await client.apply(resource, { metadata: { name }, webhooks }, { manager: FIELD_MANAGER.certs })
  return applied.ok ? undefined : applied.failure
}
