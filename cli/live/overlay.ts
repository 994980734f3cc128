import type { Service } from '../../api/core.ts'
import type { KubeObject } from '../../api/meta.ts'
import type { ServiceImport } from '../../api/service-import.ts'
import { keyOf } from '../../compiler/keys.ts'
import type { Snapshot } from '../../compiler/snapshot.ts'
import type { Objects } from '../objects.ts'
import { asApplied } from '../offline.ts'

/**
 * The snapshot that a cluster would give once the objects are applied to it. What the cluster fills in stays; Services
 * that are new count as having a ready pod, for a change is looked at as it is meant to work.
 */
export function overlay(live: Snapshot, given: Objects): Snapshot {
  const known = new Set(live.services.map(keyOf))
  const created = given.services.filter((service) => !known.has(keyOf(service)))
  const filled = asApplied({ ...given, services: created }, live.mesh, [])
  const changed = given.services.filter((service) => known.has(keyOf(service)))
  return {
    ...live,
    namespaces: over(live.namespaces, given.namespaces),
    services: over(live.services, [...changed, ...filled.services], keepAddress),
    endpointSlices: over(live.endpointSlices, filled.endpointSlices),
    imports: over(live.imports, given.imports, keepAssigned),
    exports: over(live.exports, given.exports),
    mcsExports: over(live.mcsExports ?? [], given.mcsExports),
    policies: over(live.policies, given.policies),
  }
}

/** @param keep what of the object there stays although the file does not say it */
function over<T extends KubeObject>(
  live: readonly T[],
  given: readonly T[],
  keep: (there: T, file: T) => T = (_, file) => file,
): readonly T[] {
  const files = new Map(given.map((object) => [keyOf(object), object]))
  const known = new Set(live.map(keyOf))
  return [
    ...live.map((there) => {
      const file = files.get(keyOf(there))
      return file === undefined ? there : applied(there, keep(there, file))
    }),
    ...given.filter((object) => !known.has(keyOf(object))),
  ]
}

/** Labels and annotations that others have set stay, as does what tells the object's age and state. */
function applied<T extends KubeObject>(there: T, file: T): T {
  const { labels, annotations } = file.metadata
  const metadata = {
    ...there.metadata,
    labels: { ...there.metadata.labels, ...labels },
    annotations: { ...there.metadata.annotations, ...annotations },
  }
  return { ...there, ...file, metadata }
}

function keepAddress(there: Service, file: Service): Service {
  return { ...file, spec: { ...there.spec, ...file.spec } }
}

function keepAssigned(there: ServiceImport, file: ServiceImport): ServiceImport {
  const { ips } = there.spec
  return ips === undefined || file.spec.ips !== undefined ? file : { ...file, spec: { ...file.spec, ips } }
}
