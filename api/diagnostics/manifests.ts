import type { Diagnostic } from '../issue.ts'

/** What can be wrong with files of manifests before any object in them is looked at. The object of these issues is the file. */
export const MANIFESTS = {
  YamlBroken: { level: 'error', sentence: 'the file is not YAML: {reason}', fix: 'Correct the YAML' },
  NotAnObject: {
    level: 'error',
    sentence: 'the document is {actual}, not a Kubernetes object',
    fix: 'Give it apiVersion, kind and metadata.name',
  },
  ObjectIncomplete: {
    level: 'error',
    sentence: 'the object has no {missing}',
    fix: 'Set {missing}',
  },
  KindUnknown: {
    level: 'error',
    sentence: 'group {group} has no kind {kind} in version {version}',
    fix: 'Write one of {known}',
  },
  ShapeWrong: {
    level: 'error',
    sentence: 'is not {expected}',
    fix: 'Write {expected}',
  },
  GivenTwice: {
    level: 'error',
    sentence: 'the object was given before, in {first}',
    fix: 'Keep one of the two',
  },
} as const satisfies Readonly<Record<string, Diagnostic>>

export type ManifestCode = keyof typeof MANIFESTS
