import ipaddr from 'ipaddr.js'
import type { Issue, ObjectRef } from '../api/issue.ts'
import type { MeshConfigSpec } from '../api/mesh-config.ts'
import type { DeepReadonly } from '../api/meta.ts'
import { ANNOTATION_PREFIXES } from '../api/names.ts'
import type { Mesh, Pod } from './decision.ts'

/** What a pod's owner and the mesh's owner may say about a sidecar, resolved for one pod. */
export interface Settings {
  /** Sorted, unique. */
  readonly excludedPorts: readonly number[]
  /** Networks in CIDR form with host bits cleared; sorted, unique. */
  readonly excludedRanges: readonly string[]
  readonly logLevel: string
  readonly cpuRequest: string
  readonly memoryRequest: string
  readonly cpuLimit: string
  readonly memoryLimit: string
}

type Parsed<T> = { readonly value: T; readonly bad: readonly string[] }

/** How the text of a setting is read; `expected` and `form` complete the message about a bad value. */
interface SettingType<T> {
  readonly expected: string
  readonly form: string
  readonly parse: (text: string) => Parsed<T>
}

type Config = DeepReadonly<MeshConfigSpec>

export interface Setting<T> {
  /** Name of the pod annotation, without its prefix. */
  readonly name: string
  readonly type: SettingType<T>
  readonly default: T
  /** Where MeshConfig has the same setting: its path, and how to read it. */
  readonly meshPath: string
  readonly mesh: (config: Config) => readonly (string | number)[] | string | undefined
  /** How the pod's value and the mesh's go together. */
  readonly merge: (mesh: T, pod: T) => T
  readonly doc: string
}

const LOG_LEVELS: readonly string[] = ['trace', 'debug', 'info', 'warning', 'error', 'critical', 'off']

const items = (text: string): readonly string[] =>
  text.trim() === '' ? [] : text.split(',').map((item) => item.trim())

const listOf = <T>(read: (item: string) => T | undefined, order: (a: T, b: T) => number) => {
  return (text: string): Parsed<readonly T[]> => {
    const value: T[] = []
    const bad: string[] = []
    for (const item of items(text)) {
      const parsed = read(item)
      if (parsed === undefined) bad.push(item)
      else value.push(parsed)
    }
    return { value: [...new Set(value)].sort(order), bad }
  }
}

const oneOf =
  (accepts: (text: string) => boolean) =>
  (text: string): Parsed<string> => {
    const value = text.trim()
    return accepts(value) ? { value, bad: [] } : { value: '', bad: [text] }
  }

const port = (item: string): number | undefined => {
  const number = /^\d{1,5}$/.test(item) ? Number(item) : 0
  return number >= 1 && number <= 65535 ? number : undefined
}

