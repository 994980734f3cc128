import type { KubeObject, ObjectMeta } from '../../api/meta.ts'
import { IDENTITY_VOLUME, PROXY_CONTAINER } from '../../api/names.ts'
import type { LivePod } from '../../api/resources.ts'
import type { Pod } from '../../webhook/decision.ts'

/** A pod as the compiler remembers it: what injection decides by, and where its proxy can be asked. */
export interface MeshPod extends KubeObject {
  readonly spec: Pod['spec']
  readonly ip?: string
  readonly phase: string
  readonly ready: boolean
}

type Named = { readonly name: string }

/** Keeps little: pods are many and big. */
export function keepPod(pod: LivePod): MeshPod {
  const spec = pod.spec as LivePod['spec'] & Pod['spec']
  const { name, namespace, uid, resourceVersion, creationTimestamp, deletionTimestamp, labels, annotations } =
    pod.metadata
  const metadata = { name, namespace, uid, resourceVersion, creationTimestamp, deletionTimestamp, labels, annotations }
  const kept = {
    hostNetwork: spec.hostNetwork,
    os: spec['os'],
    nodeSelector: spec['nodeSelector'],
    dnsPolicy: spec.dnsPolicy,
    serviceAccountName: spec['serviceAccountName'],
    containers: spec.containers.map(({ name, ports }: Named & { ports?: unknown }) => defined({ name, ports })),
    initContainers: spec.initContainers?.map(({ name }) => ({ name })),
    volumes: spec.volumes?.map(({ name }) => ({ name })),
  }
  const ip = pod.status?.podIP
  return {
    apiVersion: pod.apiVersion,
    kind: pod.kind,
    metadata: defined(metadata) as unknown as ObjectMeta,
    spec: defined(kept) as unknown as Pod['spec'],
    ...(ip === undefined ? {} : { ip }),
    phase: pod.status?.phase ?? 'Unknown',
    ready: pod.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false,
  }
}

export const hasSidecar = ({ spec }: MeshPod): boolean =>
  spec.initContainers?.some(({ name }) => name === PROXY_CONTAINER) ?? false

/** Whether its proxy was given the certificate of its service account, without which it cannot speak TLS. */
export const hasIdentity = ({ spec }: MeshPod): boolean =>
  spec.volumes?.some(({ name }) => name === IDENTITY_VOLUME) ?? false

/** Ended, or on its way out: nothing can be done for it, or needs to be. */
export const isOver = (pod: MeshPod): boolean => pod.metadata.deletionTimestamp !== undefined || hasEnded(pod)

export const hasEnded = ({ phase }: MeshPod): boolean => phase === 'Succeeded' || phase === 'Failed'

const defined = (fields: object): object =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))
