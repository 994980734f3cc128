import { applyDefaults } from '../api/defaults.ts'
import type { Issue, ObjectRef } from '../api/issue.ts'
import { kindOf } from '../api/kinds.ts'
import { validateObject, type World } from '../webhook/validate.ts'
import { schemaFindings } from '../webhook/validate-schema.ts'
import type { Finding, Manifest } from './manifests.ts'
import { byKind, refOf, wrongShape } from './objects.ts'

/** What admission would say of each object, knowing the others. Kinds that no file holds are unknown, not absent. */
export function admissionFindings(manifests: readonly Manifest[], clusterKey?: string): readonly Finding[] {
  // What is malformed is reported by itself, and tells nothing of others.
  const { services, exports, imports } = byKind(
    manifests.filter(isSound).map(({ object }) => ({ object: applyDefaults(object) })),
  )
  const world: World = {
    ...(services.length === 0 ? {} : { services }),
    ...(imports.length === 0 ? {} : { imports }),
    exports,
    ...(clusterKey === undefined ? {} : { clusterKey }),
  }
  return manifests.flatMap((manifest) => validateObject(manifest.object, world).map((issue) => at(manifest, issue)))
}

function isSound(manifest: Manifest): boolean {
  const kind = kindOf(manifest.object)
  if (kind === undefined) return wrongShape(manifest).length === 0
  return schemaFindings(applyDefaults(manifest.object), kind).every(({ code }) => code === 'FieldUnknown')
}

export function at({ file, lineOf }: Manifest, issue: Issue): Finding {
  return { issue, file, line: lineOf(issue.path) }
}

/** Issues of a decision as findings, where the manifests have their objects; without those that admission found as well. */
export function unsaid(
  issues: readonly Issue[],
  manifests: readonly Manifest[],
  said: readonly Finding[],
): readonly Finding[] {
  const known = new Set(said.map(({ issue }) => keyOf(issue)))
  return issues.filter((issue) => !known.has(keyOf(issue))).map((issue) => locate(manifests, issue))
}

function keyOf({ code, object, path }: Issue): string {
  return JSON.stringify([code, object, path])
}

function locate(manifests: readonly Manifest[], issue: Issue): Finding {
  const manifest = manifests.find(({ object }) => same(refOf(object), issue.object))
  return manifest === undefined ? { issue, file: '-' } : at(manifest, issue)
}

function same(a: ObjectRef, b: ObjectRef): boolean {
  return a.kind === b.kind && a.group === b.group && a.name === b.name && a.namespace === b.namespace
}
