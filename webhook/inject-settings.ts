import type { Issue, ObjectRef } from '../api/issue.ts'
import type { MeshConfigSpec } from '../api/mesh-config.ts'
import type { DeepReadonly } from '../api/meta.ts'
import { ANNOTATION_PREFIXES, INTERCEPTIONS, type Interception } from '../api/names.ts'
import type { InjectRequest, Mesh, Pod } from './decision.ts'
import { covers, overlap } from './networks.ts'
import {
  byNumber,
  byText,
  INTERCEPTION,
  INTERFACES,
  LOG_LEVEL,
  PORTS,
  quantityLike,
  quantityValue,
  RANGES,
  type SettingType,
} from './setting-types.ts'

/** What a pod's owner and the mesh's owner may say about a sidecar, resolved for one pod. */
export interface Settings {
  /** Sorted, unique. */
  readonly excludedPorts: readonly number[]
  /** Networks in CIDR form with host bits cleared; sorted, unique. */
  readonly excludedRanges: readonly string[]
  /** Empty = all. */
  readonly includedPorts: readonly number[]
  /** Empty = all. */
  readonly includedRanges: readonly string[]
  readonly excludedInterfaces: readonly string[]
  readonly inboundExcludedPorts: readonly number[]
  readonly inboundIncludedPorts: readonly number[]
  readonly inboundExcludedRanges: readonly string[]
  readonly inboundIncludedRanges: readonly string[]
  readonly interception: Interception
  readonly logLevel: string
  readonly cpuRequest: string
  readonly memoryRequest: string
  readonly cpuLimit: string
  readonly memoryLimit: string
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
  /** The namespace may say it too, by the same annotation: it counts before the mesh, the pod before both. */
  readonly ofNamespace?: true
  /** Read strictly and of no consequence, as nothing that comes in is captured. */
  readonly inert?: true
  readonly doc: string
}

const CPU = quantityLike('100m')
const MEMORY = quantityLike('128Mi')

const union =
  <T>(order: (a: T, b: T) => number) =>
  (mesh: readonly T[], pod: readonly T[]): readonly T[] =>
    [...new Set([...mesh, ...pod])].sort(order)

const podWins = <T>(_mesh: T, pod: T): T => pod

const resource = (list: 'requests' | 'limits', key: 'cpu' | 'memory', value: string, doc: string): Setting<string> => ({
  name: `sidecar-${key}-${list.slice(0, -1)}`,
  type: key === 'cpu' ? CPU : MEMORY,
  default: value,
  meshPath: `spec.sidecar.resources.${list}.${key}`,
  mesh: (config) => config.sidecar?.resources?.[list]?.[key]?.toString(),
  merge: podWins,
  doc,
})

type ListField = Extract<keyof NonNullable<Config['traffic']>, `${string}List`>

const list = <T extends string | number>(
  name: string,
  field: ListField,
  type: SettingType<readonly T[]>,
  order: (a: T, b: T) => number,
  doc: string,
): Setting<readonly T[]> => ({
  name,
  type,
  default: [],
  meshPath: `spec.traffic.${field}`,
  mesh: (config) => config.traffic?.[field],
  merge: union(order),
  doc: `${doc} Added to the list of the mesh.`,
})

const ports = (name: string, field: ListField, doc: string) => list(name, field, PORTS, byNumber, doc)
const ranges = (name: string, field: ListField, doc: string) => list(name, field, RANGES, byText, doc)

const inert = <T>(setting: Setting<T>): Setting<T> => ({ ...setting, inert: true })
const NOT_CAPTURED = 'Accepted and without effect: the sidecar captures nothing that comes in.'

/**
 * Every setting there is. A pod sets one by the annotation `flomesh.io/<name>` or `openservicemesh.io/<name>`, the mesh
 * in MeshConfig at `meshPath`.
 */
