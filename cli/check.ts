import type { Issue } from '../api/issue.ts'
import { validateObject, type World } from '../webhook/validate.ts'
import type { Finding, Manifest } from './manifests.ts'
import { byKind } from './objects.ts'

/** What admission would say of each object, knowing the others. Kinds that no file holds are unknown, not absent. */
export function admissionFindings(manifests: readonly Manifest[], clusterKey?: string): readonly Finding[] {
  const { services, exports, imports } = byKind(manifests)
  const world: World = {
    ...(services.length === 0 ? {} : { services }),
    ...(imports.length === 0 ? {} : { imports }),
    exports,
    ...(clusterKey === undefined ? {} : { clusterKey }),
  }
  return manifests.flatMap((manifest) => validateObject(manifest.object, world).map((issue) => at(manifest, issue)))
}

export function at({ file, lineOf }: Manifest, issue: Issue): Finding {
  return { issue, file, line: lineOf(issue.path) }
}
