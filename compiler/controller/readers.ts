import type { Issue } from '../../api/issue.ts'
import { newcomers, type Readers } from '../files.ts'
import type { SidecarTable } from '../tables.ts'
import { hasIdentity, hasSidecar, type MeshPod } from './pods.ts'

/**
 * For which sidecars the table of a namespace is written: those that are made now, and those that are left of before. One
 * that was made without an identity would not understand the files of the others.
 * @param known whether all pods of a namespace are among `pods`
 */
export function readersIn(
  pods: readonly MeshPod[],
  known: (namespace: string) => boolean,
): (table: SidecarTable) => Readers {
  const byNamespace = Map.groupBy(pods.filter(hasSidecar), ({ metadata }) => metadata.namespace ?? '')
  return (table) => {
    const now = newcomers(table)
    const own = byNamespace.get(table.namespace) ?? []
    return {
      plain: now.plain || !known(table.namespace) || own.some((pod) => !hasIdentity(pod)),
      mtls: now.mtls || own.some(hasIdentity),
    }
  }
}

/** Pods whose sidecar was made before there were identities: what they call in other clusters is plain HTTP. */
export function withoutIdentity(
  pods: readonly MeshPod[],
): readonly { readonly pod: MeshPod; readonly issue: Issue<'SidecarWithoutIdentity'> }[] {
  return pods
    .filter((pod) => hasSidecar(pod) && !hasIdentity(pod))
    .map((pod) => ({
      pod,
      issue: {
        code: 'SidecarWithoutIdentity',
        object: { kind: 'Pod', namespace: pod.metadata.namespace ?? '', name: pod.metadata.name },
        path: '',
      },
    }))
}
