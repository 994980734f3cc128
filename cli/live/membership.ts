import type { Namespace } from '../../api/core.ts'
import { INJECTION, MONITORED_BY } from '../../api/names.ts'
import { hasSidecar, isOver, type MeshPod } from '../../compiler/controller/pods.ts'

/** One namespace and the mesh. */
export interface Membership {
  readonly namespace: string
  /** Of this mesh. */
  readonly member: boolean
  readonly injection: 'enabled' | 'disabled' | 'unset'
  /** Names of its pods. */
  readonly withSidecar: readonly string[]
  readonly withoutSidecar: readonly string[]
  /** Those of them that never get one: on the node's network, or told so. */
  readonly exempt: readonly string[]
}

/** Namespaces of the mesh, and those that have left it while sidecars still run there; by name. */
export function memberships(
  namespaces: readonly Namespace[],
  pods: readonly MeshPod[],
  meshName: string,
): readonly Membership[] {
  const podsOf = Map.groupBy(
    pods.filter((pod) => !isOver(pod)),
    (pod) => pod.metadata.namespace ?? '',
  )
  return namespaces
    .map((namespace) => membershipOf(namespace, podsOf.get(namespace.metadata.name) ?? [], meshName))
    .filter(({ member, withSidecar }) => member || withSidecar.length > 0)
    .toSorted((a, b) => (a.namespace < b.namespace ? -1 : 1))
}

export function membershipOf({ metadata }: Namespace, pods: readonly MeshPod[], meshName: string): Membership {
  const { with: injected = [], without = [] } = Object.fromEntries(
    Map.groupBy(
      pods.filter((pod) => !isOver(pod)),
      (pod) => (hasSidecar(pod) ? 'with' : 'without'),
    ),
  )
  const namesOf = (those: readonly MeshPod[]) => those.map((pod) => pod.metadata.name).toSorted()
  const injection = first(metadata.annotations, INJECTION)
  return {
    namespace: metadata.name,
    member: first(metadata.labels, MONITORED_BY) === meshName,
    injection: injection === 'enabled' || injection === 'disabled' ? injection : 'unset',
    withSidecar: namesOf(injected),
    withoutSidecar: namesOf(without),
    exempt: namesOf(without.filter(isExempt)),
  }
}

function isExempt({ metadata, spec }: MeshPod): boolean {
  return spec.hostNetwork === true || first(metadata.annotations, INJECTION) === 'disabled'
}

/** The first spelling that is there counts, as everywhere. */
function first(
  entries: Readonly<Record<string, string>> | undefined,
  spellings: readonly string[],
): string | undefined {
  return spellings.map((spelling) => entries?.[spelling]).find((value) => value !== undefined)
}

/**
 * The merge patch that makes a namespace a member, or ends that; undefined when nothing is to be changed.
 * @param meshName whose member it becomes; undefined = nobody's
 */
export function membershipPatch({ metadata }: Namespace, meshName: string | undefined): object | undefined {
  const wanted = (spellings: readonly string[], value: string | undefined) =>
    Object.fromEntries(
      spellings.map((spelling, index) => [spelling, index === 0 && value !== undefined ? value : null]),
    )
  const labels = differing(metadata.labels, wanted(MONITORED_BY, meshName))
  const annotations = differing(metadata.annotations, wanted(INJECTION, meshName === undefined ? undefined : 'enabled'))
  const changes = {
    ...(Object.keys(labels).length === 0 ? {} : { labels }),
    ...(Object.keys(annotations).length === 0 ? {} : { annotations }),
  }
  return Object.keys(changes).length === 0 ? undefined : { metadata: changes }
}

function differing(
  present: Readonly<Record<string, string>> | undefined,
  wanted: Readonly<Record<string, string | null>>,
): Readonly<Record<string, string | null>> {
  return Object.fromEntries(Object.entries(wanted).filter(([name, value]) => (present?.[name] ?? null) !== value))
}
