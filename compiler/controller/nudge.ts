import {
  DNS_CONFIGMAP,
  EGRESS_CONFIGMAP,
  GATEWAY_CONFIGMAP,
  ROUTES_CONFIGMAP,
  ROUTES_VERSION_ANNOTATION,
} from '../../api/names.ts'
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
 * `mountedBy` tells which ConfigMap matters to a pod, `triesOf` how often its proxy said that it still runs something else.
 */
export function staleNudges(
  pods: readonly MeshPod[],
  mountedBy: (pod: MeshPod) => Mounted | undefined,
  triesOf: (uid: string) => number,
): readonly Nudge[] {
  return pods
    .filter((pod) => !isOver(pod))
    .flatMap((pod) => {
      const mounted = mountedBy(pod)
      const version = mounted && nudgeWith(pod, mounted, triesOf(pod.metadata.uid ?? ''))
      return version === undefined ? [] : [{ pod, version }]
    })
    .toSorted((a, b) => byAge(b.pod, a.pod))
    .map(({ pod: { metadata }, version }) => ({
      namespace: metadata.namespace ?? '',
      name: metadata.name,
      uid: metadata.uid ?? '',
      version,
    }))
}

/** Asked so often in vain, which takes some 3, 9 and 19 seconds, a pod is nudged again; then something else is wrong. */
const TRIES_BEFORE_NUDGE = [8, 10, 12]

/** The annotation that the pod should get, if any: the version, and `.2`, `.3` … when it was told before to no avail. */
function nudgeWith({ metadata }: MeshPod, { version, changedAt }: Mounted, tries: number): string | undefined {
  const [told, count = '1'] = metadata.annotations?.[ROUTES_VERSION_ANNOTATION]?.split('.') ?? []
  if (told === undefined) {
    const created = Date.parse(metadata.creationTimestamp ?? '')
    const changed = Date.parse(changedAt ?? '')
    return created > changed + START_MARGIN_MS && tries < (TRIES_BEFORE_NUDGE[0] ?? 0) ? undefined : version
  }
  if (told !== version) return version
  const nudges = Number(count)
  return tries >= (TRIES_BEFORE_NUDGE[nudges - 1] ?? Number.POSITIVE_INFINITY) ? `${version}.${nudges + 1}` : undefined
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
  readonly egress: string
  readonly dns: string
}

const COMPONENT = 'app.kubernetes.io/component'

/** Whether a pod is one of Portolan's own, of one component. */
export const isComponent = ({ metadata }: MeshPod, ownNamespace: string, component: string): boolean =>
  metadata.namespace === ownNamespace && metadata.labels?.[COMPONENT] === component

/** Which of the compiler's ConfigMaps, given by `ns/name`, a pod mounts. */
export function mountsIn(tables: ReadonlyMap<string, Mounted>, own: Components & { readonly namespace: string }) {
  const nameOf = (pod: MeshPod): string | undefined => {
    if (hasSidecar(pod)) return ROUTES_CONFIGMAP
    if (isComponent(pod, own.namespace, own.gateway)) return GATEWAY_CONFIGMAP
    if (isComponent(pod, own.namespace, own.egress)) return EGRESS_CONFIGMAP
    return isComponent(pod, own.namespace, own.dns) ? DNS_CONFIGMAP : undefined
  }
  return (pod: MeshPod): Mounted | undefined => {
    const name = nameOf(pod)
    return name === undefined ? undefined : tables.get(`${pod.metadata.namespace}/${name}`)
  }
}
