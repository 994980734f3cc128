import { applyDefaults } from '../api/defaults.ts'
import { compile } from '../compiler/compile.ts'
import type { MeshSettings } from '../compiler/snapshot.ts'
import type { Tables } from '../compiler/tables.ts'
import { trustAmong } from '../compiler/trust.ts'
import { admissionFindings, unsaid } from './check.ts'
import { type Io, UsageError } from './io.ts'
import { type Finding, parseManifests } from './manifests.ts'
import { byKind, givenTwice, settle } from './objects.ts'
import { asApplied, PORTOLAN_NAMESPACE, withDerived } from './offline.ts'
import { exitCode } from './print.ts'
import { readSources } from './sources.ts'

/** The options that say which files make up a cluster, and what the chart would say of it. */
export interface ClusterOptions {
  readonly filename: readonly string[]
  readonly namespace: string
  readonly meshName: string
  readonly clusterKey: string
  readonly clusterDomain: string
  readonly vipRange: string
  readonly down: readonly string[]
  /** Whether there is an egress, by which pods without a sidecar call imports. */
  readonly egress?: boolean
}

export interface Compiled {
  /** Absent when the objects would not be admitted. */
  readonly tables?: Tables
  readonly findings: readonly Finding[]
}

/** Compiles the objects in files as the cluster would that they are applied to. */
export async function compileFiles(options: ClusterOptions, io: Pick<Io, 'stdin'>): Promise<Compiled> {
  const settled = settle(parseManifests(await readSources(options.filename, io)), options.namespace)
  const { manifests } = settled
  const admission = admissionFindings(manifests, options.clusterKey)
  const findings = [...settled.findings, ...givenTwice(manifests), ...admission]
  if (exitCode(findings) !== 0) return { findings }

  const objects = byKind(manifests.map((manifest) => ({ ...manifest, object: applyDefaults(manifest.object) })))
  const services = new Set(objects.services.map(({ metadata }) => `${metadata.namespace}/${metadata.name}`))
  for (const name of options.down)
    if (!services.has(name))
      throw new UsageError(`--down ${name}: the files hold no such Service; write namespace/name`)

  const { trust, issues = [] } =
    trustAmong(
      manifests.map(({ object }) => object),
      options.clusterKey,
    ) ?? {}
  const applied = asApplied(objects, settingsOf(options), options.down)
  const snapshot = trust ? { ...applied, trust } : applied
  const first = compile(snapshot)
  // What is derived has addresses once it is there, and these have names.
  const tables = first.egress === undefined ? first : compile(withDerived(snapshot, first), first)
  return { tables, findings: [...findings, ...unsaid([...issues, ...tables.issues], manifests, admission)] }
}

function settingsOf({ meshName, clusterKey, clusterDomain, vipRange, egress }: ClusterOptions): MeshSettings {
  return { meshName, clusterKey, clusterDomain, vipRange, ...(egress ? { egressNamespace: PORTOLAN_NAMESPACE } : {}) }
}
