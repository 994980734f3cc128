import type { Namespace } from '../api/core.ts'
import type { Code } from '../api/diagnostics.ts'
import type { Issue } from '../api/issue.ts'
import { IMPORTS_ANNOTATION, MONITORED_BY } from '../api/names.ts'
import { by, unique } from './order.ts'
import type { Snapshot } from './snapshot.ts'

/** A namespace of the mesh and the imports that its sidecars know. */
export interface Scope {
  readonly namespace: string
  /** Absent when the namespace knows all imports. @param service namespace/name */
  readonly includes?: (service: string) => boolean
  readonly issues: readonly Issue<Code>[]
}

const firstLabel = (namespace: Namespace): string | undefined =>
  MONITORED_BY.map((label) => namespace.metadata.labels?.[label]).find((value) => value !== undefined)

const NAME = '[a-z0-9]([-a-z0-9]*[a-z0-9])?'
const ENTRY = new RegExp(`^${NAME}/(${NAME}|\\*)$`)

const scopeOf = (namespace: Namespace): Scope => {
  const { name, annotations } = namespace.metadata
  const list = annotations?.[IMPORTS_ANNOTATION]
  if (list === undefined) return { namespace: name, issues: [] }
  const entries = list
    .split(',')
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '')
  const wanted = new Set(entries)
  return {
    namespace: name,
    includes: (service) => wanted.has(service) || wanted.has(`${service.split('/')[0]}/*`),
    issues: entries
      .filter((entry) => !ENTRY.test(entry))
      .map((value) => ({
        code: 'ScopeNotUnderstood',
        object: { kind: 'Namespace', name },
        path: `metadata.annotations[${IMPORTS_ANNOTATION}]`,
        value,
      })),
  }
}

/** The mesh's namespaces and those on their way out of it, sorted by name. A namespace with the annotation knows what it names and nothing else. */
export const scopesOf = ({
  namespaces,
  leaving = [],
  mesh,
}: Pick<Snapshot, 'namespaces' | 'leaving' | 'mesh'>): readonly Scope[] => {
  const left = new Set(leaving)
  // Who has another mesh's label gets that mesh's table.
  const meshOf = (namespace: Namespace) =>
    firstLabel(namespace) ?? (left.has(namespace.metadata.name) ? mesh.meshName : undefined)
  return unique(
    namespaces.filter((namespace) => meshOf(namespace) === mesh.meshName).map(scopeOf),
    (scope) => scope.namespace,
  ).toSorted(by((scope) => scope.namespace))
}