export const SETTINGS: { readonly [K in keyof Settings]: Setting<Settings[K]> } = {
  interception: {
    name: 'interception',
    type: INTERCEPTION,
    default: INTERCEPTIONS[0],
    meshPath: 'spec.sidecar.interception',
    mesh: (config) => config.sidecar?.interception,
    merge: podWins,
    ofNamespace: true,
    doc: 'How calls reach the sidecar: by rules of the pod’s network, or as the HTTP proxy that the environment names. A namespace may carry the annotation too.',
  },
  excludedPorts: ports(
    'outbound-port-exclusion-list',
    'outboundPortExclusionList',
    'Destination ports that never enter the sidecar.',
  ),
  excludedRanges: ranges(
    'outbound-ip-range-exclusion-list',
    'outboundIPRangeExclusionList',
    'Destination ranges that never enter the sidecar.',
  ),
  includedPorts: ports(
    'outbound-port-inclusion-list',
    'outboundPortInclusionList',
    'Where it is not empty, only calls to these ports enter the sidecar.',
  ),
  includedRanges: ranges(
    'outbound-ip-range-inclusion-list',
    'outboundIPRangeInclusionList',
    'Where it is not empty, only calls to addresses of imports within these ranges enter the sidecar.',
  ),
  excludedInterfaces: list(
    'network-interface-exclusion-list',
    'networkInterfaceExclusionList',
    INTERFACES,
    byText,
    'Calls that leave the pod by these network interfaces never enter the sidecar.',
  ),
  inboundExcludedPorts: inert(ports('inbound-port-exclusion-list', 'inboundPortExclusionList', NOT_CAPTURED)),
  inboundIncludedPorts: inert(ports('inbound-port-inclusion-list', 'inboundPortInclusionList', NOT_CAPTURED)),
  inboundExcludedRanges: inert(ranges('inbound-ip-range-exclusion-list', 'inboundIPRangeExclusionList', NOT_CAPTURED)),
  inboundIncludedRanges: inert(ranges('inbound-ip-range-inclusion-list', 'inboundIPRangeInclusionList', NOT_CAPTURED)),
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
  { pod, namespace, mesh }: Pick<InjectRequest, 'pod' | 'namespace' | 'mesh'>,
  ref: ObjectRef,
): { readonly settings: Settings; readonly issues: readonly Issue[] } => {
  const issues: Issue[] = []
  const namespaceRef = { kind: 'Namespace', name: namespace.metadata.name }
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
    const fromNamespace = setting.ofNamespace
      ? annotation(namespace.metadata.annotations, settingKeys(setting.name))
      : undefined
    const ofMesh =
      fromMesh === undefined ? setting.default : read(setting, String(fromMesh), mesh.configRef, setting.meshPath)
    const base =
      fromNamespace === undefined
        ? ofMesh
        : setting.merge(ofMesh, read(setting, fromNamespace.value, namespaceRef, annotationPath(fromNamespace.key)))
    if (fromPod === undefined) return base
    return setting.merge(base, read(setting, fromPod.value, ref, annotationPath(fromPod.key)))
  }
  const settings: Settings = {
    interception: resolve(SETTINGS.interception),
    excludedPorts: resolve(SETTINGS.excludedPorts),
    excludedRanges: resolve(SETTINGS.excludedRanges),
    includedPorts: resolve(SETTINGS.includedPorts),
    includedRanges: resolve(SETTINGS.includedRanges),
    excludedInterfaces: resolve(SETTINGS.excludedInterfaces),
    inboundExcludedPorts: resolve(SETTINGS.inboundExcludedPorts),
    inboundIncludedPorts: resolve(SETTINGS.inboundIncludedPorts),
    inboundExcludedRanges: resolve(SETTINGS.inboundExcludedRanges),
    inboundIncludedRanges: resolve(SETTINGS.inboundIncludedRanges),
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
      ...(settings.interception === 'iptables' ? importsLeftOut(pod, ref, mesh) : []),
      ...withoutEffect(pod, ref),
      ...unknownSettings(pod, ref),
    ],
  }
}

/** Lists that keep calls to imports away from the sidecar. */
const importsLeftOut = (pod: Pod, ref: ObjectRef, { config, configRef, vipRange }: Mesh): readonly Issue[] => {
  const places = <T>({ name, type, mesh, meshPath }: Setting<T>) => {
    const fromPod = annotation(pod.metadata.annotations, settingKeys(name))
    return [
      { object: configRef, path: meshPath, value: type.parse(String(mesh(config) ?? '')).value },
      { object: ref, path: annotationPath(fromPod?.key ?? ''), value: type.parse(fromPod?.value ?? '').value },
    ]
  }
  const excluded = places(SETTINGS.excludedRanges).flatMap(({ object, path, value }) =>
    value
      .filter((range) => overlap(range, vipRange))
      .map((range) => ({ code: 'ImportsExcluded', object, path, value: range, params: { vipRange } })),
  )
  const included = places(SETTINGS.includedRanges).filter(({ value }) => value.length > 0)
  if (
    included.length === 0 ||
    covers(
      included.flatMap(({ value }) => value),
      vipRange,
    )
  )
    return excluded
  return [
    ...excluded,
    ...included.map(({ object, path }) => ({ code: 'ImportsNotIncluded', object, path, params: { vipRange } })),
  ]
}

const INERT = Object.values(SETTINGS).filter((setting) => 'inert' in setting)

const withoutEffect = (pod: Pod, object: ObjectRef): readonly Issue[] =>
  INERT.flatMap(({ name }) => {
    const found = annotation(pod.metadata.annotations, settingKeys(name))
    return found === undefined ? [] : [{ code: 'NothingInboundCaptured', object, path: annotationPath(found.key) }]
  })

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
