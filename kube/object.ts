/** What the port needs to know of an object; every Kubernetes object has it. */
export interface KubeObject {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: KubeMeta
}

export interface KubeMeta {
  readonly name: string
  readonly namespace?: string | undefined
  readonly uid?: string
  readonly resourceVersion?: string
}

/** Names one object of a known kind. */
export interface Ref {
  readonly namespace?: string | undefined
  readonly name: string
}

/** One kind as the REST API serves it. `T` is carried for the caller only: nothing checks what the server sends. */
export interface Resource<T extends KubeObject = KubeObject> {
  /** Empty for the core group. */
  readonly group: string
  readonly version: string
  readonly plural: string
  readonly kind: string
  readonly namespaced: boolean
  /** Never set. */
  readonly object?: T
}

export const apiVersion = (resource: Resource): string =>
  resource.group === '' ? resource.version : `${resource.group}/${resource.version}`

/** `ns/name`, or the name alone for cluster-scoped kinds: the key of an informer's store. */
export const keyOf = (ref: Ref): string => (ref.namespace === undefined ? ref.name : `${ref.namespace}/${ref.name}`)

/** Path of a collection: of one namespace, or of the whole cluster when `namespace` is absent. */
export function collectionPath(resource: Resource, namespace?: string): string {
  const root = resource.group === '' ? `/api/${resource.version}` : `/apis/${resource.group}/${resource.version}`
  const scope = resource.namespaced && namespace !== undefined ? `/namespaces/${encodeURIComponent(namespace)}` : ''
  return `${root}${scope}/${resource.plural}`
}

export function objectPath(resource: Resource, ref: Ref, subresource?: string): string {
  const path = `${collectionPath(resource, ref.namespace)}/${encodeURIComponent(ref.name)}`
  return subresource === undefined ? path : `${path}/${subresource}`
}
