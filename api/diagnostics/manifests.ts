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
    sentence: 'the object lacks {missing}',
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

  // Folders of several clusters.
  FolderWithoutCluster: {
    level: 'error',
    sentence: 'no Cluster has the name {folder}, so nobody knows which cluster its objects belong to',
    fix: 'Add a Cluster of that name, or remove the folder when the cluster has left',
  },
  NoClusterFolder: {
    level: 'error',
    sentence: 'the file is in no folder below {dir}, so nobody knows which cluster the object belongs to',
    fix: 'Move it into a folder with the name of its Cluster',
  },
  ImportByHand: {
    level: 'error',
    sentence: 'the cluster has an import of this name that is not made from exports, and one that is',
    fix: 'Remove the one, or the exports that the other is made from',
  },
} as const satisfies Readonly<Record<string, Diagnostic>>

export type ManifestCode = keyof typeof MANIFESTS
