/** Rules for ServiceExport of multicluster.x-k8s.io. What its definition lets pass cannot always be on an import. */
import type { ObjectRef } from '../api/issue.ts'
import { isLabelValue, isWordName } from '../api/labels.ts'
import type { McsExport } from '../api/mcs.ts'
import { NO_ROOM, wordsOf } from '../federation/words.ts'
import { type At, at, type Finding, found, foundAbout, isRecord } from './validate-read.ts'
import type { World } from './world.ts'

export function* mcsExportRules(root: At, ref: ObjectRef, world: World): Iterable<Finding> {
  const labels = at(root, 'spec', 'exportedLabels')
  const annotations = at(root, 'spec', 'exportedAnnotations')
  yield* wordFindings(labels, isLabelValue)
  yield* wordFindings(annotations, () => true)
  yield* roomRules(root)
  yield* serviceRules(ref, world)
}

function* wordFindings(words: At, isValue: (value: string) => boolean): Iterable<Finding> {
  if (!isRecord(words.value)) return
  for (const [name, value] of Object.entries(words.value)) {
    const path = `${words.path}[${name}]`
    if (!isWordName(name)) yield found('WordNameMalformed', { path, value: name })
    // Anything but text is for the schema to report.
    else if (typeof value === 'string' && !isValue(value)) yield found('LabelValueMalformed', { path, value })
  }
}

/** Of what Kubernetes takes, an import has room for some. */
function* roomRules(root: At): Iterable<Finding> {
  const spec = at(root, 'spec')
  if (!isRecord(spec.value)) return
  const { unusable } = wordsOf({ spec: spec.value } as unknown as McsExport)
  for (const { why, names } of unusable)
    if (why === NO_ROOM) yield foundAbout('ExportedWordsUnusable', spec, { why, names: names.join(', ') })
}

function* serviceRules({ namespace = '', name }: ObjectRef, { services }: World): Iterable<Finding> {
  if (services === undefined) return
  const about: At = { path: '', value: undefined }
  const own = services.find(({ metadata }) => metadata.namespace === namespace && metadata.name === name)
  if (own === undefined) yield found('NoService', about, { namespace, name })
  else if (own.spec.type === 'ExternalName') yield found('InvalidServiceType', about)
}
