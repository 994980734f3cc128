import type { Namespace } from '../../api/core.ts'
import type { MeshConfigSpec } from '../../api/mesh-config.ts'
import type { DeepReadonly } from '../../api/meta.ts'
import { interceptionOf } from '../../webhook/interception.ts'
import { readStatus } from '../../webhook/uninject.ts'
import { isOver, type MeshPod } from './pods.ts'

/** Names of namespaces where pods name their sidecar as a proxy, or will: those that are told to, and those where some do. Sorted. */
export function explicitNamespaces(
  namespaces: Iterable<Namespace>,
  config: DeepReadonly<MeshConfigSpec> | undefined,
  pods: readonly MeshPod[],
): readonly string[] {
  const told = [...namespaces].filter((each) => interceptionOf(undefined, each, config) === 'explicit')
  const there = pods.filter((pod) => !isOver(pod) && readStatus(pod)?.interception === 'explicit')
  const names = [...told.map(({ metadata }) => metadata.name), ...there.map(({ metadata }) => metadata.namespace ?? '')]
  return [...new Set(names)].toSorted()
}
