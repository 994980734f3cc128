import { applyDefaults } from '../../api/defaults.ts'
import { compile } from '../../compiler/compile.ts'
import { validateObject, type World } from '../../webhook/validate.ts'
import { at, unsaid } from '../check.ts'
import { type ExitCode, type Io, UsageError } from '../io.ts'
import { parseManifests } from '../manifests.ts'
import { byKind, givenTwice, settle } from '../objects.ts'
import { exitCode, type Format, findingData, findingLine, inFileOrder, painter, serialize } from '../print.ts'
import { readSources } from '../sources.ts'
import { withCluster } from './connect.ts'
import { changesText } from './diff-text.ts'
import type { LiveFlags, NamespaceFlag } from './flags.ts'
import { meshOf } from './mesh.ts'
import { overlay } from './overlay.ts'
import { readSnapshot } from './snapshot.ts'
import { changesBetween, isEmpty } from './table-changes.ts'

export interface DiffOptions extends LiveFlags, NamespaceFlag {
  readonly filename: readonly string[]
  readonly output: Format
  readonly colors: boolean
}

/** `portolan diff`: how a running mesh's tables would change if manifests were applied. Exit code 1 when they would. */
export function diffCommand(options: DiffOptions, io: Io): Promise<ExitCode> {
  return withCluster(options, async (cluster) => {
    const settled = settle(parseManifests(await readSources(options.filename, io)), cluster.namespace)
    const { manifests } = settled
    const live = await readSnapshot(cluster, await meshOf(cluster))
    const objects = byKind(manifests.map(({ object }) => ({ object: applyDefaults(object) })))
    const changed = overlay(live, objects)
    const world: World = {
      services: changed.services,
      imports: changed.imports,
      exports: changed.exports,
      clusterKey: live.mesh.clusterKey,
    }
    const admission = manifests.flatMap((each) => validateObject(each.object, world).map((issue) => at(each, issue)))
    const broken = [...settled.findings, ...givenTwice(manifests), ...admission]

    const before = compile(live)
    const after = compile(changed, before)
    const known = new Set(before.issues.map((issue) => JSON.stringify(issue)))
    const caused = after.issues.filter((issue) => !known.has(JSON.stringify(issue)))
    const findings = inFileOrder([...broken, ...unsaid(caused, manifests, admission)])
    const paint = painter(options.colors)
    if (exitCode(broken) !== 0) {
      for (const finding of findings) io.err(findingLine(finding, paint))
      throw new UsageError('the manifests would be refused, so there is nothing to compare; correct them first')
    }
    const changes = changesBetween(before, after)
    if (options.output === 'text') {
      for (const finding of findings) io.err(findingLine(finding, paint))
      io.out(isEmpty(changes) ? `The tables of ${cluster.name} stay as they are.\n` : changesText(changes, paint))
    } else io.out(serialize({ changes, findings: findings.map(findingData) }, options.output))
    return isEmpty(changes) ? 0 : 1
  })
}
