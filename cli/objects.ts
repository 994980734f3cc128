import type { Cluster } from '../api/cluster.ts'
import type { EndpointSlice, Namespace, Service } from '../api/core.ts'
import type { ManifestCode } from '../api/diagnostics/manifests.ts'
import type { GlobalTrafficPolicy } from '../api/global-traffic-policy.ts'
import type { ObjectRef } from '../api/issue.ts'
import { KINDS, kindOf } from '../api/kinds.ts'
import type { McsExport } from '../api/mcs.ts'
import type { MeshConfig } from '../api/mesh-config.ts'
import type { KubeObject } from '../api/meta.ts'
import { MCS_GROUP } from '../api/names.ts'
import type { ServiceExport } from '../api/service-export.ts'
import type { ServiceImport } from '../api/service-import.ts'
import { STANDARD_KINDS, standardKindOf } from '../api/standard-kinds.ts'
import { type Finding, isRecord, type Manifest, type Manifests } from './manifests.ts'

const CLUSTER_SCOPED = [
  'Namespace',
  ...[...KINDS, ...STANDARD_KINDS].filter(({ scope }) => scope === 'Cluster').map(({ kind }) => kind),
]

/** Gives a namespace to what has none and should, as kubectl does, and finds kinds of our groups, and of the standard's, that do not exist. */
export function settle({ manifests, findings }: Manifests, namespace: string): Manifests {
  const settled = manifests.map(
    (manifest): Manifest => ({ ...manifest, object: inNamespace(manifest.object, namespace) }),
  )
  return {
    manifests: settled,
    findings: [...findings, ...settled.flatMap(unknownKind), ...settled.flatMap(wrongShape)],
  }
}

function inNamespace(object: KubeObject, namespace: string): KubeObject {
  if (CLUSTER_SCOPED.includes(object.kind)) return object
  return { ...object, metadata: { ...object.metadata, namespace: object.metadata.namespace ?? namespace } }
}

export function refOf({ apiVersion, kind, metadata: { namespace, name, generateName } }: KubeObject): ObjectRef {
  const group = apiVersion.startsWith(`${MCS_GROUP}/`) ? { group: MCS_GROUP } : {}
  return { kind, ...group, ...(namespace === undefined ? {} : { namespace }), name: name ?? generateName ?? '' }
}

function unknownKind({ object, file, lineOf }: Manifest): readonly Finding[] {
  const [group = '', version = ''] = object.apiVersion.split('/')
  // Groups of the standard have kinds that we know nothing of.
  const standard = standardKindOf(object)
  const inGroup = standard === undefined ? KINDS.filter((kind) => kind.group === group) : [standard]
  if (inGroup.length === 0) return []
  if (inGroup.some(({ kind, versions }) => kind === object.kind && versions.includes(version))) return []
  const params = {
    group,
    kind: object.kind,
    version,
    known: inGroup.flatMap(({ kind, versions }) => versions.map((each) => `${group}/${each} ${kind}`)).join(', '),
  }
  const issue = { code: 'KindUnknown' satisfies ManifestCode, object: refOf(object), path: 'kind', params }
  return [{ issue, file, line: lineOf('kind') }]
}

type Check = (value: unknown) => boolean
const isList: Check = (value) => Array.isArray(value) && value.every(isRecord)
const isTextMap: Check = (value) => isRecord(value) && Object.values(value).every((each) => typeof each === 'string')
const isPort: Check = (value) => Number.isInteger(value)
const isText: Check = (value) => typeof value === 'string'

const texts = (...paths: readonly string[]) => paths.map((path) => [path, isText, 'text'] as const)

type Shape = readonly [path: string, check: Check, expected: string]

/** As {@link readAs} calls the standard's, which is not the only kind of its name. */
const MCS_EXPORT = `ServiceExport.${MCS_GROUP}`

/** What compilation reads of Kubernetes' own kinds; ours have a schema. `a[].b` is b of each entry; all but `spec` may be absent. */
const SHAPES: Readonly<Record<string, readonly Shape[]>> = {
  Namespace: [],
  Service: [
    ['spec', isRecord, 'a mapping'],
    ['spec.ports', isList, 'a list of ports'],
    ['spec.ports[].port', isPort, 'a number'],
    ...texts('spec.type', 'spec.clusterIP', 'spec.ports[].name', 'spec.ports[].protocol', 'spec.ports[].appProtocol'),
    ['spec.clusterIPs', Array.isArray, 'a list of addresses'],
  ],
  EndpointSlice: [
    ['endpoints', isList, 'a list of endpoints'],
    ['endpoints[].addresses', Array.isArray, 'a list of addresses'],
    ['endpoints[].conditions', isRecord, 'a mapping'],
    ['ports', isList, 'a list of ports'],
    ['ports[].port', isPort, 'a number'],
    ...texts('addressType', 'ports[].name'),
  ],
}