const range = (item: string): string | undefined => {
  if (!ipaddr.isValidCIDR(item) || (!item.includes(':') && !/^\d+\.\d+\.\d+\.\d+\//.test(item))) return undefined
  const [address, bits] = ipaddr.parseCIDR(item)
  const family = address.kind() === 'ipv4' ? ipaddr.IPv4 : ipaddr.IPv6
  return `${family.networkAddressFromCIDR(item)}/${bits}`
}

/** Whether two networks in CIDR form have an address in common; what is none has not. */
export const overlap = (one: string, other: string): boolean => {
  if (![one, other].every((range) => ipaddr.isValidCIDR(range))) return false
  const [[a, aBits], [b, bBits]] = [ipaddr.parseCIDR(one), ipaddr.parseCIDR(other)]
  return a.kind() === b.kind() && a.match(b, Math.min(aBits, bBits))
}

const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

const SCALE: Readonly<Record<string, number>> = {
  ...{ n: 1e-9, u: 1e-6, m: 1e-3, '': 1, k: 1e3, M: 1e6, G: 1e9, T: 1e12 },
  ...{ Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30, Ti: 2 ** 40 },
}

/** Value of a Kubernetes quantity such as `100m` or `64Mi`; undefined when it is none, or not above zero. */
export const quantityValue = (text: string): number | undefined => {
  const match = /^(\d+(?:\.\d+)?)([a-zA-Z]{0,2})$/.exec(text)
  const scale = match === null ? undefined : SCALE[match[2] ?? '']
  const value = scale === undefined ? 0 : Number(match?.[1]) * scale
  return value > 0 ? value : undefined
}

const PORTS: SettingType<readonly number[]> = {
  expected: 'a port between 1 and 65535',
  form: 'ports separated by commas, such as 6379,8201',
  parse: listOf(port, (a, b) => a - b),
}

const RANGES: SettingType<readonly string[]> = {
  expected: 'an address range in CIDR form',
  form: 'ranges separated by commas, such as 10.43.0.1/32,192.168.0.0/16',
  parse: listOf(range, byText),
}

const LOG_LEVEL: SettingType<string> = {
  expected: 'a log level',
  form: `one of ${LOG_LEVELS.join(', ')}`,
  parse: oneOf((text) => LOG_LEVELS.includes(text)),
}

const quantityLike = (example: string): SettingType<string> => ({
  expected: 'a quantity above zero',
  form: `a quantity such as ${example}`,
  parse: oneOf((text) => quantityValue(text) !== undefined),
})

const CPU = quantityLike('100m')
const MEMORY = quantityLike('128Mi')

const union =
  <T>(order: (a: T, b: T) => number) =>
  (mesh: readonly T[], pod: readonly T[]): readonly T[] =>
    [...new Set([...mesh, ...pod])].sort(order)

const podWins = (_mesh: string, pod: string): string => pod

const resource = (list: 'requests' | 'limits', key: 'cpu' | 'memory', value: string, doc: string): Setting<string> => ({
  name: `sidecar-${key}-${list.slice(0, -1)}`,
  type: key === 'cpu' ? CPU : MEMORY,
  default: value,
  meshPath: `spec.sidecar.resources.${list}.${key}`,
  mesh: (config) => config.sidecar?.resources?.[list]?.[key]?.toString(),
  merge: podWins,
  doc,
})

/**
 * Every setting there is. A pod sets one by the annotation `flomesh.io/<name>` or `openservicemesh.io/<name>`, the mesh
 * in MeshConfig at `meshPath`.
 */
export const SETTINGS: { readonly [K in keyof Settings]: Setting<Settings[K]> } = {
  excludedPorts: {
    name: 'outbound-port-exclusion-list',
    type: PORTS,
    default: [],
    meshPath: 'spec.traffic.outboundPortExclusionList',
    mesh: (config) => config.traffic?.outboundPortExclusionList,
    merge: union((a, b) => a - b),
    doc: 'Destination ports that never enter the sidecar. Added to the list of the mesh.',
  },
  excludedRanges: {
    name: 'outbound-ip-range-exclusion-list',
    type: RANGES,
    default: [],
    meshPath: 'spec.traffic.outboundIPRangeExclusionList',
    mesh: (config) => config.traffic?.outboundIPRangeExclusionList,
    merge: union(byText),
    doc: 'Destination ranges that never enter the sidecar. Added to the list of the mesh.',
  },
  logLevel: {
    name: 'sidecar-log-level',
    type: LOG_LEVEL,
    default: 'warning',
    meshPath: 'spec.sidecar.logLevel',
    mesh: (config) => config.sidecar?.logLevel,
    merge: podWins,
    doc: "The sidecar's log level.",
  },
  cpuRequest: resource('requests', 'cpu', '10m', 'CPU that the scheduler sets aside for the sidecar.'),
  memoryRequest: resource('requests', 'memory', '80Mi', 'Memory that the scheduler sets aside for the sidecar.'),
  cpuLimit: resource('limits', 'cpu', '2', 'CPU at which the sidecar is throttled.'),
  memoryLimit: resource('limits', 'memory', '512Mi', 'Memory at which the sidecar is ended.'),
}

/** The value of an annotation under the first prefix that has it, with the key it stood under. */
export const annotation = (
  annotations: Readonly<Record<string, string>> | undefined,
  keys: readonly string[],
): { readonly key: string; readonly value: string } | undefined => {
  const key = keys.find((candidate) => annotations?.[candidate] !== undefined)
  return key === undefined ? undefined : { key, value: annotations?.[key] ?? '' }
}

export const settingKeys = (name: string): readonly string[] => ANNOTATION_PREFIXES.map((prefix) => `${prefix}/${name}`)

export const annotationPath = (key: string): string => `metadata.annotations[${key}]`

/** Resolves every setting for one pod. Bad values are in the issues, all of them; their defaults stand in. */
export const resolveSettings = (
  pod: Pod,
  ref: ObjectRef,
  mesh: Mesh,
): { readonly settings: Settings; readonly issues: readonly Issue[] } => {
  const issues: Issue[] = []
  const read = <T>(setting: Setting<T>, text: string, object: ObjectRef, path: string): T => {
    const { value, bad } = setting.type.parse(text)
    const { expected, form } = setting.type
    for (const item of bad)
      issues.push({ code: 'SettingInvalid', object, path, value: item, params: { expected, form } })
    return bad.length === 0 ? value : setting.default
  }
  const resolve = <T>(setting: Setting<T>): T => {
    const fromMesh = setting.mesh(mesh.config)
    const fromPod = annotation(pod.metadata.annotations, settingKeys(setting.name))
    const base =
      fromMesh === undefined ? setting.default : read(setting, String(fromMesh), mesh.configRef, setting.meshPath)
    if (fromPod === undefined) return base
    return setting.merge(base, read(setting, fromPod.value, ref, annotationPath(fromPod.key)))
  }
  const settings: Settings = {
    excludedPorts: resolve(SETTINGS.excludedPorts),
    excludedRanges: resolve(SETTINGS.excludedRanges),
    logLevel: resolve(SETTINGS.logLevel),
    cpuRequest: resolve(SETTINGS.cpuRequest),
    memoryRequest: resolve(SETTINGS.memoryRequest),
    cpuLimit: resolve(SETTINGS.cpuLimit),
    memoryLimit: resolve(SETTINGS.memoryLimit),
  }
  return {
    settings,
    issues: [
      ...issues,
      ...contradictions(settings, pod, ref, mesh),
      ...excludedImports(pod, ref, mesh),
      ...unknownSettings(pod, ref),
    ],
  }
}

const excludedImports = (pod: Pod, ref: ObjectRef, { config, configRef, vipRange }: Mesh): readonly Issue[] => {
  const { name, type, mesh, meshPath } = SETTINGS.excludedRanges
  const fromPod = annotation(pod.metadata.annotations, settingKeys(name))
  const lists = [
    { object: configRef, path: meshPath, text: String(mesh(config) ?? '') },
    { object: ref, path: annotationPath(fromPod?.key ?? ''), text: fromPod?.value ?? '' },
  ]
  return lists.flatMap(({ object, path, text }) =>
    type
      .parse(text)
      .value.filter((range) => overlap(range, vipRange))
      .map((value) => ({ code: 'ImportsExcluded', object, path, value, params: { vipRange } })),
  )
}

const contradictions = (settings: Settings, pod: Pod, ref: ObjectRef, mesh: Mesh): readonly Issue[] =>
  (
    [
      ['cpu', SETTINGS.cpuRequest, settings.cpuRequest, settings.cpuLimit],
      ['memory', SETTINGS.memoryRequest, settings.memoryRequest, settings.memoryLimit],
    ] as const
  )
    .filter(([, , request, limit]) => (quantityValue(request) ?? 0) > (quantityValue(limit) ?? 0))
    .map(([resource, setting, request, limit]) => {
      const own = annotation(pod.metadata.annotations, [
        ...settingKeys(setting.name),
        ...settingKeys(`sidecar-${resource}-limit`),
      ])
      return {
        code: 'RequestExceedsLimit',
        object: own === undefined ? mesh.configRef : ref,
        path: own === undefined ? setting.meshPath : annotationPath(own.key),
        value: request,
        params: { resource, limit },
      }
    })

const NAMES = Object.values(SETTINGS).map((setting) => setting.name)
const KNOWN = new Set(NAMES.flatMap(settingKeys))
const SETTING_LIKE = ANNOTATION_PREFIXES.flatMap((prefix) => [`${prefix}/outbound-`, `${prefix}/inbound-`])

const unknownSettings = (pod: Pod, object: ObjectRef): readonly Issue[] =>
  Object.keys(pod.metadata.annotations ?? {})
    .filter((key) => SETTING_LIKE.some((start) => key.startsWith(start)) && !KNOWN.has(key))
    .sort(byText)
    .map((key) => ({
      code: 'SettingUnknown',
      object,
      path: annotationPath(key),
      value: key,
      params: { known: NAMES.join(', ') },
    }))
