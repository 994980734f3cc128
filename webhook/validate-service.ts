/** What there is to say about Services of users: that of annotations by which clusters share them. Never an error. */
import type { Service } from '../api/core.ts'
import { globalServiceIssues } from '../api/global-service.ts'
import type { Issue } from '../api/issue.ts'
import type { KubeObject } from '../api/meta.ts'
import { isRecord } from './validate-read.ts'

export function serviceIssues(object: KubeObject): readonly Issue[] {
  const { metadata } = object
  // What is no map of texts the API server refuses, and `validate` reports by itself.
  if (!isRecord(metadata) || !isTexts(metadata.annotations ?? {})) return []
  return globalServiceIssues(object as Service)
}

function isTexts(value: unknown): boolean {
  return isRecord(value) && Object.values(value).every((each) => typeof each === 'string')
}
