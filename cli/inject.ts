import type { Namespace } from '../api/core.ts'
import { applyDefaults } from '../api/defaults.ts'
import type { ManifestCode } from '../api/diagnostics/manifests.ts'
import type { Issue } from '../api/issue.ts'
import type { MeshConfig } from '../api/mesh-config.ts'
import type { KubeObject } from '../api/meta.ts'
import { CONFIG_API_VERSION, INJECTION, MONITORED_BY } from '../api/names.ts'
import type { InjectResult, Mesh } from '../webhook/decision.ts'
import { inject } from '../webhook/inject.ts'
import { admissionFindings, at } from './check.ts'
import type { ExitCode, Io } from './io.ts'
import { type Finding, type Manifest, parseManifests } from './manifests.ts'
import { byKind, refOf, settle } from './objects.ts'
import { exitCode, findingLine, painter, serialize, toYaml } from './print.ts'
import { readSources } from './sources.ts'
import { type Workload, workloadOf } from './workloads.ts'

export interface InjectOptions {
  readonly filename: readonly string[]
  readonly namespace: string
  readonly output: 'yaml' | 'json'
  readonly colors: boolean
  readonly meshName: string
  readonly clusterDomain: string
  readonly vipRange: string
  readonly mtls: boolean
  readonly proxyImage: string
  readonly initImage: string
  readonly imagePullPolicy: Mesh['imagePullPolicy']
  readonly dnsAddress: string
}

/** `portolan inject`: the objects as they are with their sidecars, on stdout; what was decided for each pod, on stderr. */
export async function injectCommand(options: InjectOptions, io: Io): Promise<ExitCode> {
  const settled = settle(parseManifests(await readSources(options.filename, io)), options.namespace)
  const { manifests } = settled
  const { namespaces, meshConfigs } = byKind(manifests)
  const mesh = meshOf(options, meshConfigs[0])
  const namespaceOf = (name: string): Namespace =>
    namespaces.find(({ metadata }) => metadata.name === name) ?? member(name, options.meshName)

  const settings = admissionFindings(manifests.filter(({ object }) => object.kind === 'MeshConfig'))
  const results = manifests.map((manifest) => injectInto(manifest, mesh, namespaceOf))
  const findings = [...settled.findings, ...settings, ...results.flatMap((result) => result.findings)]
  const objects = results.map(({ object }) => object)

  const paint = painter(options.colors)
  for (const finding of findings) io.err(findingLine(finding, paint))
  if (exitCode(findings) !== 0) return 1
  if (options.output === 'json') io.out(serialize({ apiVersion: 'v1', kind: 'List', items: objects }, 'json'))
  else io.out(objects.map(toYaml).join('---\n'))
  return 0
}

interface Injected {
  readonly object: KubeObject
  readonly findings: readonly Finding[]
}

function injectInto(manifest: Manifest, mesh: Mesh, namespaceOf: (name: string) => Namespace): Injected {
  const { object } = manifest
  const workload = workloadOf(object)
  if (workload === undefined) return { object, findings: [] }
  if (workload.pod === undefined) return { object, findings: [at(manifest, notAPod(object, workload.path))] }
  const { kind, metadata } = object
  const result = inject({
    pod: workload.pod,
    namespace: namespaceOf(metadata.namespace ?? 'default'),
    mesh,
    seed: `${kind} ${metadata.namespace}/${metadata.name}`,
  })
  const issues = result.issues.map((issue) => ofObject(issue, object, workload))
  const injected = result.decision.outcome === 'inject'
  return {
    object: injected ? workload.withPod(result.pod) : object,
    findings: [...issues, ...(injected ? said(result, object) : [])].map((issue) => at(manifest, issue)),
  }
}

function notAPod(object: KubeObject, path: string): Issue {
  return {
    code: 'ShapeWrong' satisfies ManifestCode,
    object: refOf(object),
    path: path || 'spec',
    params: { expected: 'a pod with containers' },
  }
}

/** The outcome, unless the issues name it already. */
function said({ issues }: InjectResult, object: KubeObject): readonly Issue[] {
  return issues.some(({ code }) => code === 'Injected') ? [] : [{ code: 'Injected', object: refOf(object), path: '' }]
}

/** What is said of the pod, said of the object in the file. */
function ofObject(issue: Issue, object: KubeObject, { path }: Workload): Issue {
  if (issue.object.kind !== 'Pod') return issue
  return { ...issue, object: refOf(object), path: [path, issue.path].filter((part) => part !== '').join('.') }
}

/** A namespace that no file describes is taken for one of the mesh: its user asked for injection. */
function member(name: string, meshName: string): Namespace {
  const metadata = { name, labels: { [MONITORED_BY[0]]: meshName }, annotations: { [INJECTION[0]]: 'enabled' } }
  return { apiVersion: 'v1', kind: 'Namespace', metadata }
}

function meshOf(options: InjectOptions, given: MeshConfig | undefined): Mesh {
  const ownNamespace = 'portolan-system'
  const fallback: MeshConfig = {
    apiVersion: CONFIG_API_VERSION,
    kind: 'MeshConfig',
    metadata: { name: 'portolan-mesh-config', namespace: ownNamespace },
    spec: {},
  }
  const config = applyDefaults(given ?? fallback)
  return {
    name: options.meshName,
    ownNamespace,
    config: config.spec,
    configRef: refOf(config),
    proxyImage: options.proxyImage,
    initImage: options.initImage,
    imagePullPolicy: options.imagePullPolicy,
    vipRange: options.vipRange,
    mtls: options.mtls,
    dns: { nameserver: options.dnsAddress, clusterDomain: options.clusterDomain, extraSearches: [] },
  }
}
