import type { Namespace } from '../api/core.ts'
import { format, formatProblem, levelOf } from '../api/diagnostics.ts'
import type { Issue, ObjectRef } from '../api/issue.ts'
import { kindOf } from '../api/kinds.ts'
import type { KubeObject } from '../api/meta.ts'
import { MCS_GROUP } from '../api/names.ts'
import type { Mesh } from './decision.ts'
import { inject } from './inject.ts'
import { podRef } from './inject-rules.ts'
import { isPod } from './pod.ts'
import { type AdmissionRequest, type AdmissionResponse, allow, deny, readReview, reviewOf } from './review.ts'
import { applyDefaults, isCheckedForOthers, toAdmission, validateObject, type World } from './validate.ts'
import { isRecord } from './validate-read.ts'

/** One path of the server: pods get sidecars, objects of ours get defaults, and are checked. */
export const DOORS = ['inject', 'mutate', 'validate'] as const
export type Door = (typeof DOORS)[number]

/** Where answers take their knowledge from, as it is at the moment of asking. */
export interface Sources {
  readonly mesh: () => Mesh
  /** May ask the API server about a namespace younger than the cache. */
  readonly namespace: (name: string) => Promise<Namespace | undefined>
  readonly world: () => World
}

/** What one question came to, for the log and the counters. */
export interface Verdict {
  readonly door: Door
  readonly uid: string
  readonly operation: AdmissionRequest['operation']
  readonly object: ObjectRef
  readonly dryRun: boolean
  readonly outcome: 'allowed' | 'patched' | 'denied'
  /** Codes of the catalogue, the deciding one first; never empty. */
  readonly codes: readonly [string, ...string[]]
}

export type Answer =
  /** The question itself is at fault. */
  | { readonly status: 400; readonly message: string }
  | { readonly status: 200; readonly review: ReturnType<typeof reviewOf>; readonly verdict: Verdict }

interface Judgement {
  readonly response: AdmissionResponse
  readonly object: ObjectRef
  readonly codes: readonly string[]
}

/** Answers one AdmissionReview, whatever it looks like. Changes nothing anywhere, so that a dry run needs no care. */
export const answer = async (door: Door, body: unknown, sources: Sources): Promise<Answer> => {
  const request = readReview(body)
  if (typeof request === 'string') return { status: 400, message: request }
  const judgement = door === 'inject' ? await judgePod(request, sources) : judgeObject(door, request, sources)
  if (typeof judgement === 'string') return { status: 400, message: judgement }
  const { response, object, codes } = judgement
  const { uid, operation, dryRun = false } = request
  const [first = response.allowed ? 'Accepted' : 'Refused', ...others] = [...new Set(codes)]
  const outcome = !response.allowed ? 'denied' : response.patch === undefined ? 'allowed' : 'patched'
  const verdict: Verdict = { door, uid, operation, object, dryRun, outcome, codes: [first, ...others] }
  return { status: 200, review: reviewOf(response), verdict }
}

const judgePod = async (request: AdmissionRequest, sources: Sources): Promise<Judgement | string> => {
  const { uid, kind, operation, subResource, object: pod } = request
  if (kind.group !== '' || kind.kind !== 'Pod') return wrongKind('inject', request)
  if (operation !== 'CREATE' || subResource !== undefined) {
    const object = {
      kind: 'Pod',
      ...(request.namespace ? { namespace: request.namespace } : {}),
      name: request.name ?? '',
    }
    return { response: allow(uid), object, codes: ['NotACreation'] }
  }
  if (!isPod(pod)) return 'request.object is not a v1 Pod with metadata and a spec'
  const name = request.namespace ?? pod.metadata.namespace ?? 'default'
  const namespace = (await sources.namespace(name)) ?? unknownNamespace(name)
  const result = inject({ pod, namespace, mesh: sources.mesh(), seed: uid })
  const object = podRef(pod, name)
  // A pod is also told of what its namespace or the mesh says.
  const warnings = ofLevel(result.issues, 'warning').map((issue) =>
    issue.object.kind === 'Pod' ? formatProblem(issue) : format(issue),
  )
  const codes = result.issues.map((issue) => issue.code)
  if (result.decision.outcome === 'refuse') {
    return {
      response: deny(uid, refusal(ofLevel(result.issues, 'error')), warnings),
      object,
      codes: [result.decision.code, ...codes],
    }
  }
  const decided = result.decision.outcome === 'skip' ? result.decision.code : 'Injected'
  return { response: allow(uid, warnings, result.patch), object, codes: [decided, ...codes] }
}

/** With the object in each line: a pod can be refused for what its namespace or the mesh says. */
const refusal = (errors: readonly Issue[]): string =>
  errors.length === 1
    ? errors.map(format).join('')
    : [`${errors.length} problems:`, ...errors.map((issue) => `- ${format(issue)}`)].join('\n')

const judgeObject = (door: 'mutate' | 'validate', request: AdmissionRequest, sources: Sources): Judgement | string => {
  const { uid, operation, kind, object } = request
  const ref: ObjectRef = {
    kind: kind.kind,
    ...(kind.group === MCS_GROUP ? { group: MCS_GROUP } : {}),
    ...(request.namespace ? { namespace: request.namespace } : {}),
    name: request.name ?? '',
  }
  if (!isJudged(door, kind)) return wrongKind(door, request)
  if (operation === 'DELETE' || operation === 'CONNECT' || request.subResource !== undefined) {
    return { response: allow(uid), object: ref, codes: [] }
  }
  if (!isKubeObject(object)) return 'request.object has no apiVersion, kind and metadata'
  // What is on its way out must be let go, whatever is wrong with it: only its finalizers can still change.
  if (object.metadata.deletionTimestamp !== undefined) return { response: allow(uid), object: ref, codes: [] }
  const issues = validateObject(object, sources.world())
  const { allowed, message, warnings } = toAdmission(issues)
  const codes = [...ofLevel(issues, 'error'), ...ofLevel(issues, 'warning')].map((issue) => issue.code)
  if (!allowed) return { response: deny(uid, message, warnings), object: ref, codes }
  const patch = door === 'mutate' ? defaultsPatch(object) : []
  return { response: allow(uid, warnings, patch), object: ref, codes }
}

/** Objects of others are checked as far as we act on them, and never changed. */
const isJudged = (door: 'mutate' | 'validate', { group, version, kind }: AdmissionRequest['kind']): boolean => {
  const object = { apiVersion: group === '' ? version : `${group}/${version}`, kind }
  return kindOf(object) !== undefined || (door === 'validate' && isCheckedForOthers(object))
}

const isKubeObject = (value: unknown): value is KubeObject =>
  isRecord(value) &&
  typeof value['apiVersion'] === 'string' &&
  typeof value['kind'] === 'string' &&
  isRecord(value['metadata'])

const defaultsPatch = (object: KubeObject) => {
  const before = object as KubeObject & { readonly spec?: unknown }
  const after = applyDefaults(object) as typeof before
  return after.spec === before.spec ? [] : [{ op: 'add' as const, path: '/spec', value: after.spec }]
}

const ofLevel = (issues: readonly Issue[], level: ReturnType<typeof levelOf>): readonly Issue[] =>
  issues.filter((issue) => levelOf(issue) === level)

const wrongKind = (door: Door, { kind }: AdmissionRequest): string =>
  `/${door} does not answer for ${`${kind.group === '' ? '' : `${kind.group}/`}${kind.version} ${kind.kind}`.slice(0, 500)}: correct the rules of the webhook configuration`

const unknownNamespace = (name: string): Namespace => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } })
