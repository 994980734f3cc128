import type { Code } from '../../api/diagnostics.ts'
import type { Issue } from '../../api/issue.ts'
import type { ServiceImport } from '../../api/service-import.ts'
import type { WantedSlice } from '../slices.ts'

/** One write into a member. */
export type Action =
  | {
      readonly do: 'applyIdentity'
      readonly namespace: string
      /** Of the ConfigMap. */
      readonly data: Readonly<Record<string, string>>
    }
  | { readonly do: 'removeIdentity'; readonly namespace: string; readonly uid: string }
  | { readonly do: 'applyTrust'; readonly namespace: string; readonly data: Readonly<Record<string, string>> }
  | { readonly do: 'removeTrust'; readonly namespace: string; readonly uid: string }
  | { readonly do: 'createNamespace'; readonly name: string }
  | { readonly do: 'applyImport'; readonly import: WantedImport }
  | { readonly do: 'removeImport'; readonly namespace: string; readonly name: string; readonly uid: string }
  | { readonly do: 'applySlice'; readonly slice: WantedSlice }
  | { readonly do: 'removeSlice'; readonly namespace: string; readonly name: string; readonly uid: string }
  | {
      readonly do: 'applyStatus'
      /** Of the export; apiVersion as the member serves it. */
      readonly apiVersion: string
      readonly namespace: string
      readonly name: string
      readonly uid: string
      readonly status: Readonly<Record<string, unknown>>
      /** The status as it was. */
      readonly before: unknown
      /** What it says beside the reasons of its conditions. */
      readonly remarks: readonly Issue<Code>[]
    }

export interface WantedImport {
  readonly namespace: string
  readonly name: string
  /** Absent when there is none yet. */
  readonly uid?: string
  /** Absent when nothing is wanted but what is kept. */
  readonly wanted?: ServiceImport
  /** Keys of clusters whose endpoints stay although they are not wanted; sorted. */
  readonly keep: readonly string[]
  /** Stands for `wanted` and `keep`. */
  readonly content: string
}

export interface Plan {
  /** In the order in which they are safe: who the member is, whom it may trust, what is new, what goes, what is said of it. */
  readonly actions: readonly Action[]
  readonly issues: readonly Issue<Code>[]
}

/** What the API server made of a content that was written into the import `ns/name`, or slice, by its key: its hash. */
export type Accepted = (key: string, content: string) => string | undefined
