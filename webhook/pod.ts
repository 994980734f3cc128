import type { Pod } from './decision.ts'
import { isRecord } from './validate-read.ts'

const isTextMap = (value: unknown): boolean =>
  value === undefined || value === null || (isRecord(value) && Object.values(value).every((v) => typeof v === 'string'))

const isNamedList = (value: unknown): boolean =>
  Array.isArray(value) && value.every((item) => isRecord(item) && typeof item['name'] === 'string')

const isContainerList = (value: unknown): boolean =>
  isNamedList(value) && (value as readonly { readonly env?: unknown }[]).every(({ env }) => optional(env, isNamedList))

const optional = (value: unknown, check: (value: unknown) => boolean): boolean =>
  value === undefined || value === null || check(value)

const isText = (value: unknown): boolean => typeof value === 'string'

/** Whether a value has the shape that injection reads. A list that is null, as YAML may have it, counts as absent. */
export const isPod = (value: unknown): value is Pod => {
  if (!isRecord(value) || value['kind'] !== 'Pod' || value['apiVersion'] !== 'v1') return false
  const { metadata, spec } = value
  if (!isRecord(metadata) || !isRecord(spec)) return false
  return (
    [metadata['name'], metadata['generateName'], metadata['namespace']].every((text) => optional(text, isText)) &&
    isTextMap(metadata['annotations']) &&
    isTextMap(metadata['labels']) &&
    optional(spec['containers'], isContainerList) &&
    optional(spec['initContainers'], isContainerList) &&
    optional(spec['volumes'], isNamedList) &&
    optional(spec['dnsConfig'], isDnsConfig) &&
    optional(spec['nodeSelector'], isRecord) &&
    optional(spec['os'], isRecord)
  )
}

const isDnsConfig = (value: unknown): boolean =>
  isRecord(value) &&
  [value['nameservers'], value['searches']].every((list) =>
    optional(list, (texts) => Array.isArray(texts) && texts.every(isText)),
  ) &&
  optional(value['options'], isNamedList)
