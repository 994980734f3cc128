import type { Namespace } from '../../api/core.ts'
import type { Issue } from '../../api/issue.ts'
import type { MeshConfig } from '../../api/mesh-config.ts'
import type { Mesh } from '../../webhook/decision.ts'
import { inject } from '../../webhook/inject.ts'
import type { MeshSettings } from '../snapshot.ts'
import { hasSidecar, isOver, type MeshPod } from './pods.ts'

/**
 * Pods that run without the sidecar they should carry: they were created while the webhook was not there to be asked.
 * The decision is the webhook's own. Sorted by namespace and name.
 */
export function auditSidecars(
  pods: readonly MeshPod[],
  namespaces: ReadonlyMap<string, Namespace>,
  mesh: Mesh,
): readonly { readonly pod: MeshPod; readonly issue: Issue<'SidecarMissing'> }[] {
  return pods
    .filter((pod) => !isOver(pod) && !hasSidecar(pod) && shouldCarry(pod, namespaces, mesh))
    .toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1))
    .map((pod) => ({
      pod,
      issue: {
        code: 'SidecarMissing',
        object: { kind: 'Pod', namespace: pod.metadata.namespace ?? '', name: pod.metadata.name },
        path: '',
      },
    }))
}

function shouldCarry(pod: MeshPod, namespaces: ReadonlyMap<string, Namespace>, mesh: Mesh): boolean {
  const namespace = namespaces.get(pod.metadata.namespace ?? '')
  if (namespace === undefined) return false
  // A pod that would have been refused runs without a sidecar as well.
  return inject({ pod, namespace, mesh, seed: pod.metadata.uid ?? '' }).decision.outcome !== 'skip'
}

const keyOf = ({ metadata }: MeshPod): string => `${metadata.namespace}/${metadata.name}`

/** What the webhook decides by. What it would put into a pod plays no part here, and is left empty. */
export function auditMesh(mesh: MeshSettings, ownNamespace: string, config: MeshConfig | undefined): Mesh {
  const { name = '', namespace = '' } = config?.metadata ?? {}
  return {
    name: mesh.meshName,
    ownNamespace,
    config: config?.spec ?? {},
    configRef: { kind: 'MeshConfig', namespace, name },
    proxyImage: '',
    initImage: '',
    imagePullPolicy: 'IfNotPresent',
    vipRange: mesh.vipRange,
    mtls: false,
    dns: { nameserver: '', clusterDomain: mesh.clusterDomain, extraSearches: [] },
  }
}
