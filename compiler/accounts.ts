import type { Service } from '../api/core.ts'
import type { KubeObject } from '../api/meta.ts'
import { keyOf } from './keys.ts'
import { compare } from './order.ts'

/** A pod, or what makes pods, as far as it says what they run as. */
export interface Account extends KubeObject {
  readonly spec: Readonly<Record<string, unknown>>
}

/**
 * Service `ns/name` → names of the service accounts that its pods run as, ready or not; sorted. Services without a
 * selector, and those without pods, are left out.
 */
export function accountsOf(
  services: readonly Service[],
  pods: readonly Account[],
): ReadonlyMap<string, readonly string[]> {
  const byNamespace = Map.groupBy(pods, ({ metadata }) => metadata.namespace ?? 'default')
  const found = services.flatMap((service): readonly (readonly [string, readonly string[]])[] => {
    const wanted = Object.entries(service.spec.selector ?? {})
    if (wanted.length === 0) return []
    const own = (byNamespace.get(service.metadata.namespace ?? 'default') ?? []).filter(({ metadata }) =>
      wanted.every(([label, value]) => metadata.labels?.[label] === value),
    )
    const names = own.map(({ spec: { serviceAccountName: name } }) => (typeof name === 'string' ? name : 'default'))
    return own.length === 0 ? [] : [[keyOf(service), [...new Set(names)].sort(compare)]]
  })
  return new Map(found.toSorted(([a], [b]) => compare(a, b)))
}

/** Pods, and what will be pods, among the documents of a folder of manifests. */
export const podsAmong = (objects: readonly KubeObject[]): readonly Account[] =>
  objects.flatMap((object) => {
    const { spec, metadata } = object as KubeObject & { readonly spec?: Account['spec'] }
    if (object.kind === 'Pod') return spec ? [{ ...object, spec }] : []
    const template = spec?.['template'] as Partial<Account> | undefined
    if (template?.spec === undefined) return []
    const { namespace, name } = metadata
    const own = { ...template.metadata, name, ...(namespace === undefined ? {} : { namespace }) }
    return [{ apiVersion: 'v1', kind: 'Pod', metadata: own, spec: template.spec }]
  })
