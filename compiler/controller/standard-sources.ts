import type { McsExport } from '../../api/mcs.ts'
import type { KubeObject } from '../../api/meta.ts'
import { CLUSTER_ID_PROPERTY, CLUSTERSET_PROPERTY, FIELD_MANAGER } from '../../api/names.ts'
import { CLUSTER_PROPERTIES, isCurrent, MCS_EXPORTS, MCS_EXPORTS_OLDER, MCS_IMPORTS } from '../../api/resources.ts'
import type { KubeClient } from '../../kube/client.ts'
import type { InformerEvent } from '../../kube/informer.ts'
import type { Resource } from '../../kube/object.ts'
import { withOwnFieldsOnly } from '../../kube/owned.ts'
import { type Written, withWrites } from '../../kube/written.ts'
import { perObject } from '../memo.ts'
import type { ObservedObjects } from './objects.ts'
import { isAbsence, type Optional, startOptional } from './optional.ts'

export interface StandardSourceOptions {
  readonly client: KubeClient
  readonly observe: (source: string, event: InformerEvent) => void
  /** Something that is compiled changed. */
  readonly onInput: () => void
  /** Something that is written changed. */
  readonly onOther: () => void
}

/** Kubernetes' own kinds for services of several clusters. A cluster may have them, get them or lose them at any time. */
export interface StandardSources {
  /** Names of what has not been listed yet, and may be there. */
  readonly missing: () => readonly string[]
  readonly exports: () => readonly McsExport[]
  /** Those whose status is ours to write, with what has just been written. */
  readonly writtenExports: () => ReadonlyMap<string, McsExport>
  readonly objects: () => Pick<ObservedObjects, 'ServiceImport' | 'ClusterProperty'>
  readonly written: (object: KubeObject) => void
  readonly stop: () => Promise<unknown>
}

const current = perObject(
  (all: ReadonlyMap<string, McsExport>): ReadonlyMap<string, McsExport> =>
    new Map([...all].filter(([, object]) => isCurrent(object))),
)

interface Followed<T extends KubeObject> extends Optional<T> {
  readonly writes: Written<T>
}

export function createStandardSources(options: StandardSourceOptions): StandardSources {
  const { client, onInput, onOther } = options
  // That a kind is absent is no trouble, and not to be told as such.
  const observe = (source: string, event: InformerEvent) => isAbsence(event) || options.observe(source, event)

  function follow<T extends KubeObject>(
    resource: Resource<T>,
    onChange: () => void,
    { of, older = [] }: { readonly of?: string; readonly older?: readonly Resource<T>[] } = {},
  ): Followed<T> {
    const name = `${resource.plural}.${resource.group}${of === undefined ? '' : `/${of}`}`
    const scope = of === undefined ? {} : { fieldSelector: `metadata.name=${of}` }
    const keep = (object: T): T => withOwnFieldsOnly(object, FIELD_MANAGER.compiler)
    const optional = startOptional({ client, resource, older, scope, keep, name, observe, onChange })
    return { ...optional, writes: withWrites(optional.informer) }
  }

  const exports = follow(MCS_EXPORTS, onInput, { older: MCS_EXPORTS_OLDER })
  const imports = follow(MCS_IMPORTS, onOther)
  const properties = [CLUSTER_ID_PROPERTY, CLUSTERSET_PROPERTY].map((name) =>
    follow(CLUSTER_PROPERTIES, onOther, { of: name }),
  )
  const all = [exports, imports, ...properties]

  return {
    missing: () => all.filter((each) => each.isMissing()).map(({ name }) => name),
    exports: exports.list,
    writtenExports: () => (exports.absence() === undefined ? current(exports.writes.store()) : new Map()),
    objects: () => ({
      ...(imports.absence() === undefined ? { ServiceImport: imports.writes.store() } : {}),
      ...(properties.some((each) => each.absence() !== undefined)
        ? {}
        : { ClusterProperty: new Map(properties.flatMap(({ writes }) => [...writes.store()])) }),
    }),
    written: (object) => {
      if (object.kind === MCS_EXPORTS.kind) exports.writes.remember(object as McsExport)
      else if (object.kind === MCS_IMPORTS.kind) imports.writes.remember(object as never)
      else properties.at(object.metadata.name === CLUSTER_ID_PROPERTY ? 0 : 1)?.writes.remember(object as never)
    },
    stop: () => Promise.all(all.map(({ informer }) => informer.stop())),
  }
}
