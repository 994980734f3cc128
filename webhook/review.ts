import type { Add } from './decision.ts'
import { isRecord } from './validate-read.ts'

/** What the API server asks, as far as it is read. AdmissionReview admission.k8s.io/v1. */
export interface AdmissionRequest {
  /** Echoed in the answer. */
  readonly uid: string
  readonly kind: { readonly group: string; readonly version: string; readonly kind: string }
  readonly operation: 'CREATE' | 'UPDATE' | 'DELETE' | 'CONNECT'
  readonly name?: string
  readonly namespace?: string
  readonly subResource?: string
  readonly dryRun?: boolean
  /** Null on DELETE. */
  readonly object: unknown
}

export interface AdmissionResponse {
  readonly uid: string
  readonly allowed: boolean
  readonly status?: { readonly code: number; readonly reason: string; readonly message: string }
  readonly warnings?: readonly string[]
  readonly patchType?: 'JSONPatch'
  /** Base64 of the JSON. */
  readonly patch?: string
}

const API_VERSION = 'admission.k8s.io/v1'
const OPERATIONS: readonly unknown[] = ['CREATE', 'UPDATE', 'DELETE', 'CONNECT']

const optionalText = (value: unknown): value is string | undefined | null =>
  value === undefined || value === null || typeof value === 'string'

// Not String(): an object can have a toString that is no function.
const text = (value: unknown): string => (typeof value === 'string' ? value : '')

/** The request of a review, or the sentence that says what is wrong with it. */
export const readReview = (body: unknown): AdmissionRequest | string => {
  if (!isRecord(body)) return 'the body is not an AdmissionReview object'
  if (body['kind'] !== 'AdmissionReview' || body['apiVersion'] !== API_VERSION) {
    return `the body is ${described(body['apiVersion'])} ${described(body['kind'])}; send ${API_VERSION} AdmissionReview`
  }
  const { request } = body
  if (!isRecord(request)) return 'the AdmissionReview has no request'
  const { uid, kind, operation, name, namespace, subResource, dryRun, object = null } = request
  if (typeof uid !== 'string' || uid === '') return 'request.uid is not a text'
  if (!isRecord(kind) || typeof kind['kind'] !== 'string') return 'request.kind names no kind'
  if (!OPERATIONS.includes(operation)) return `request.operation ${described(operation)} is unknown`
  if (!optionalText(name) || !optionalText(namespace) || !optionalText(subResource)) {
    return 'request.name, request.namespace and request.subResource must be texts'
  }
  return {
    uid,
    kind: { group: text(kind['group']), version: text(kind['version']), kind: kind['kind'] },
    operation: operation as AdmissionRequest['operation'],
    ...(name ? { name } : {}),
    ...(namespace ? { namespace } : {}),
    ...(subResource ? { subResource } : {}),
    dryRun: dryRun === true,
    object,
  }
}

const described = (value: unknown): string => (typeof value === 'string' ? value.slice(0, 100) : typeof value)

export const reviewOf = (response: AdmissionResponse) => ({
  apiVersion: API_VERSION,
  kind: 'AdmissionReview',
  response,
})

type Patch = readonly (Add | { readonly op: 'replace'; readonly path: string; readonly value: unknown })[]

export const allow = (uid: string, warnings: readonly string[] = [], patch: Patch = []): AdmissionResponse => ({
  uid,
  allowed: true,
  ...(warnings.length === 0 ? {} : { warnings }),
  ...(patch.length === 0
    ? {}
    : { patchType: 'JSONPatch', patch: Buffer.from(JSON.stringify(patch), 'utf8').toString('base64') }),
})

export const deny = (uid: string, message: string, warnings: readonly string[] = []): AdmissionResponse => ({
  uid,
  allowed: false,
  status: { code: 422, reason: 'Invalid', message },
  ...(warnings.length === 0 ? {} : { warnings }),
})