/** What compilation could not read of an object of Kubernetes' own kinds. */
export function wrongShape({ object, file, lineOf }: Manifest): readonly Finding[] {
  const shape = SHAPES[readAs(object) ?? '']
  if (shape === undefined) return []
  const maps = ['metadata.labels', 'metadata.annotations'].map(
    (path) => [path, isTextMap, 'a mapping of names to text'] as const,
  )
  const rules = [...maps, ...shape]
  return rules.flatMap(([pattern, check, expected]) =>
    valuesAt(object, pattern).flatMap(({ path, value }): readonly Finding[] => {
      if (value === undefined ? path !== 'spec' : check(value)) return []
      const params = { expected }
      const issue = { code: 'ShapeWrong' satisfies ManifestCode, object: refOf(object), path, value, params }
      return [{ issue, file, line: lineOf(path) }]
    }),
  )
}

interface Placed {
  readonly path: string
  readonly value: unknown
}

function valuesAt(root: unknown, pattern: string): readonly Placed[] {
  let places: readonly Placed[] = [{ path: '', value: root }]
  for (const step of pattern.split('.')) {
    const name = step.replace('[]', '')
    places = places.map(({ path, value }) => ({
      path: path === '' ? name : `${path}.${name}`,
      value: isRecord(value) ? (value[name] ?? undefined) : undefined,
    }))
    if (step.endsWith('[]'))
      places = places.flatMap(({ path, value }) =>
        Array.isArray(value) ? value.map((each, index) => ({ path: `${path}[${index}]`, value: each })) : [],
      )
  }
  return places
}

/** The objects that Portolan reads, by kind. */
export interface Objects {
  readonly namespaces: readonly Namespace[]
  readonly services: readonly Service[]
  readonly endpointSlices: readonly EndpointSlice[]
  readonly imports: readonly ServiceImport[]
  readonly exports: readonly ServiceExport[]
  readonly mcsExports: readonly McsExport[]
  readonly policies: readonly GlobalTrafficPolicy[]
  readonly meshConfigs: readonly MeshConfig[]
  readonly clusters: readonly Cluster[]
}

const CORE: Readonly<Record<string, string>> = { Namespace: 'v1', Service: 'v1', EndpointSlice: 'discovery.k8s.io/v1' }

/** The kind of an object that Portolan reads; undefined for all others, such as Knative's Services. */
function readAs(object: KubeObject): string | undefined {
  if (object.kind === 'ServiceExport' && object.apiVersion.startsWith(`${MCS_GROUP}/`)) return MCS_EXPORT
  return kindOf(object)?.kind ?? (CORE[object.kind] === object.apiVersion ? object.kind : undefined)
}

/** Null counts as absent, as it does for the API server; the schemas of our own kinds see to theirs. */
function withoutNulls<T extends KubeObject>(object: T): T {
  if (kindOf(object) !== undefined) return object
  return JSON.parse(JSON.stringify(object, (_, value: unknown) => value ?? undefined)) as T
}

export function byKind(manifests: readonly Pick<Manifest, 'object'>[]): Objects {
  const of = <T extends KubeObject>(kind: string): readonly T[] =>
    manifests
      .map(({ object }) => object)
      .filter((object): object is T => readAs(object) === kind)
      .map(withoutNulls)
  return {
    namespaces: of<Namespace>('Namespace'),
    services: of<Service>('Service'),
    endpointSlices: of<EndpointSlice & { kind: 'EndpointSlice' }>('EndpointSlice'),
    imports: of<ServiceImport>('ServiceImport'),
    exports: of<ServiceExport>('ServiceExport'),
    mcsExports: of<McsExport>(MCS_EXPORT),
    policies: of<GlobalTrafficPolicy>('GlobalTrafficPolicy'),
    meshConfigs: of<MeshConfig>('MeshConfig'),
    clusters: of<Cluster>('Cluster'),
  }
}

/** Objects of one cluster that are given more than once: which of them counts is not for us to say. */
export function givenTwice(manifests: readonly Manifest[]): readonly Finding[] {
  const first = new Map<string, Manifest>()
  return manifests.flatMap((manifest): readonly Finding[] => {
    const { kind, metadata } = manifest.object
    if (metadata.name === undefined) return []
    const key = `${manifest.object.apiVersion.split('/')[0]} ${kind} ${metadata.namespace ?? ''}/${metadata.name}`
    const earlier = first.get(key)
    first.set(key, earlier ?? manifest)
    if (earlier === undefined) return []
    const params = { first: `${earlier.file}:${earlier.lineOf('')}` }
    const issue = { code: 'GivenTwice' satisfies ManifestCode, object: refOf(manifest.object), path: '', params }
    return [{ issue, file: manifest.file, line: manifest.lineOf('') }]
  })
}
