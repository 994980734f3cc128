/**
 * Whether what a member lists is what it says it is. An API server sees to that; but a member's may be in anybody's hands,
 * and what one member says must not keep the hub from serving the others. Fields that nobody knows are of a newer version.
 */
import { KINDS, type Kind } from '../../api/kinds.ts'
import type { KubeObject } from '../../api/meta.ts'
import { MCS_GROUP } from '../../api/names.ts'
import { apiVersion, type Resource } from '../../kube/object.ts'
import { isRecord } from '../../webhook/validate-read.ts'
import { schemaFindings } from '../../webhook/validate-schema.ts'

type Check = (value: unknown) => boolean

const LABEL = '[a-z0-9]([-a-z0-9]*[a-z0-9])?'
const NAMESPACE = new RegExp(`^${LABEL}$`)
const NAME = new RegExp(`^${LABEL}([.]${LABEL})*$`)
const MOMENT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/

const isText: Check = (value) => typeof value === 'string'
const matches =
  (form: RegExp): Check =>
  (value) =>
    typeof value === 'string' && value.length <= 253 && form.test(value)
const optional =
  (check: Check): Check =>
  (value) =>
    value === undefined || check(value)
const fields =
  (checks: Readonly<Record<string, Check>>): Check =>
  (value) =>
    isRecord(value) && Object.entries(checks).every(([name, check]) => check(value[name]))
const list =
  (check: Check): Check =>
  (value) =>
    Array.isArray(value) && value.every(check)

const isTexts = optional((value) => isRecord(value) && Object.values(value).every(isText))

const isMeta = fields({
  name: matches(NAME),
  namespace: optional(matches(NAMESPACE)),
  uid: optional(isText),
  resourceVersion: optional(isText),
  generation: optional((value) => Number.isSafeInteger(value)),
  creationTimestamp: optional(matches(MOMENT)),
  deletionTimestamp: optional(matches(MOMENT)),
  labels: isTexts,
  annotations: isTexts,
  managedFields: optional(list(isRecord)),
})

const isPort: Check = (value) => Number.isInteger(value) && Number(value) >= 1 && Number(value) <= 65_535

const isServiceSpec = fields({
  type: optional(isText),
  clusterIP: optional(isText),
  sessionAffinity: optional(isText),
  sessionAffinityConfig: optional(
    fields({ clientIP: optional(fields({ timeoutSeconds: optional((value) => Number.isSafeInteger(value)) })) }),
  ),
  internalTrafficPolicy: optional(isText),
  trafficDistribution: optional(isText),
  ipFamilies: optional(list(isText)),
  ports: optional(
    list(
      fields({
        name: optional((value) => isText(value) && String(value).length <= 63),
        port: isPort,
        protocol: optional(isText),
        appProtocol: optional((value) => isText(value) && String(value).length <= 253),
      }),
    ),
  ),
})

/** Kubernetes writes null for some lists that are empty. */
const orNull =
  (check: Check): Check =>
  (value) =>
    value === null || check(value)
const isFlag = optional((value) => typeof value === 'boolean')

const isSlice = fields({
  addressType: isText,
  endpoints: orNull(
    list(
      fields({
        addresses: list(isText),
        hostname: optional(isText),
        conditions: optional(fields({ ready: isFlag, serving: isFlag, terminating: isFlag })),
      }),
    ),
  ),
  ports: orNull(
    list(
      fields({
        name: optional(isText),
        port: optional(isPort),
        protocol: optional(isText),
        appProtocol: optional(isText),
      }),
    ),
  ),
})

const isStandardExport = fields({
  spec: optional(fields({ exportedLabels: isTexts, exportedAnnotations: isTexts })),
  status: optional(fields({ conditions: optional(list(isRecord)) })),
})

const kindOf = ({ group, kind: name }: Resource): Kind | undefined =>
  KINDS.find((kind) => kind.kind === name && kind.group === group)

/** @param asked what was asked for: what a watch brings may call itself anything */
export const isSound = (object: KubeObject, asked: Resource): boolean => {
  const { kind: called, metadata, spec, data } = object as KubeObject & { readonly spec?: unknown; data?: unknown }
  if (called !== asked.kind || object.apiVersion !== apiVersion(asked) || !isMeta(metadata)) return false
  if (called === 'Service') return isServiceSpec(spec)
  if (called === 'ConfigMap') return isTexts(data)
  if (called === 'EndpointSlice') return isSlice(object)
  if (asked.group === MCS_GROUP) return isStandardExport(object)
  const kind = kindOf(asked)
  if (kind === undefined) return true
  // The API server fills in a spec where there is none.
  if (!isRecord(spec)) return false
  return schemaFindings(object, kind).every(({ code }) => code === 'FieldUnknown')
}
