import { DNS_CONFIGMAP, GATEWAY_CONFIGMAP, ROUTES_CONFIGMAP, ROUTES_VERSION_ANNOTATION } from '../../api/names.ts'
import { hasSidecar, isOver, type MeshPod } from './pods.ts'

/** A ConfigMap as pods mount it. */
export interface Mounted {
  readonly version: string
  /** RFC 3339. */
  readonly changedAt?: string
}

export interface Nudge {
  readonly namespace: string
  readonly name: string
  readonly uid: string
  readonly version: string
}

/** A kubelet that starts a pod reads the ConfigMap as it is then; times are written in whole seconds. */
const START_MARGIN_MS = 2_000

/**
 * Pods that may still have old files mounted, the newest first: they are the likeliest to be waited for.
 * `mountedBy` tells which ConfigMap matters to a pod.
 */
export function staleNudges(
  pods: readonly MeshPod[],
  mountedBy: (pod: MeshPod) => Mounted | undefined,
): readonly Nudge[] {
  return pods
    .filter((pod) => !isOver(pod))
    .flatMap((pod) => {
      const mounted = mountedBy(pod)
      return mounted === undefined || !isStale(pod, mounted) ? [] : [{ pod, version: mounted.version }]
    })
    .toSorted((a, b) => byAge(b.pod, a.pod))
    .map(({ pod: { metadata }, version }) => ({
      namespace: metadata.namespace ?? '',
      name: metadata.name,
      uid: metadata.uid ?? '',
      version,
    }))
}

function isStale({ metadata }: MeshPod, { version, changedAt }: Mounted): boolean {
  const told = metadata.annotations?.[ROUTES_VERSION_ANNOTATION]
  if (told !== undefined) return told !== version
  const created = Date.parse(metadata.creationTimestamp ?? '')
  const changed = Date.parse(changedAt ?? '')
  return !(created > changed + START_MARGIN_MS)
}

function byAge(a: MeshPod, b: MeshPod): number {
  const [left, right] = [a, b].map(
    ({ metadata }) => `${metadata.creationTimestamp} ${metadata.namespace}/${metadata.name}`,
  )
  return (left ?? '') < (right ?? '') ? -1 : 1
}

/** Values of the label `app.kubernetes.io/component` of Portolan's own pods. */
export interface Components {
  readonly gateway: string
  readonly dns: string
}

const COMPONENT = 'app.kubernetes.io/component'

/** Which of the compiler's ConfigMaps, given by `ns/name`, a pod mounts. */
export function mountsIn(tables: ReadonlyMap<string, Mounted>, own: Components & { readonly namespace: string }) {
  const nameOf = (pod: MeshPod): string | undefined => {
    if (hasSidecar(pod)) return ROUTES_CONFIGMAP
    if (pod.metadata.namespace !== own.namespace) return undefined
    const component = pod.metadata.labels?.[COMPONENT]
    if (component === own.gateway) return GATEWAY_CONFIGMAP
    return component === own.dns ? DNS_CONFIGMAP : undefined
  }
  return (pod: MeshPod): Mounted | undefined => {
    const name = nameOf(pod)
    return name === undefined ? undefined : tables.get(`${pod.metadata.namespace}/${name}`)
  }
}
